"""The unmask blob: every seed that a proposal's sums were opened with, in one canonical list, and its root.

`unmask_root` is a Merkle root over fixed slots, so that the presence, absence or value of any seed can be proven:
leaf (group * W + row a) * W + row b holds the seed that a's mask with b came from (b_a where a == b), or zero.
"""

from __future__ import annotations

from collections.abc import Mapping

from foedus.aggregator.layout import Layout
from foedus.aggregator.messages import Slot
from foedus.aggregator.seeds import BadSeed, checked_seed
from foedus.protocol.ids import ZERO32, Hash32, Position, Seed
from foedus.protocol.merkle import leaf_hash, root_of_hashes

VERSION = b"FDU\x01"
_ROW = 2 + 2 + 32


class MalformedUnmask(ValueError):
    """Bytes that are no canonical list of seeds of this seating."""


def unmask_index(group: int, owner_row: int, row: int, width: int) -> int:
    """The leaf of a seed under `unmask_root`."""
    return (group * width + owner_row) * width + row


def unmask_leaves(layout: Layout, seeds: Mapping[Slot, Seed]) -> tuple[list[bytes], list[bytes]]:
    """All slots of all groups, count * width**2 of them, and their leaf hashes."""
    leaves: list[bytes] = [ZERO32] * (layout.groups.count * layout.width**2)
    for (owner, row), seed in seeds.items():
        leaves[unmask_index(layout.group(owner), layout.row(owner), row, layout.width)] = seed
    empty = leaf_hash(ZERO32)
    return leaves, [empty if leaf is ZERO32 else leaf_hash(leaf) for leaf in leaves]


def unmask_root(layout: Layout, seeds: Mapping[Slot, Seed]) -> Hash32:
    """The root over all slots."""
    return root_of_hashes(unmask_leaves(layout, seeds)[1])


def unmask_limit(layout: Layout) -> int:
    """The most bytes that an unmask blob of this seating can have."""
    return 4 + _ROW * sum(len(layout.secret_rows(position)) for position in layout.roster)


def unmask_to_bytes(seeds: Mapping[Slot, Seed]) -> bytes:
    """The blob: version, then owner (2 B), row (2 B), seed (32 B) each, sorted."""
    rows = (owner.to_bytes(2, "big") + row.to_bytes(2, "big") + seed for (owner, row), seed in sorted(seeds.items()))
    return VERSION + b"".join(rows)


def unmask_from_bytes(layout: Layout, blob: bytes) -> dict[Slot, Seed]:
    """The seeds in a blob. Raises MalformedUnmask unless it is canonical and every slot is one of the seating's."""
    if len(blob) > unmask_limit(layout) or blob[:4] != VERSION or (len(blob) - 4) % _ROW:
        raise MalformedUnmask(f"{len(blob)} bytes that are no list of seeds")
    seeds: dict[Slot, Seed] = {}
    for at in range(4, len(blob), _ROW):
        owner, row = Position(int.from_bytes(blob[at : at + 2], "big")), int.from_bytes(blob[at + 2 : at + 4], "big")
        if owner not in layout.roster or row not in layout.secret_rows(owner):
            raise MalformedUnmask(f"position {owner} has no secret at row {row}")
        try:
            seeds[owner, row] = checked_seed(blob[at + 4 : at + _ROW])
        except BadSeed as error:
            raise MalformedUnmask(f"the seed of position {owner}, row {row}: {error}") from error
    if unmask_to_bytes(seeds) != blob:
        raise MalformedUnmask("the seeds are not in order, or not distinct")
    return seeds
