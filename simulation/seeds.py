"""An attempt in the modes that open sums by seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from foedus.aggregator.aggregate import opened_by_seeds
from foedus.aggregator.bundle import Envelope, Secrets, make_bundle
from foedus.aggregator.freeze import check_bundle, choose_survivors, find_disputes
from foedus.aggregator.keys import Random
from foedus.aggregator.layout import Layout
from foedus.aggregator.parts import Opened
from foedus.aggregator.unmask import UnmaskGuard, collect, release_shares, reveal
from foedus.protocol.chunks import Lanes
from foedus.protocol.ids import Position
from foedus.protocol.round import Commitment
from foedus.simulation.ports import Away, BrokenRound
from foedus.simulation.seating import Seating, sealed


@dataclass
class Published:
    """What committed participants put on the network, and the secrets that they keep."""

    commitments: dict[Position, Commitment] = field(default_factory=dict)
    envelopes: dict[Position, bytes] = field(default_factory=dict)
    vectors: dict[Position, bytes] = field(default_factory=dict)
    secrets: dict[Position, Secrets | None] = field(default_factory=dict)


def publish(layout: Layout, seating: Seating, updates: Mapping[Position, Lanes], random: Random) -> Published:
    """Everybody's bundle and commitment."""
    out = Published()
    for position, update in sorted(updates.items()):
        made = make_bundle(layout, seating.context, position, seating.keys[position], update, random)
        out.commitments[position], out.envelopes[position] = sealed(seating, position, made)
        out.vectors[position], out.secrets[position] = made.update_blob, made.secrets
    return out


@dataclass
class SeedAttempt:
    """The modes masked and plain."""

    layout: Layout
    seating: Seating
    random: Random

    def survivors(self, updates: Mapping[Position, Lanes], lanes: int, checkers: int) -> frozenset[Position]:
        """Publish and check all bundles, and choose whom to freeze. Raises TooFewSurvivors, BrokenRound."""
        self._published = publish(self.layout, self.seating, updates, self.random)
        self._envelopes = self._checked(lanes, checkers)
        disputes = find_disputes(self.layout, self._envelopes)
        if disputes:
            raise BrokenRound(f"honest participants disagree about their pair seeds: {sorted(disputes)}")
        return choose_survivors(self.layout, self._envelopes.keys(), disputes).survivors

    def opened(self, survivors: frozenset[Position], away: Away, guards: Mapping[Position, UnmaskGuard]) -> Opened:
        """What survivors reveal, and the committee for those who are away. Raises BrokenRound."""
        layout, context, keys = self.layout, self.seating.context, self.seating.keys
        absent = survivors & away.reveal
        reveals = []
        for position in sorted(survivors - absent):
            own = self._published.secrets[position]
            if own is not None:
                reveals.append(reveal(layout, context, survivors, position, own, keys[position], guards[position]))
        helpers = [p for p in layout.committee if p not in away.commit | away.reveal] if absent else []
        releases = [
            release_shares(layout, context, survivors, absent, self._envelopes, member, keys[member], guards[member])
            for member in helpers
        ]
        collected = collect(layout, context, survivors, self._envelopes, reveals, releases)
        if collected.faults:
            raise BrokenRound(f"honest seeds or shares were refused: {collected.faults}")
        return opened_by_seeds(layout, survivors, self._published.vectors, collected.seeds)

    def _checked(self, lanes: int, checkers: int) -> dict[Position, Envelope]:
        """Every bundle's envelope, after the checks of the first `checkers` committee members."""
        members = self.layout.committee[: max(checkers, 1)]
        envelopes: dict[Position, Envelope] = {}
        for position, commitment in self._published.commitments.items():
            for member in members:
                envelope, faults = check_bundle(
                    self.layout,
                    self.seating.context,
                    commitment,
                    self._published.envelopes[position],
                    self._published.vectors[position],
                    lanes,
                    (member, self.seating.keys[member]) if checkers else None,
                    self.random,
                )
                if faults or envelope is None:
                    raise BrokenRound(f"position {position}'s honest bundle failed: {faults}")
                envelopes[position] = envelope
        return envelopes
