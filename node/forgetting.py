"""Erases the secrets of rounds that are final; what was said of them stays on the chain and in the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from sqlite3 import OperationalError

import structlog

from foedus.node.journal import Journal
from foedus.protocol.events import Phase
from foedus.protocol.ids import Address, Opening
from foedus.protocol.round import Round
from foedus.protocol.task import Task

log = structlog.get_logger(__name__)


class Forgetting:
    """One task's: `look` at every tick. memories: what forgets a task's openings before one, beside the journal."""

    def __init__(self, journal: Journal, memories: Sequence[Callable[[Address, Opening], None]]) -> None:
        self._journal, self._memories = journal, memories
        self._erased, self._failing = Opening(0), False

    def look(self, task: Task, asked: Round | None) -> None:
        """Forget what nobody needs any more. asked: the oldest round whose secrets may yet have to be shown."""
        oldest = task.pending[0] if task.pending else task.round  # a task's end gives up the round under way
        if asked is not None and (oldest is None or asked.opening < oldest.opening):
            oldest = asked
        needed = oldest.opening if oldest is not None else Opening(task.opening + 1)
        if needed <= self._erased:
            return
        epoch = oldest.epoch if oldest is not None else task.epoch + (task.phase is not Phase.DRAW)
        try:
            self._journal.erase_before(task.address, needed, epoch)
        except OperationalError as error:  # a full disk: the next look may find it better
            if not self._failing:
                log.error("secrets not erased", task=task.address, why=str(error))
            self._failing = True
            return
        self._erased, self._failing = needed, False
        for forget_before in self._memories:
            forget_before(task.address, needed)
