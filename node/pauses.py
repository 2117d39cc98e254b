"""Ending pauses that have lasted as long as pauses may: nobody's task is stopped for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from foedus.contracts.calls import Call
from foedus.contracts.errors import LedgerError
from foedus.contracts.steering import MAX_PAUSE_SECONDS, resume
from foedus.protocol.duties import STAGGER_SECONDS, turn
from foedus.protocol.events import Logged, Phase, TaskPaused
from foedus.protocol.ids import Address, Timestamp
from foedus.protocol.task import Task

log = structlog.get_logger(__name__)

PAUSE_SECONDS = 10.0
"""Between tries that fail."""

Send = Callable[[str, Call], Awaitable[object]]


def pause_ends(task: Task, entries: Sequence[Logged]) -> Timestamp | None:
    """When anyone may resume a task; None where it is not paused."""
    if task.phase is not Phase.PAUSED:
        return None
    began = [entry.event.since for entry in entries if isinstance(entry.event, TaskPaused)]
    return Timestamp(began[-1] + MAX_PAUSE_SECONDS - task.paused_seconds)


class Resumer:
    """Resumes one task when its pause is spent, after those whose turn is earlier had theirs."""

    def __init__(self, me: Address, entries: Callable[[], Sequence[Logged]], send: Send) -> None:
        self._me, self._entries, self._send = me, entries, send
        self._work: asyncio.Task[None] | None = None
        self._again_at = 0.0

    def look(self, task: Task, now: float) -> None:
        """Begin to resume where it is time."""
        ends = pause_ends(task, self._entries())
        if ends is None or now < ends + STAGGER_SECONDS * turn(task, self._me, task.opening) or now < self._again_at:
            return
        if self._work is None or self._work.done():
            self._again_at = now + PAUSE_SECONDS
            self._work = asyncio.create_task(self._resume(task, ends))

    def close(self) -> None:
        """Stop trying."""
        if self._work is not None:
            self._work.cancel()

    async def _resume(self, task: Task, ends: Timestamp) -> None:
        try:
            await self._send(f"resume/{ends}", resume(task.address))
            log.info("task resumed", task=task.address)
        except LedgerError as error:  # most often another was first, as the chain shows
            log.info("task not resumed", task=task.address, why=str(error))
