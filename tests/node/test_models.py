"""A node never uses a model whose root is not the chain's, wherever the bytes come from."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from foedus.aggregator.aggregate import ProposalManifest
from foedus.network.cid import cid_of, digest_of
from foedus.node.bench import WrongModel, WrongTerms, load_model, load_state, load_terms
from foedus.node.errors import NodeError
from foedus.protocol import events as ev
from foedus.protocol.chunks import lanes_to_bytes, vector_root
from foedus.protocol.law import Law
from foedus.protocol.manifest import Manifest
from foedus.protocol.ports import BlobMissing
from foedus.protocol.task import create
from tests.protocol.samples import ETHER, SPONSOR, TASK, account, aggregate, digest, params, terms
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


def finished(shelf: Shelf, claimed: bytes, stored: bytes, state: tuple[bytes, bytes] | None = None):
    """A task whose first round was finalised with the root of one model and the address of another; `state`: so too."""
    cids = [shelf.keep(blob) for blob in (stored, b"seeds", b"tops")]
    hints = ProposalManifest(*cids, shelf.keep(state[1]) if state else None)
    made = replace(aggregate(), model_root=vector_root(claimed), manifest=digest_of(shelf.keep(hints.to_bytes())))
    if state:
        made = replace(made, state_root=vector_root(state[0]))
    script = running()
    script.commit(1, 1, 0, 1, 2)
    script.freeze(1, 1, {0, 1, 2}, 5)
    script.say(ev.AggregateProposed(account(1), 1, 1, 1, 0, digest("proposal 1"), made, 2250))
    script.finalize(1, 1, 5)
    return script.say(ev.RoundOpened(2, 1, 2, 3, 9000))


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


def load_adams(shelf: Shelf, task, root: bytes):
    return asyncio.run(load_state(shelf, task, terms(rule="fedadam"), MANIFEST, root))


def test_the_chains_state_is_loaded_and_none_is_all_zero():
    shelf = Shelf()
    task = finished(shelf, model(5), model(5), (2 * model(3), 2 * model(3)))
    assert (load_adams(shelf, task, vector_root(2 * model(3))) == 3).all()
    zero = load_adams(shelf, task, bytes(32))
    assert (zero.shape, zero.any()) == ((2 * MANIFEST.model_lanes,), False)
    assert asyncio.run(load_state(shelf, task, terms(), MANIFEST, bytes(32))).size == 0


def test_another_state_than_the_chains_is_refused():
    shelf = Shelf()
    task = finished(shelf, model(5), model(5), (2 * model(3), 2 * model(4)))
    with pytest.raises(WrongModel):
        load_adams(shelf, task, vector_root(2 * model(3)))
    for root in (vector_root(2 * model(9)), vector_root(model(3))):
        with pytest.raises(NodeError, match="is no state of"):
            load_adams(shelf, task, root)
    with pytest.raises(NodeError, match="is no state of"):
        load_adams(shelf, finished(shelf, model(5), model(5)), aggregate().state_root)


@pytest.mark.parametrize(
    ("change", "what"), [({"pool": 1}, "pool"), ({"params": params(rounds=9)}, "params"), ({"tau": 1}, "law")]
)
def test_terms_that_are_not_the_contracts_are_refused(change, what):
    shelf = Shelf()
    promised = terms(manifest=MANIFEST.digest.hex(), **change)
    shelf.keep(promised.to_bytes())
    shelf.keep(MANIFEST.to_bytes())
    law = Law.of(terms(), MANIFEST).digest
    task = create(ev.TaskCreated(TASK, SPONSOR, promised.digest, law, bytes(32), ETHER, 0, params()))
    with pytest.raises(WrongTerms, match=f"say another {what} than its contract"):
        asyncio.run(load_terms(shelf, task))
