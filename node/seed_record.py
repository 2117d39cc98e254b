"""The seeds that were asked for through the court, and those that it was shown: public, whoever they are of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from foedus.aggregator.bundle import Envelope
from foedus.aggregator.layout import Layout
from foedus.aggregator.messages import Reveal, reveal_place
from foedus.aggregator.unmask import seed_fits
from foedus.protocol.commitments import Context
from foedus.protocol.court import CourtEvent, DemandAnswered, DemandLapsed, RevealDemand, RevealDemanded, SeedRevealed
from foedus.protocol.ids import Address, Hash32, Opening, Position, Seed
from foedus.protocol.round import Round


class SeedRecord:
    """One task's record. open: the demands that nobody answered yet, by name."""

    def __init__(self) -> None:
        self.open: dict[Hash32, RevealDemanded] = {}
        self._asked: set[tuple[Hash32, Position]] = set()
        self._shown: dict[Opening, dict[tuple[Address, Position], Seed]] = {}

    def hear(self, events: Iterable[CourtEvent]) -> None:
        """Take in what the court said, in order."""
        for event in events:
            match event:
                case RevealDemanded():
                    self.open[event.demand] = event
                    self._asked.add(_seed_of(event.asked))
                case DemandAnswered() | DemandLapsed():
                    self.open.pop(event.demand, None)
                case SeedRevealed() if any(event.seed):
                    self._shown.setdefault(event.opening, {})[event.owner, event.other] = event.seed
                case _:
                    pass

    def was_asked(self, seeds_root: Hash32, other: Position) -> bool:
        """Whether the seed that a commitment has for `other` was ever asked for."""
        return (seeds_root, other) in self._asked

    def reveals(
        self, round_: Round, layout: Layout, context: Context, envelopes: Mapping[Position, Envelope]
    ) -> list[Reveal]:
        """A round's seeds that were shown, as if their owners had sent them; those alone that were committed."""
        found: list[Reveal] = []
        for (account, other), seed in self._shown.get(round_.opening, {}).items():
            owner = next((p for p, member in round_.roster.items() if member.address == account), None)
            if owner is None or owner not in envelopes or other not in layout.roster:
                continue
            row = layout.row(other)
            if row in envelopes[owner].rows and seed_fits(layout, context, envelopes[owner], row, seed):
                found.append(Reveal(reveal_place(context), owner, ((row, seed),)))
        return found


def _seed_of(asked: RevealDemand) -> tuple[Hash32, Position]:
    return asked.seeds_root, asked.other
