"""One attempt in the mode rlwe: bundles, envelopes, parts, and the sum that they open."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from foedus.aggregator.aggregate import Outcome, aggregate
from foedus.aggregator.bundle import Prepared
from foedus.aggregator.freeze import Fault
from foedus.aggregator.modes import Bundle, GroupOpening
from foedus.aggregator.parts import Found, open_parts
from foedus.aggregator.rlwe.envelope import RlweEnvelope
from foedus.aggregator.rlwe.mode import Rlwe, mode
from foedus.protocol.chunks import Lanes
from foedus.protocol.ids import Position
from tests.aggregator.conftest import World


@dataclass
class Scene:
    """The participants of `world` but `out` have committed, and their bundles were read."""

    world: World
    out: Collection[int] = ()
    updates: Mapping[int, Lanes] = field(default_factory=dict)
    mode: Rlwe = field(default_factory=mode)

    def __post_init__(self) -> None:
        for position in self.world.positions:
            if position not in self.out:
                self.commit(position, self.updates.get(position))

    @property
    def survivors(self) -> frozenset[Position]:
        return frozenset(self.world.prepared)

    def prepare(self, position: Position, update: Lanes) -> Prepared:
        world = self.world
        return self.mode.prepare(world.layout, world.context, position, world.keys[position], update, os.urandom, None)

    def commit(self, position: Position, update: Lanes | None = None, prepared: Prepared | None = None) -> None:
        world = self.world
        world.plain[position] = world.encode() if update is None else update
        made = prepared or self.prepare(position, world.plain[position])
        world.publish(position, made, made.seal(world.blobs.keep(made.update_blob)))
        read = self.read(position)
        assert isinstance(read, RlweEnvelope)
        world.envelopes[position] = read

    def read(self, position: Position, sealed: bytes | None = None) -> RlweEnvelope | Fault:
        commitment = self.world.commitments[position]
        blob = self.world.sealed[position] if sealed is None else sealed
        return self.mode.check_envelope(self.world.layout, commitment, blob)

    def faults(self, position: Position, member: Position) -> tuple[Fault, ...]:
        """What a member finds in what it was dealt."""
        world = self.world
        receiver = (member, world.keys[member])
        envelope, vector = world.envelopes[position], world.prepared[position].update_blob
        return self.mode.check_beside(world.layout, world.context, envelope, vector, (), receiver)

    def bundles(self, group: int = 0) -> dict[Position, Bundle]:
        world = self.world
        members = world.layout.members_of(group, self.survivors)
        return {p: Bundle(world.envelopes[p], world.prepared[p].update_blob) for p in members}

    def part(self, member: Position, group: int = 0) -> bytes:
        world, bundles = self.world, self.bundles(group)
        args = (world.layout, world.context, group, list(bundles), bundles)
        return self.mode.part(*args, member, world.keys[member], None, os.urandom)

    def parts(self, members: Collection[int] | None = None, group: int = 0) -> dict[Position, bytes]:
        chosen = self.world.layout.committee if members is None else [Position(member) for member in members]
        return {member: self.part(member, group) for member in chosen}

    def open(self, parts: Mapping[Position, bytes], group: int = 0) -> GroupOpening:
        world, bundles = self.world, self.bundles(group)
        lanes = world.manifest.update_lanes
        return self.mode.open(world.layout, world.context, group, list(bundles), bundles, parts, lanes)

    def found(self, members: Collection[int] | None = None) -> Found:
        """All groups, opened by the same members."""
        world = self.world
        groups = {world.layout.group(position) for position in self.survivors}
        parts = {(group, member): part for group in groups for member, part in self.parts(members, group).items()}
        lanes = world.manifest.update_lanes
        return open_parts(self.mode, world.layout, world.context, self.survivors, self.bundles, parts, lanes)

    def outcome(self, members: Collection[int] | None = None) -> Outcome:
        world = self.world
        start = (world.base_, world.state_)
        opened = self.found(members).opened
        return aggregate(world.layout, world.terms_, world.manifest, *start, self.survivors, opened)

    def due(self, group: int = 0) -> Lanes:
        """The plain sum of a group's survivors."""
        members = self.world.layout.members_of(group, self.survivors)
        return np.sum([self.world.plain[p] for p in members], axis=0, dtype=np.uint32)


def scene(
    members: int = 7, out: Collection[int] = (), updates: Mapping[int, Lanes] | None = None, **world: object
) -> Scene:
    settings = {"mode": "rlwe", **world.pop("settings", {})}
    return Scene(World(members, settings=settings, **world), out, updates or {})


def opened_sum(found: GroupOpening) -> Lanes:
    """Stored vectors and correction, added up."""
    assert found.leaves is not None
    blobs = [*found.leaves.updates.values(), *found.leaves.corrections.values()]
    return np.sum([np.frombuffer(blob, dtype=">u4") for blob in blobs], axis=0, dtype=np.uint32)
