"""One opening in the mode `bfv` or `ckks`: real keys, ciphertexts, boxes and parts; no chain, no network."""

from __future__ import annotations

import random as random_module
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foedus.aggregator.bundle import Prepared
from foedus.aggregator.freeze import Fault
from foedus.aggregator.he import bfv
from foedus.aggregator.he.holders import Pair, holders
from foedus.aggregator.layout import Layout
from foedus.aggregator.modes import Announcement, Bundle, GroupOpening, vector_mode
from foedus.protocol.chunks import Lanes, padded, vector_root
from foedus.protocol.ids import ZERO32, Attempt, Opening, Position, RoundNumber
from foedus.protocol.round import Commitment
from foedus.protocol.terms import Mode
from foedus.simulation.seating import sealed, seat
from tests.aggregator.conftest import make_terms

MODE = bfv.mode()
LANES = 512


def lanes_of(*values: int, lanes: int = LANES) -> Lanes:
    """An update with these values in its first lanes."""
    out = np.zeros(padded(lanes), dtype=np.int32)
    out[: len(values)] = values
    return out.view(np.uint32)


def wild(seed: int, lanes: int = LANES, bound: int = 1 << 20) -> Lanes:
    """An update of random values within the bound."""
    drawn = np.random.default_rng(seed).integers(-bound, bound, lanes, endpoint=True)
    return drawn.astype(np.int32).view(np.uint32)


@dataclass
class Opened:
    """An opening of `members` participants in groups of `size`, in which everybody's key is announced."""

    members: int = 6
    size: int = 3
    attempt: int = 1
    seed: int = 1
    name: Mode = "bfv"
    announced: dict[int, Announcement] = field(default_factory=dict)
    prepared: dict[Position, Prepared] = field(default_factory=dict)
    commitments: dict[Position, Commitment] = field(default_factory=dict)
    sealed: dict[Position, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        mode = vector_mode(self.name)
        assert mode is not None
        self.mode = mode
        self.random = random_module.Random(self.seed).randbytes
        terms = make_terms(self.members, mode=self.name, group_size=self.size, max_value=1 << 20)
        numbers = (RoundNumber(1), Attempt(self.attempt), Opening(self.attempt))
        self.seating = seat(terms, self.members, *numbers, ZERO32, ZERO32, self.random)
        self.context, self.keys = self.seating.context, self.seating.keys
        self.layout = Layout.of(self.seating.round, terms)
        for group in range(self.layout.groups.count):
            self.announced[group] = self.announce(group)

    def pair(self, group: int = 0) -> Pair:
        return holders(self.layout, self.context)[group]

    def announce(self, group: int) -> Announcement:
        holder = self.pair(group).key
        return self.mode.announce(self.layout, self.context, group, holder, self.keys[holder], self.random)

    def table(self, group: int = 0) -> tuple[Position, ...]:
        return self.layout.tables[group]

    def prepare(self, me: Position, update: NDArray[np.uint32], public: bytes | None = None) -> Prepared:
        public = self.announced[self.layout.group(me)].public if public is None else public
        return self.mode.prepare(self.layout, self.context, me, self.keys[me], update, self.random, public)

    def commit(self, me: Position, update: NDArray[np.uint32], public: bytes | None = None) -> None:
        self.publish(me, self.prepare(me, update, public))

    def publish(self, me: Position, made: Prepared) -> None:
        self.prepared[me] = made
        self.commitments[me], self.sealed[me] = sealed(self.seating, me, made)

    def republish(self, me: Position, vector: bytes) -> None:
        """Commit to other ciphertexts under the same envelope's body."""
        self.publish(me, replace(self.prepared[me], update_blob=vector, update_root=vector_root(vector)))

    def envelope(self, me: Position) -> Any:
        read = self.mode.check_envelope(self.layout, self.commitments[me], self.sealed[me])
        assert not isinstance(read, Fault), read
        return read

    def check(self, me: Position, receiver: Position | None) -> tuple[object, ...]:
        """What a receiver finds in a bundle; a key holder with its secret."""
        group = self.layout.group(me)
        secret = self.announced[group].secret if receiver == self.pair(group).key else None
        who = None if receiver is None else (receiver, self.keys[receiver])
        vector = self.prepared[me].update_blob
        return self.mode.check_beside(self.layout, self.context, self.envelope(me), vector, (), who, secret)

    def bundles(self, survivors: tuple[Position, ...]) -> dict[Position, Bundle]:
        return {p: Bundle(self.envelope(p), self.prepared[p].update_blob) for p in survivors}

    def part(self, group: int, survivors: tuple[Position, ...], member: Position) -> bytes:
        return self.mode.part(
            self.layout,
            self.context,
            group,
            survivors,
            self.bundles(survivors),
            member,
            self.keys[member],
            self.announced[group].secret if member == self.pair(group).key else None,
            self.random,
        )

    def parts(self, group: int, survivors: tuple[Position, ...]) -> dict[Position, bytes]:
        openers = self.mode.openers(self.layout, self.context, group)
        return {member: self.part(group, survivors, member) for member in openers}

    def open(
        self, group: int, survivors: tuple[Position, ...], parts: dict[Position, bytes], lanes: int = LANES
    ) -> GroupOpening:
        return self.mode.open(self.layout, self.context, group, survivors, self.bundles(survivors), parts, lanes)

    def total(self, group: int, survivors: tuple[Position, ...], lanes: int = LANES) -> Lanes:
        """A group's sum, opened by honest parts."""
        found = self.open(group, survivors, self.parts(group, survivors), lanes)
        assert found.leaves is not None, found.faults
        return np.frombuffer(found.leaves.corrections[0], dtype=">u4").astype(np.uint32)
