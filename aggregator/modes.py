"""Modes in which a few members open a whole group's sum, and what each such mode has to say for itself.

In `masked` and `plain` a sum is opened by seeds. In the modes here (*vector modes*) the openers of a group, who follow
from the seating, each compute one *part* of its sum once the survivors are frozen; enough parts open the sum and no
single update. Everything else is the same for all modes: bundles, commitments, the freeze, the sum tree, the rule, the
audit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Protocol

from foedus.aggregator.bundle import Prepared
from foedus.aggregator.freeze import Fault
from foedus.aggregator.keys import Random, RoundKeys
from foedus.aggregator.layout import Layout
from foedus.aggregator.sumtree import GroupLeaves
from foedus.protocol.chunks import Lanes
from foedus.protocol.commitments import Context
from foedus.protocol.ids import Cid, Position
from foedus.protocol.round import Commitment
from foedus.protocol.terms import SEED_MODES, Mode


class VectorEnvelope(Protocol):
    """A parsed envelope, whatever the mode."""

    @property
    def owner(self) -> Position: ...

    @property
    def update(self) -> Cid:
        """Where the stored vector is."""
        ...


@dataclass(frozen=True, slots=True)
class Blob:
    """A blob that goes with an envelope. limit: the most bytes that it may have."""

    cid: Cid
    limit: int


@dataclass(frozen=True, slots=True)
class Bundle:
    """A survivor's bundle, fetched and checked. vector: as stored; beside: the blobs that `VectorMode.beside` names, in
    its order."""

    envelope: VectorEnvelope
    vector: bytes = field(repr=False)
    beside: tuple[bytes, ...] = field(default=(), repr=False)


class NoPart(ValueError):
    """A group's sum that I cannot help to open, or must not: the message says why."""


@dataclass(frozen=True, slots=True)
class WrongPart:
    """An opener's part that does not fit the others, or cannot be read."""

    member: Position
    group: int
    why: str


@dataclass(frozen=True, slots=True)
class GroupOpening:
    """What the parts at hand make of a group. leaves: what stands in its sum tree, None while it does not open; used:
    the openers whose parts made them, in order; wanted: the openers whose parts are missing or wrong."""

    leaves: GroupLeaves | None
    used: tuple[Position, ...] = ()
    wanted: tuple[Position, ...] = ()
    faults: tuple[WrongPart, ...] = ()


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a member publishes before anybody can commit. secret: its own, written down before `public` leaves it."""

    public: bytes
    secret: bytes = field(repr=False)


class VectorMode(Protocol):
    """One mode. Pure: randomness is an argument, and the same arguments give the same bytes."""

    name: Mode

    def announcer(self, layout: Layout, context: Context, group: int) -> Position | None:
        """Who must publish a key before a group's participants can commit; None where the mode needs none."""
        ...

    def announce(
        self, layout: Layout, context: Context, group: int, me: Position, keys: RoundKeys, random: Random
    ) -> Announcement:
        """A fresh key for one group and opening. Raises WrongKeys."""
        ...

    def check_announcement(self, layout: Layout, context: Context, group: int, public: bytes) -> str | None:
        """Why an announcement cannot be used; None where it can. For its receiver: it may be anybody's bytes."""
        ...

    def announcement_limit(self, layout: Layout) -> int:
        """The most bytes that an announcement has."""
        ...

    def prepare(
        self,
        layout: Layout,
        context: Context,
        me: Position,
        keys: RoundKeys,
        update: Lanes,
        random: Random,
        announced: bytes | None,
    ) -> Prepared:
        """Hide an update. update: uint32, shape (update_lanes,); announced: the checked announcement for my group.

        Raises WrongKeys, MalformedLanes.
        """
        ...

    def check_envelope(self, layout: Layout, commitment: Commitment, blob: bytes) -> VectorEnvelope | Fault:
        """The envelope as fetched: digest, form, and what it says under `seeds_root`."""
        ...

    def vector_limit(self, lanes: int) -> int:
        """The most bytes that the stored vector of an update of `lanes` lanes has."""
        ...

    def check_vector(self, commitment: Commitment, blob: bytes, lanes: int) -> Fault | None:
        """Whether a stored vector as fetched has the right form and the committed root."""
        ...

    def beside(self, layout: Layout, envelope: VectorEnvelope, me: Position | None, lanes: int) -> tuple[Blob, ...]:
        """The further blobs that `me` needs to check this bundle and to open its group; None: an auditor."""
        ...

    def check_beside(
        self,
        layout: Layout,
        context: Context,
        envelope: VectorEnvelope,
        vector: bytes,
        beside: Sequence[bytes],
        receiver: tuple[Position, RoundKeys] | None,
        secret: bytes | None = None,
    ) -> tuple[Fault, ...]:
        """What is wrong with those blobs, and with what the bundle holds for the receiver alone (position, keys).

        vector: as checked; secret: of the receiver's announcement for the owner's group, if it made one.
        """
        ...

    def may_aggregate(self, layout: Layout, context: Context, position: Position) -> bool:
        """Whether this position may propose the round's aggregate."""
        ...

    def openers(self, layout: Layout, context: Context, group: int) -> tuple[Position, ...]:
        """Whose parts can open a group's sum, in order."""
        ...

    def part(
        self,
        layout: Layout,
        context: Context,
        group: int,
        survivors: Sequence[Position],
        bundles: Mapping[Position, Bundle],
        me: Position,
        keys: RoundKeys,
        secret: bytes | None,
        random: Random,
    ) -> bytes:
        """My part of a group's sum. survivors: of the group, in row order; secret: of my announcement for this group.

        Called only once the freeze is final and the guard is bound; what it gives is public. Raises NoPart.
        """
        ...

    def part_limit(self, layout: Layout, lanes: int) -> int:
        """The most bytes that a part has."""
        ...

    def open(
        self,
        layout: Layout,
        context: Context,
        group: int,
        survivors: Sequence[Position],
        bundles: Mapping[Position, Bundle],
        parts: Mapping[Position, bytes],
        lanes: int,
    ) -> GroupOpening:
        """What the parts at hand make of a group's sum. bundles need only what an auditor has."""
        ...


class Unannounced:
    """A mode in which nobody announces anything: what is dealt is sealed to keys that the chain has."""

    def announcer(self, layout: Layout, context: Context, group: int) -> Position | None:
        """Nobody."""
        return None

    def announce(
        self, layout: Layout, context: Context, group: int, me: Position, keys: RoundKeys, random: Random
    ) -> Announcement:
        """Never asked for."""
        raise ValueError("nothing is announced in this mode")

    def check_announcement(self, layout: Layout, context: Context, group: int, public: bytes) -> str | None:
        return "nothing is announced in this mode"

    def announcement_limit(self, layout: Layout) -> int:
        return 0


ROOMS: dict[Mode, str] = {"lightsecagg": "lightsecagg.mode", "rlwe": "rlwe.mode", "bfv": "he.bfv", "ckks": "he.ckks"}
"""Where each mode is: imported where it is asked for."""


def vector_mode(name: Mode) -> VectorMode | None:
    """The mode of this name; None for those that open sums by seeds."""
    if name in SEED_MODES:
        return None
    made: Callable[[], VectorMode] = import_module(f"foedus.aggregator.{ROOMS[name]}").mode
    return made()


def require_libraries(name: Mode) -> None:
    """Raises HeMissing where whoever takes part in such a task lacks what encrypts."""
    if name in ("bfv", "ckks"):
        import_module("foedus.aggregator.he.seal").tenseal()
