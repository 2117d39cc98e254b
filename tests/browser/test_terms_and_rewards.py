"""What comes from the store and what is computed from it: nothing hostile gets through, nothing wrong looks right."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, replace
from hashlib import sha256
from typing import Any

import pytest

from foedus.contracts.ledger import Ledger
from foedus.dashboard.library import RETRY_SECONDS, Library, NoTerms
from foedus.dashboard.rewards import rewards_of
from foedus.dashboard.service import NOBODY
from foedus.protocol.cids import block_cid
from foedus.protocol.events import TaskCreated
from foedus.protocol.fold import fold
from foedus.protocol.ids import Cid, Hash32, Wei
from foedus.protocol.ports import BlobMissing
from foedus.protocol.task import Task, create
from foedus.protocol.terms import Terms
from tests.browser.history import Told
from tests.contracts.chain import TREASURY
from tests.protocol.samples import SPONSOR, TASK, account, digest, terms


class Shelf:
    """Blobs by digest, without a check of anything."""

    def __init__(self) -> None:
        self.held: dict[Cid, bytes] = {}
        self.asked = 0

    async def get(self, cid: Cid, limit: int) -> bytes:
        self.asked += 1
        if cid not in self.held:
            raise BlobMissing(cid)
        return self.held[cid]

    async def put(self, blob: bytes) -> Cid:
        cid = block_cid(Hash32(sha256(blob).digest()))
        self.held[cid] = blob
        return cid


def task_of(blob: bytes, good: Terms) -> Task:
    marks = (Hash32(sha256(blob).digest()), digest("law"), digest("model"), NOBODY, Wei(good.pool), good.params)
    return create(TaskCreated(TASK, SPONSOR, *marks))


def canonical(**changes: Any) -> bytes:
    return json.dumps({**asdict(terms()), **changes}, sort_keys=True, separators=(",", ":")).encode()


def read(blob: bytes) -> Terms | NoTerms:
    shelf = Shelf()
    library, task = Library(shelf), task_of(blob, terms())
    asyncio.run(shelf.put(blob))
    assert asyncio.run(library.read([task]))
    return library.terms(task)


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"\xff",
        b"[]",
        b"[" * 50_000,
        canonical(config=[]),
        canonical(model_cid=5),
        canonical(name=None),
        canonical(pool=1),
        canonical(params={**asdict(terms().params), "rounds": 9}),
    ],
)
def test_hostile_terms_are_wrong_and_nothing_more(blob: bytes) -> None:
    found = read(blob)
    assert isinstance(found, NoTerms)
    assert found.wrong


def test_terms_that_fit_are_known() -> None:
    assert read(terms().to_bytes()) == terms()


def test_missing_terms_are_asked_for_again_and_are_not_wrong() -> None:
    now, shelf = 0.0, Shelf()
    library, task = Library(shelf, lambda: now), task_of(terms().to_bytes(), terms())
    asyncio.run(library.read([task]))
    found = library.terms(task)
    assert isinstance(found, NoTerms)
    assert not found.wrong
    asyncio.run(library.read([task]))
    assert shelf.asked == 1
    asyncio.run(shelf.put(terms().to_bytes()))
    now = RETRY_SECONDS
    assert asyncio.run(library.read([task]))
    assert library.terms(task) == terms()
    now = 9 * RETRY_SECONDS
    assert not asyncio.run(library.read([task]))
    assert shelf.asked == 2


def played(told: Told) -> Task:
    """The played task as the chain tells it."""

    async def ask() -> Task:
        async with await Ledger.connect(told.world.url, told.world.deployment) as ledger:
            return fold(await ledger.task_events(told.played, 0))

    return asyncio.run(ask())


def test_rewards_that_the_chain_does_not_pay_by_are_told(told: Told) -> None:
    task, promised = played(told), told.terms
    assert promised is not None
    honest = rewards_of(task, promised, TREASURY)
    assert honest is not None
    assert honest.match(task)
    for changed in (
        replace(task, payout_root=digest("another")),
        replace(task, payout_total=Wei(task.payout_total + 1)),
    ):
        found = rewards_of(changed, promised, TREASURY)
        assert found is not None
        assert not found.match(changed)
    last = task.finished[-1]
    assert last.proposal is not None
    odd = replace(last, proposal=replace(last.proposal, aggregator=account(99)))
    assert rewards_of(replace(task, finished=(task.finished[0], odd)), promised, TREASURY) is None


def test_a_pending_round_pays_nothing_yet(told: Told) -> None:
    task, promised = played(told), told.terms
    assert promised is not None
    first, second = task.finished
    waiting = replace(task, finished=(first,), pending=(second,))
    alone, both = rewards_of(waiting, promised, TREASURY), rewards_of(task, promised, TREASURY)
    assert alone is not None
    assert both is not None
    assert (alone.total, both.total) == (promised.pool // 2, promised.pool)
