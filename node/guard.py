"""The unmask guard: one survivor set a round, for ever.

Two maskings of one update that are opened for different survivors can be subtracted, which leaves single updates. So
before a node reveals anything it binds the round (hence the base model) to the frozen bitmap, on disk, and for that
round never reveals for another: not after a crash, a reorganisation, or beside a second daemon on the same home.
"""

from __future__ import annotations

from foedus.node.errors import GuardRefused
from foedus.node.journal import Journal
from foedus.protocol.ids import Address
from foedus.protocol.task import Round


class UnmaskGuard:
    """Binds rounds of one task in the journal."""

    def __init__(self, journal: Journal, task: Address) -> None:
        self._journal = journal
        self._task = task

    def bind(self, round_: Round) -> None:
        """Bind the round to its frozen survivors. Raises GuardRefused where it is bound to others, or not frozen."""
        if round_.freeze is None:
            raise GuardRefused(round_.number, b"", b"")
        asked = (int(round_.attempt), round_.freeze.bitmap)
        bound = self._journal.bind(self._task, round_.number, round_.attempt, round_.freeze.bitmap)
        if bound != asked:
            raise GuardRefused(round_.number, bound[1], asked[1])
