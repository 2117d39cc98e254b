"""What the court says of one task, each event once: several parts of a node listen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from foedus.contracts.ledger import Ledger
from foedus.protocol.court import CourtEvent
from foedus.protocol.events import Logged
from foedus.protocol.ids import Address


class CourtFeed:
    """Reads on from where it stopped; from the task's creation at first."""

    def __init__(self, ledger: Ledger, task: Address, entries: Callable[[], Sequence[Logged]]) -> None:
        self._ledger, self._task, self._entries = ledger, task, entries
        self._next = 0

    async def fresh(self) -> list[CourtEvent]:
        """What was said since the last call. Raises ChainUnreachable."""
        if not self._next:
            self._next = self._entries()[0].point.block
        head = (await self._ledger.head()).number
        if head < self._next:
            return []
        events = await self._ledger.court_events(self._task, self._next, head)
        self._next = head + 1
        return events
