"""The unmask guard on disk: one survivor set for a round on a base model, for ever.

Two maskings of one update that are opened for different survivors can be subtracted, which leaves single updates. So
before a node reveals anything it binds the round and its base model to the frozen bitmap, in the journal, and for those
never reveals for another: not after a crash, a reorganisation, a refuted proposal, or beside a second daemon.

One case is no danger. A refuted proposal lets later rounds run again; where the corrected model is the same they run
on the same base, without the seats that convictions emptied. What the two sums then differ in is the convicted alone:
whoever lied. Who only kept a seed to itself may have been away, and is not given up like that.
"""

from __future__ import annotations

from collections.abc import Iterable

from foedus.aggregator.unmask import SecondFreeze
from foedus.node.journal import Journal
from foedus.protocol.commitments import Context
from foedus.protocol.events import Fault, Logged, ParticipantSlashed
from foedus.protocol.ids import ZERO32, Hash32, Position


class JournalGuard:
    """The aggregator's UnmaskGuard, kept in the journal.

    groups: the epoch's seed, which draws them; convicted: the seats of liars, as `liars` tells them.
    """

    def __init__(self, journal: Journal, groups: Hash32 = ZERO32, convicted: frozenset[Position] = frozenset()) -> None:
        self._journal, self._groups, self._convicted = journal, groups, convicted

    def bind(self, context: Context, survivors: bytes) -> None:
        """Bind the context's round and base to this set. Raises SecondFreeze where another set or attempt is bound."""
        place, word = (context.task, context.round, context.base_root), self._groups + survivors
        attempt, bound = self._journal.bind(*place, context.attempt, word)
        if (attempt, bound) == (context.attempt, word):
            return
        if not repeats(bound, word, self._convicted):
            raise SecondFreeze(context, bound[32:], survivors)
        self._journal.narrow(*place, context.attempt, word)


def liars(entries: Iterable[Logged]) -> frozenset[Position]:
    """The seats that convictions emptied, but for withheld seeds."""
    return frozenset(
        entry.event.position
        for entry in entries
        if isinstance(entry.event, ParticipantSlashed)
        and entry.event.seated
        and entry.event.fault is not Fault.WITHHELD_REVEAL
    )


def repeats(bound: bytes, word: bytes, convicted: frozenset[Position]) -> bool:
    """Whether survivors are those that were opened before, in the same groups, but for some of the convicted, of whom
    there are any. bound, word: the epoch's seed, then the bitmap."""
    before, now = int.from_bytes(bound[32:], "little"), int.from_bytes(word[32:], "little")
    gone = sum(1 << position for position in convicted)
    return bound[:32] == word[:32] and bool(convicted) and not now & ~before and not before & ~now & ~gone
