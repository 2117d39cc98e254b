"""Follows one task's log: polls, checks that what it folded is still the chain's, truncates and refolds where not."""

from __future__ import annotations

from dataclasses import dataclass

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
    """The fold of one task's events up to `confirmations` blocks below the head."""

    def __init__(self, ledger: Ledger, task: Address, first_block: int, confirmations: int = 0) -> None:
        self._ledger = ledger
        self._task = task
        self._first = first_block
        self._confirmations = confirmations
        self._entries: list[Logged] = []
        self._seen: _Checkpoint | None = None
        self.head: Head | None = None
        self.state: Task | None = None

    @property
    def entries(self) -> tuple[Logged, ...]:
        """Every event folded so far, oldest first."""
        return tuple(self._entries)

    async def poll(self) -> Task | None:
        """Catch up with the chain; None while it does not hold the task's creation yet.

        Raises ChainUnreachable; ImpossibleEvent where the RPC dropped logs, after which the next poll reads all again.
        """
        head = await self._ledger.head()
        self.head = head
        if self._seen is not None and head.hash == self._seen.hash:
            return self.state
        await self._drop_orphans()
        start = self._first if self._seen is None else self._seen.number + 1
        end = head.number - self._confirmations
        if end < start:
            return self.state
        end_hash = head.hash if end == head.number else await self._ledger.block_hash(end)
        fresh = await self._ledger.task_events(self._task, start, end)
        self._entries.extend(fresh)
        try:
            if self.state is None:
                self.state = fold(self._entries) if self._entries else None
            else:
                for entry in fresh:
                    self.state = apply(self.state, entry)
        except ImpossibleEvent:
            self._entries, self._seen, self.state = [], None, None
            raise
        self._seen = _Checkpoint(end, end_hash)
        return self.state

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
