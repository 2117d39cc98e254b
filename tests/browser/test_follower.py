"""However the chain moves, what is shown is the fold of the chain as it stands."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foedus.contracts.ledger import Head
from foedus.dashboard.follower import Follower, Snapshot
from foedus.dashboard.timeline import Outcome
from foedus.protocol.events import Logged, LogPoint, TaskCreated
from foedus.protocol.fold import fold
from foedus.protocol.ids import Address, Hash32, Timestamp
from foedus.protocol.task import ImpossibleEvent
from tests.browser.scripted import finished
from tests.protocol.samples import TASK, Script, account

FORK = 13
"""The first block that the two branches do not share: after the first two commits."""


@dataclass
class FakeChain:
    """Two branches of one chain, and which of them stands how high. dropped: blocks whose logs go missing."""

    branches: tuple[Script, ...] = field(default_factory=lambda: (finished([2, 3]), finished([4, 3])))
    branch: int = 0
    height: int = 0
    dropped: frozenset[int] = frozenset()

    def name(self, number: int) -> Hash32:
        branch = self.branch if number >= FORK else 0
        return Hash32(sha256(f"{branch} {number}".encode()).digest())

    @property
    def entries(self) -> list[Logged]:
        log = self.branches[self.branch].log
        rehashed = [
            replace(entry, point=replace(entry.point, block_hash=self.name(entry.point.block))) for entry in log
        ]
        return [entry for entry in rehashed if entry.point.block <= self.height]

    async def head(self) -> Head:
        return Head(self.height, self.name(self.height), Timestamp(1000 + self.height))

    async def block_hash(self, number: int) -> Hash32:
        if number > self.height:
            raise LookupError(number)
        return self.name(number)

    async def tasks(self) -> list[tuple[LogPoint, TaskCreated]]:
        return [(entry.point, entry.event) for entry in self.entries if isinstance(entry.event, TaskCreated)]

    async def task_events(self, task: Address, from_block: int, to_block: int | None = None) -> list[Logged]:
        last = self.height if to_block is None else to_block
        wanted = [entry for entry in self.entries if from_block <= entry.point.block <= last]
        return [entry for entry in wanted if entry.point.block not in self.dropped]


def poll(follower: Follower, chain: FakeChain) -> Snapshot:
    return asyncio.run(follower.poll(chain))


HIGHEST = min(branch.log[-1].point.block for branch in FakeChain().branches)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, HIGHEST)), max_size=8))
@settings(deadline=None, max_examples=30)
def test_a_reorganisation_leaves_no_trace(moves: list[tuple[int, int]]) -> None:
    follower, chain = Follower(), FakeChain()
    for chain.branch, chain.height in moves:
        seen, anew = poll(follower, chain), poll(Follower(), chain)
        assert seen == anew
        if chain.entries:
            assert seen.tasks[TASK].entries == tuple(chain.entries)
            assert seen.tasks[TASK].state == fold(chain.entries)


def test_a_reading_without_a_new_block_is_the_same_reading() -> None:
    follower, chain = Follower(), FakeChain(height=HIGHEST)
    assert poll(follower, chain) is poll(follower, chain)


def test_a_dropped_log_is_noticed_and_read_again() -> None:
    follower, chain = Follower(), FakeChain(height=9)
    poll(follower, chain)
    chain.height, chain.dropped = 16, frozenset({10})
    with pytest.raises(ImpossibleEvent):
        poll(follower, chain)
    chain.dropped = frozenset()
    assert poll(follower, chain).tasks[TASK].state == fold(chain.entries)


def test_attempts_that_were_given_up_are_remembered_with_the_reason() -> None:
    lines = poll(Follower(), FakeChain(height=HIGHEST)).tasks[TASK].timelines
    assert [(line.round.number, line.outcome, line.reason) for line in lines] == [
        (1, Outcome.FINALIZED, ""),
        (2, Outcome.ABORTED, "TOO_FEW_COMMITS"),
    ]
    assert lines[0].round.commitments[0].participant == account(0)
    assert lines[0].finalized is not None
    assert lines[1].finalized is None
    assert [moment.event for moment in lines[1].moments] == ["RoundOpened", "AttemptAborted"]
