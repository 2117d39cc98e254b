"""What of each participant's updates was ever opened: one release an opening whose set of survivors was frozen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from foedus.protocol.events import Logged, SurvivorsFrozen
from foedus.protocol.fold import apply, fold
from foedus.protocol.ids import Address, Attempt, Hash32, Opening, RoundNumber


@dataclass(frozen=True, slots=True)
class Release:
    """A frozen set: whether its sums were ever made, or its proposal fell, changes nothing of what may be known."""

    opening: Opening
    round: RoundNumber
    attempt: Attempt
    base: Hash32
    survivors: frozenset[Address]


def releases(entries: Iterable[Logged]) -> Iterator[Release]:
    """Every release of a task, oldest first. entries: its log from its creation on. Raises ImpossibleEvent."""
    state = None
    for entry in entries:
        state = fold([entry]) if state is None else apply(state, entry)
        round_ = state.round
        if isinstance(entry.event, SurvivorsFrozen) and round_ is not None:
            names = frozenset(round_.roster[position].address for position in round_.survivors)
            yield Release(round_.opening, round_.number, round_.attempt, round_.base_root, names)
