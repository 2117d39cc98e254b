"""The parts that a proposal's sums were opened with, in one canonical blob: the vector modes' list of what is public.

    4 B  version
    then for each part, by group and position: 2 B group, 2 B position, 4 B length, the part

`unmask_root` is the Merkle root over the parts, each with its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from foedus.aggregator.layout import Layout
from foedus.aggregator.modes import Bundle, GroupOpening, VectorMode, WrongPart, vector_mode
from foedus.aggregator.sumtree import GroupLeaves
from foedus.aggregator.unmasked import unmask_limit
from foedus.protocol.commitments import Context
from foedus.protocol.ids import Hash32, Position
from foedus.protocol.merkle import merkle_root
from foedus.protocol.terms import Mode

VERSION = b"FDW\x01"
_HEAD = 8

PartKey = tuple[int, Position]
"""A part: of which group's sum, and whose."""


class MalformedParts(ValueError):
    """Bytes that are no canonical list of parts of this seating."""


def _rows(parts: Mapping[PartKey, bytes]) -> list[bytes]:
    return [
        group.to_bytes(2, "big") + position.to_bytes(2, "big") + len(part).to_bytes(4, "big") + part
        for (group, position), part in sorted(parts.items())
    ]


def parts_to_bytes(parts: Mapping[PartKey, bytes]) -> bytes:
    """The blob."""
    return VERSION + b"".join(_rows(parts))


def parts_root(parts: Mapping[PartKey, bytes]) -> Hash32:
    """The root over all parts in the blob's order."""
    return merkle_root(_rows(parts) or [b""])


def parts_limit(mode: VectorMode, layout: Layout, lanes: int) -> int:
    """The most bytes that the blob of this seating can have."""
    most = min(len(layout.committee), len(layout.roster)) * layout.groups.count
    return len(VERSION) + most * (_HEAD + mode.part_limit(layout, lanes))


def opening_limit(name: Mode, layout: Layout, lanes: int) -> int:
    """The most bytes that a claim's list of seeds or parts has, whatever the mode."""
    mode = vector_mode(name)
    return unmask_limit(layout) if mode is None else parts_limit(mode, layout, lanes)


def parts_from_bytes(
    mode: VectorMode, layout: Layout, context: Context, lanes: int, blob: bytes
) -> dict[PartKey, bytes]:
    """The parts in a blob. Raises MalformedParts unless it is canonical and each part is one of an opener's."""
    if len(blob) > parts_limit(mode, layout, lanes) or blob[:4] != VERSION:
        raise MalformedParts(f"{len(blob)} bytes that are no list of parts")
    parts: dict[PartKey, bytes] = {}
    most, at = mode.part_limit(layout, lanes), len(VERSION)
    while at < len(blob):
        group, position = int.from_bytes(blob[at : at + 2], "big"), int.from_bytes(blob[at + 2 : at + 4], "big")
        size = int.from_bytes(blob[at + 4 : at + _HEAD], "big")
        at += _HEAD + size
        if size > most or at > len(blob) or group >= layout.groups.count:
            raise MalformedParts(f"a part of {size} bytes of group {group}; at most {most} are due")
        if Position(position) not in mode.openers(layout, context, group):
            raise MalformedParts(f"position {position} does not open group {group}")
        parts[group, Position(position)] = bytes(blob[at - size : at])
    if parts_to_bytes(parts) != blob:
        raise MalformedParts("the parts are not in order, or not distinct")
    return parts


@dataclass(frozen=True, slots=True)
class Opened:
    """The groups that are open, and what made them so. leaves: of their sum trees, by group; root, blob: what a claim
    publishes of it."""

    leaves: Mapping[int, GroupLeaves] = field(repr=False)
    root: Hash32
    blob: bytes = field(repr=False)

    @property
    def groups(self) -> frozenset[int]:
        return frozenset(self.leaves)


@dataclass(frozen=True, slots=True)
class Found:
    """What the parts at hand open. wanted: by group that does not open, the openers who still could help."""

    opened: Opened
    wanted: Mapping[int, tuple[Position, ...]]
    faults: tuple[WrongPart, ...]


def open_parts(
    mode: VectorMode,
    layout: Layout,
    context: Context,
    survivors: frozenset[Position],
    bundles: Callable[[int], Mapping[Position, Bundle]],
    parts: Mapping[PartKey, bytes],
    lanes: int,
    groups: frozenset[int] | None = None,
) -> Found:
    """Open every group that the parts can open. bundles: a group's survivors' bundles; groups: those to try, by default
    all with survivors. Parts that were not needed are not published."""
    leaves: dict[int, GroupLeaves] = {}
    used: dict[PartKey, bytes] = {}
    wanted: dict[int, tuple[Position, ...]] = {}
    faults: list[WrongPart] = []
    for group in sorted({layout.group(position) for position in survivors} if groups is None else groups):
        members = layout.members_of(group, survivors)
        held = {position: part for (of, position), part in parts.items() if of == group}
        found: GroupOpening = mode.open(layout, context, group, members, bundles(group), held, lanes)
        faults.extend(found.faults)
        if found.leaves is None:
            wanted[group] = found.wanted
        else:
            leaves[group] = found.leaves
            used |= {(group, position): held[position] for position in found.used}
    return Found(Opened(leaves, parts_root(used), parts_to_bytes(used)), wanted, tuple(faults))
