"""Follows one task's log: polls, checks that what it folded is still the chain's, truncates and refolds where not."""

from __future__ import annotations

from dataclasses import dataclass

from foedus.contracts.errors import HeadImplausible, LogsIncoherent
from foedus.contracts.ledger import Head, Ledger
from foedus.protocol.events import Logged
from foedus.protocol.fold import apply, fold
from foedus.protocol.ids import Address, Hash32
from foedus.protocol.task import ImpossibleEvent, Task


@dataclass(frozen=True, slots=True)
class _Checkpoint:
    number: int
    hash: Hash32


class Follower:
    """The fold of one task's events up to the newest block to act on, see `Ledger.settled`."""

    def __init__(self, ledger: Ledger, task: Address, first_block: int, confirmations: int = 0) -> None:
        self._ledger = ledger
        self._task = task
        self._first = first_block
        self._confirmations = confirmations
        self._entries: list[Logged] = []
        self._seen: _Checkpoint | None = None
        self._done = False
        self.head: Head | None = None
        self.state: Task | None = None

    @property
    def entries(self) -> tuple[Logged, ...]:
        """Every event folded so far, oldest first."""
        return tuple(self._entries)

    async def poll(self) -> Task | None:
        """Catch up with the chain; None while it does not hold the task's creation yet.

        Raises ChainUnreachable, or WrongChain, EndpointsDiffer, HeadImplausible, LogsMissing and LogsIncoherent where
        what is said of the chain cannot be trusted now; after the last of them the next poll reads all again.
        """
        head = await self._ledger.head()
        if self.head is not None and self._done and head.hash == self.head.hash:
            return self.state
        self._done = False
        await self._ledger.require_chain()
        end = await self._ledger.settled(head, self._confirmations)
        if self._seen is not None and end.number < self._seen.number:
            remedy = "the endpoint is behind, or blocks were taken back: nothing is done until it has caught up"
            raise HeadImplausible("the newest block to act on", end.number, f"at least {self._seen.number}", remedy)
        await self._drop_orphans()
        self.head = head
        await self._fold_up_to(end)
        self._done = True
        return self.state

    async def _fold_up_to(self, end: Head) -> None:
        start = self._first if self._seen is None else self._seen.number + 1
        if end.number < start:
            return
        fresh = await self._ledger.task_events(self._task, start, end.number)
        self._entries.extend(fresh)
        try:
            if self.state is None:
                self.state = fold(self._entries) if self._entries else None
            else:
                for entry in fresh:
                    self.state = apply(self.state, entry)
        except ImpossibleEvent as error:
            self._entries, self._seen, self.state = [], None, None
            raise LogsIncoherent(self._task, end.number, error) from error
        self._seen = _Checkpoint(end.number, end.hash)

    async def _drop_orphans(self) -> None:
        """Forget what a reorganisation took back, newest first."""
        if self._seen is None or await self._ledger.block_hash(self._seen.number) == self._seen.hash:
            return
        while self._entries:
            point = self._entries[-1].point
            if await self._ledger.block_hash(point.block) == point.block_hash:
                break
            self._entries = [entry for entry in self._entries if entry.point.block != point.block]
        if self._entries:
            last = self._entries[-1].point
            self._seen = _Checkpoint(last.block, last.block_hash)
            self.state = fold(self._entries)
        else:
            self._seen, self.state = None, None
