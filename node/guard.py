"""The unmask guard on disk: one survivor set a round, for ever.

Two maskings of one update that are opened for different survivors can be subtracted, which leaves single updates. So
before a node reveals anything it binds the round (hence the base model) to the frozen bitmap, in the journal, and for
that round never reveals for another: not after a crash, a reorganisation, or beside a second daemon on the same home.
"""

from __future__ import annotations

from foedus.aggregator.unmask import SecondFreeze
from foedus.node.journal import Journal
from foedus.protocol.commitments import Context


class JournalGuard:
    """The aggregator's UnmaskGuard, kept in the journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def bind(self, context: Context, survivors: bytes) -> None:
        """Bind the context's round to this set. Raises SecondFreeze where another set or attempt is bound."""
        attempt, bound = self._journal.bind(context.task, context.round, context.attempt, survivors)
        if (attempt, bound) != (context.attempt, survivors):
            raise SecondFreeze(context, bound, survivors)
