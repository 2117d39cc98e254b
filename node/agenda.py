"""Keeps one coroutine running for each duty owed, and none for duties that are not.

A duty that failed is tried again after a pause that doubles; one that was done but is still owed is done again after a
while: the chain may have dropped what it was sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

import structlog

from foedus.protocol.duties import Duty

log = structlog.get_logger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds between tries of a duty that fails."""
REPEAT_AFTER = 10.0
"""Seconds after which a duty that was done and is still owed is done again."""


@dataclass(slots=True)
class _Entry:
    work: asyncio.Task[None]
    pause: float = FIRST_PAUSE
    again_at: float = field(default=0.0)


class Agenda:
    """The running duties of one task."""

    def __init__(self, perform: Callable[[Duty], Awaitable[None]], clock: Callable[[], float]) -> None:
        self._perform, self._clock = perform, clock
        self._entries: dict[tuple[int, Duty], _Entry] = {}

    def set(self, epoch: int, owed: Iterable[Duty]) -> None:
        """What is owed now. `epoch` tells equal duties of different openings apart."""
        wanted = {(epoch, duty) for duty in owed}
        for key in self._entries.keys() - wanted:
            self._entries.pop(key).work.cancel()
        for key in wanted:
            entry = self._entries.get(key)
            if entry is None:
                self._entries[key] = _Entry(asyncio.create_task(self._perform(key[1])))  # type: ignore[arg-type]
            elif entry.work.done() and not entry.again_at:
                self._settle(key[1], entry)
            elif entry.work.done() and self._clock() >= entry.again_at:
                entry.again_at = 0.0
                entry.work = asyncio.create_task(self._perform(key[1]))  # type: ignore[arg-type]

    def _settle(self, duty: Duty, entry: _Entry) -> None:
        failure = None if entry.work.cancelled() else entry.work.exception()
        if failure is None:
            entry.again_at, entry.pause = self._clock() + REPEAT_AFTER, FIRST_PAUSE
            return
        log.warning("duty failed", duty=type(duty).__name__, error=str(failure), kind=type(failure).__name__)
        entry.again_at = self._clock() + entry.pause
        entry.pause = min(2 * entry.pause, LONGEST_PAUSE)

    async def drain(self, seconds: float) -> None:
        """Let what runs end by itself for so long, then cancel the rest."""
        running = [entry.work for entry in self._entries.values() if not entry.work.done()]
        self._entries.clear()
        if not running:
            return
        _, late = await asyncio.wait(running, timeout=seconds)
        for work in late:
            work.cancel()
        await asyncio.gather(*running, return_exceptions=True)
