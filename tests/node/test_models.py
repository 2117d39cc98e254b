"""A node never uses a model whose root is not the chain's, wherever the bytes come from."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from foedus.aggregator.aggregate import ProposalManifest
from foedus.network.cid import cid_of, digest_of
from foedus.node.bench import WrongModel, WrongTerms, load_model, load_terms
from foedus.node.errors import NodeError
from foedus.protocol import events as ev
from foedus.protocol.bitmap import to_bitmap
from foedus.protocol.chunks import lanes_to_bytes, vector_root
from foedus.protocol.manifest import Manifest
from foedus.protocol.ports import BlobMissing
from foedus.protocol.task import create
from tests.protocol.samples import SPONSOR, TASK, account, aggregate, params, terms
from tests.protocol.test_task import running


class Shelf:
    """Blobs by CID, in memory."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}

    def keep(self, blob: bytes) -> str:
        self.held[cid_of(blob)] = blob
        return cid_of(blob)

    async def get(self, cid, limit):
        if cid not in self.held:
            raise BlobMissing(cid)
        return self.held[cid]


MANIFEST = Manifest.of({"w": np.zeros(10)})


def model(value: int) -> bytes:
    return lanes_to_bytes(np.full(MANIFEST.model_lanes, value, dtype=np.int32))


def finished(shelf: Shelf, claimed: bytes, stored: bytes):
    """A task whose first round was finalised with the root of one model and the address of another."""
    hints = ProposalManifest(shelf.keep(stored), shelf.keep(b"seeds"))
    made = replace(aggregate(), model_root=vector_root(claimed), manifest=digest_of(shelf.keep(hints.to_bytes())))
    script = running()
    script.commit(1, 1, 0, 1, 2)
    script.freeze(1, 1, {0, 1, 2}, 5)
    script.say(ev.AggregateProposed(1, 1, account(1), 1, 0, bytes(32), made, 2250))
    closing = ev.RoundFinalized(1, 1, bytes(32), made.model_root, bytes(32), to_bitmap({0, 1}, 5))
    return script.say(closing, ev.RoundOpened(2, 1, 2, 3, 9000))


def load(shelf: Shelf, task, root: bytes):
    first = model(0)
    promised = terms(model=vector_root(first).hex(), model_cid=shelf.keep(first))
    return asyncio.run(load_model(shelf, task, promised, MANIFEST, root))


def test_the_chains_model_is_loaded():
    shelf = Shelf()
    task = finished(shelf, model(5), model(5))
    assert (load(shelf, task, vector_root(model(5))) == 5).all()
    assert (load(shelf, task, vector_root(model(0))) == 0).all()


def test_another_model_than_the_chains_is_refused_with_both_roots():
    shelf = Shelf()
    task = finished(shelf, model(5), model(6))
    with pytest.raises(WrongModel) as refused:
        load(shelf, task, vector_root(model(5)))
    assert vector_root(model(5)).hex() in str(refused.value)
    assert vector_root(model(6)).hex() in str(refused.value)


def test_a_root_that_no_round_made_is_refused():
    shelf = Shelf()
    with pytest.raises(NodeError, match="is no model of"):
        load(shelf, finished(shelf, model(5), model(5)), vector_root(model(9)))


@pytest.mark.parametrize(("change", "what"), [({"pool": 1}, "pool"), ({"params": params(rounds=9)}, "params")])
def test_terms_that_are_not_the_contracts_are_refused(change, what):
    shelf = Shelf()
    promised = terms(manifest=MANIFEST.digest.hex(), **change)
    shelf.keep(promised.to_bytes())
    shelf.keep(MANIFEST.to_bytes())
    task = create(ev.TaskCreated(TASK, SPONSOR, promised.digest, bytes(32), 0, params()))
    with pytest.raises(WrongTerms, match=f"say another {what} than its contract"):
        asyncio.run(load_terms(shelf, task))
