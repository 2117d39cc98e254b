"""One attempt in mode `lightsecagg` in one process: real keys, bundles and parts; no chain, no network."""

from __future__ import annotations

from collections.abc import Collection
from copy import copy
from typing import Any

import numpy as np

from foedus.aggregator.aggregate import Outcome, aggregate
from foedus.aggregator.bundle import Prepared
from foedus.aggregator.lightsecagg import pieces
from foedus.aggregator.lightsecagg.mode import LightSecAgg, code_of, mode
from foedus.aggregator.modes import Bundle, GroupOpening
from foedus.aggregator.parts import Found, open_parts
from foedus.protocol.chunks import Lanes
from foedus.protocol.ids import Position
from tests.aggregator.conftest import World

MODE: LightSecAgg = mode()


class Light:
    """One attempt. Parts are kept by group and member."""

    def __init__(self, members: int = 5, *, changed: dict[str, object] | None = None, **world: Any) -> None:
        self.world = World(members, {"mode": "lightsecagg", **(changed or {})}, **world)
        self.layout, self.context = self.world.layout, self.world.context
        self.lanes = self.world.manifest.update_lanes
        self.code = code_of(self.layout, self.lanes)

    def copy(self) -> Light:
        """The same attempt, in which others may publish something else."""
        other = copy(self)
        other.world = copy(self.world)
        for name in ("prepared", "sealed", "commitments", "plain", "keys"):
            setattr(other.world, name, dict(getattr(self.world, name)))
        return other

    def prepare(self, me: Position, update: Lanes | None = None) -> Prepared:
        world = self.world
        world.plain[me] = world.encode() if update is None else update
        return MODE.prepare(self.layout, self.context, me, world.keys[me], world.plain[me], world.random, None)

    def publish(self, me: Position, made: Prepared, sealed: bytes | None = None) -> None:
        keep = self.world.blobs.keep
        cids = [keep(blob) for blob in made.beside]
        self.world.publish(me, made, made.seal(keep(made.update_blob), *cids) if sealed is None else sealed)

    def commit(self, among: Collection[int]) -> frozenset[Position]:
        for position in map(Position, among):
            self.publish(position, self.prepare(position))
        return frozenset(map(Position, among))

    def envelope(self, owner: Position) -> pieces.PieceEnvelope:
        read = MODE.check_envelope(self.layout, self.world.commitments[owner], self.world.sealed[owner])
        assert isinstance(read, pieces.PieceEnvelope)
        return read

    def bundle(self, owner: Position, me: Position | None) -> Bundle:
        envelope = self.envelope(owner)
        held = self.world.blobs.held
        beside = tuple(held[blob.cid] for blob in MODE.beside(self.layout, envelope, me, self.lanes))
        return Bundle(envelope, self.world.prepared[owner].update_blob, beside)

    def faults(self, owner: Position, me: Position | None) -> tuple[object, ...]:
        """What member `me` finds in a bundle."""
        world = self.world
        read = MODE.check_envelope(self.layout, world.commitments[owner], world.sealed[owner])
        if not isinstance(read, pieces.PieceEnvelope):
            return (read,)
        made = self.bundle(owner, me)
        wrong = MODE.check_vector(world.commitments[owner], made.vector, self.lanes)
        receiver = None if me is None else (me, world.keys[me])
        found = MODE.check_beside(self.layout, self.context, read, made.vector, made.beside, receiver)
        return (*((wrong,) if wrong is not None else ()), *found)

    def part(self, survivors: frozenset[Position], group: int, me: Position) -> bytes:
        inside = self.layout.members_of(group, survivors)
        bundles = {position: self.bundle(position, me) for position in inside}
        keys = self.world.keys[me]
        return MODE.part(self.layout, self.context, group, inside, bundles, me, keys, None, self.world.random)

    def parts(self, survivors: frozenset[Position], away: Collection[int] = ()) -> dict[tuple[int, Position], bytes]:
        there = [member for member in self.layout.committee if member not in away]
        groups = {self.layout.group(position) for position in survivors}
        return {(group, member): self.part(survivors, group, member) for group in groups for member in there}

    def open(self, survivors: frozenset[Position], parts: dict[tuple[int, Position], bytes]) -> Found:
        def bundles(group: int) -> dict[Position, Bundle]:
            return {p: self.bundle(p, None) for p in self.layout.members_of(group, survivors)}

        return open_parts(MODE, self.layout, self.context, survivors, bundles, parts, self.lanes)

    def opening(self, survivors: frozenset[Position], parts: dict[Position, bytes], group: int = 0) -> GroupOpening:
        bundles = {p: self.bundle(p, None) for p in self.layout.members_of(group, survivors)}
        members = self.layout.members_of(group, survivors)
        return MODE.open(self.layout, self.context, group, members, bundles, parts, self.lanes)

    def outcome(self, survivors: frozenset[Position], found: Found) -> Outcome:
        world = self.world
        start = (world.base_, world.state_)
        return aggregate(self.layout, world.terms_, world.manifest, *start, survivors, found.opened, 1)

    def due(self, survivors: frozenset[Position], group: int) -> Lanes:
        inside = self.layout.members_of(group, survivors)
        return np.sum([self.world.plain[p] for p in inside], axis=0, dtype=np.uint32)
