"""Follows every task of a deployment: the chain's log, folded by the protocol's own fold.

What was folded is checked against the chain before anything is added to it; after a reorganisation the log is read
again from the start, which is what a restart does too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from foedus.contracts.ledger import Head
from foedus.dashboard.stakes import Slash, note
from foedus.dashboard.timeline import Timeline, extend
from foedus.protocol.events import Logged, LogPoint, TaskCreated
from foedus.protocol.fold import apply
from foedus.protocol.ids import Address, Hash32
from foedus.protocol.task import ImpossibleEvent, Task, create


class Chain(Protocol):
    """What the follower asks of a ledger."""

    async def head(self) -> Head: ...

    async def block_hash(self, number: int) -> Hash32: ...

    async def tasks(self) -> list[tuple[LogPoint, TaskCreated]]: ...

    async def task_events(self, task: Address, from_block: int, to_block: int | None = None) -> list[Logged]: ...


@dataclass(frozen=True, slots=True)
class Followed:
    """A task: its whole log, the state that it folds to, the course of each attempt, and who was slashed."""

    created: LogPoint
    entries: tuple[Logged, ...]
    state: Task
    timelines: tuple[Timeline, ...] = ()
    slashes: tuple[Slash, ...] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The deployment as of one block; tasks by address, oldest first."""

    head: Head
    tasks: Mapping[Address, Followed] = field(default_factory=lambda: MappingProxyType({}))

    def find(self, address: str) -> Followed | None:
        """A task by its address in any case of letters."""
        return next((task for at, task in self.tasks.items() if at.lower() == address.lower()), None)


class Follower:
    """Makes each snapshot from the last."""

    def __init__(self) -> None:
        self._last: Snapshot | None = None

    async def poll(self, chain: Chain) -> Snapshot:
        """Catch up with the chain; the last snapshot itself where there is no new block.

        Raises what the ledger raises, and ImpossibleEvent where the RPC dropped logs: the next poll then reads all
        again.
        """
        head, last = await chain.head(), self._last
        if last is not None and head.hash == last.head.hash:
            return last
        if last is not None and not await _holds(chain, last.head):
            last = self._last = None
        try:
            self._last = Snapshot(head, MappingProxyType(await _read(chain, head, last)))
        except ImpossibleEvent:
            self._last = None
            raise
        return self._last


async def _holds(chain: Chain, head: Head) -> bool:
    """Whether a block seen before is still the chain's."""
    try:
        return await chain.block_hash(head.number) == head.hash
    except LookupError:
        return False


async def _read(chain: Chain, head: Head, last: Snapshot | None) -> dict[Address, Followed]:
    tasks: dict[Address, Followed] = {}
    for point, event in await chain.tasks():
        if point.block > head.number:
            continue
        known = last.tasks.get(event.task) if last is not None else None
        if known is None or last is None:
            tasks[event.task] = _fold(await chain.task_events(event.task, point.block, head.number))
        else:
            tasks[event.task] = _advance(known, await chain.task_events(event.task, last.head.number + 1, head.number))
    return tasks


def _fold(entries: Sequence[Logged]) -> Followed:
    if not entries or not isinstance(entries[0].event, TaskCreated):
        raise ImpossibleEvent("a task's log that does not begin with TaskCreated")
    first = entries[0]
    return _advance(Followed(first.point, (first,), create(entries[0].event)), entries[1:])


def _advance(known: Followed, fresh: Sequence[Logged]) -> Followed:
    if not fresh:
        return known
    state, timelines, slashes = known.state, known.timelines, known.slashes
    for entry in fresh:
        state = apply(state, entry)
        timelines = extend(timelines, entry, state)
        slashes = note(slashes, entry)
    return Followed(known.created, (*known.entries, *fresh), state, timelines, slashes)
