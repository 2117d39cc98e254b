"""An attempt in the modes where a few members open a whole group's sum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from foedus.aggregator.freeze import Fault, choose_survivors
from foedus.aggregator.keys import Random
from foedus.aggregator.layout import Layout
from foedus.aggregator.modes import Announcement, Bundle, VectorEnvelope, VectorMode
from foedus.aggregator.parts import Opened, PartKey, open_parts
from foedus.aggregator.unmask import UnmaskGuard, bind_survivors
from foedus.protocol.chunks import Lanes
from foedus.protocol.cids import block_cid
from foedus.protocol.ids import Cid, Hash32, Position
from foedus.simulation.ports import Away, BrokenRound
from foedus.simulation.seating import Seating, sealed


@dataclass
class VectorAttempt:
    """One attempt in such a mode."""

    mode: VectorMode
    layout: Layout
    seating: Seating
    random: Random
    _announced: dict[int, Announcement] = field(default_factory=dict)
    _envelopes: dict[Position, VectorEnvelope] = field(default_factory=dict)
    _blobs: dict[Cid, bytes] = field(default_factory=dict)
    _lanes: int = 0

    def survivors(self, updates: Mapping[Position, Lanes], lanes: int, checkers: int) -> frozenset[Position]:
        """Publish and check all bundles, and choose whom to freeze. Raises TooFewSurvivors, BrokenRound."""
        self._lanes = lanes
        for group in range(self.layout.groups.count):
            self._announce(group)
        for position, update in sorted(updates.items()):
            self._publish(position, update, lanes, checkers)
        return choose_survivors(self.layout, self._envelopes.keys(), ()).survivors

    def opened(self, survivors: frozenset[Position], away: Away, guards: Mapping[Position, UnmaskGuard]) -> Opened:
        """What the openers who are there make of every group. Raises BrokenRound."""
        layout, context = self.layout, self.seating.context
        parts: dict[PartKey, bytes] = {}
        for group in sorted({layout.group(position) for position in survivors}):
            for member in self.mode.openers(layout, context, group):
                if member in away.commit | away.reveal:
                    continue
                bind_survivors(layout, context, survivors, guards[member])
                parts[group, member] = self.mode.part(
                    layout,
                    context,
                    group,
                    layout.members_of(group, survivors),
                    self._bundles(survivors, group, member),
                    member,
                    self.seating.keys[member],
                    self._secret(group, member),
                    self.random,
                )
        found = open_parts(
            self.mode,
            layout,
            context,
            survivors,
            lambda group: self._bundles(survivors, group, None),
            parts,
            self._lanes,
        )
        if found.faults:
            raise BrokenRound(f"honest parts were refused: {found.faults}")
        return found.opened

    def _announcer(self, group: int) -> Position | None:
        return self.mode.announcer(self.layout, self.seating.context, group)

    def _secret(self, group: int, member: Position) -> bytes | None:
        return self._announced[group].secret if self._announcer(group) == member else None

    def _announce(self, group: int) -> None:
        layout, context, announcer = self.layout, self.seating.context, self._announcer(group)
        if announcer is None:
            return
        made = self.mode.announce(layout, context, group, announcer, self.seating.keys[announcer], self.random)
        why = self.mode.check_announcement(layout, context, group, made.public)
        if why is not None or len(made.public) > self.mode.announcement_limit(layout):
            raise BrokenRound(f"position {announcer}'s honest announcement failed: {why}")
        self._announced[group] = made
        self._keep(made.public)

    def _publish(self, position: Position, update: Lanes, lanes: int, checkers: int) -> None:
        """A participant's bundle, after the checks of the first `checkers` committee members."""
        layout, context, keys = self.layout, self.seating.context, self.seating.keys
        announced = self._announced.get(layout.group(position))
        made = self.mode.prepare(
            layout, context, position, keys[position], update, self.random, announced.public if announced else None
        )
        commitment, envelope = sealed(self.seating, position, made)
        for blob in (made.update_blob, *made.beside):
            self._keep(blob)
        read = self.mode.check_envelope(layout, commitment, envelope)
        wrong = self.mode.check_vector(commitment, made.update_blob, lanes)
        if wrong is not None or isinstance(read, Fault):
            raise BrokenRound(f"position {position}'s honest bundle failed: {wrong or read}")
        for member in layout.committee[:checkers]:
            beside = self._beside(read, member)
            secret = self._secret(layout.group(position), member)
            receiver = (member, keys[member])
            faults = self.mode.check_beside(layout, context, read, made.update_blob, beside, receiver, secret)
            if faults:
                raise BrokenRound(f"position {position}'s honest bundle failed: {faults}")
        self._envelopes[position] = read

    def _bundles(self, survivors: frozenset[Position], group: int, me: Position | None) -> dict[Position, Bundle]:
        members = [(p, self._envelopes[p]) for p in self.layout.members_of(group, survivors)]
        return {p: Bundle(e, self._blobs[e.update], self._beside(e, me)) for p, e in members}

    def _beside(self, envelope: VectorEnvelope, me: Position | None) -> tuple[bytes, ...]:
        return tuple(self._blobs[blob.cid] for blob in self.mode.beside(self.layout, envelope, me, self._lanes))

    def _keep(self, blob: bytes) -> None:
        self._blobs[block_cid(Hash32(sha256(blob).digest()))] = blob
