"""The nodes of a chunk's sum tree, by number: 1 is the top, 2 n and 2 n + 1 are left and right below n."""

from __future__ import annotations

from dataclasses import dataclass

from foedus.aggregator.sumtree import ZERO_DIGEST, levels_for, sum_node_hash, zero_group, zero_hash
from foedus.protocol.groups import Groups


@dataclass(frozen=True, slots=True)
class UpdateSlot:
    """Whose update a leaf holds."""

    group: int
    row: int


@dataclass(frozen=True, slots=True)
class MaskSlot:
    """Whose mask a leaf cancels: a row's own, or (`pair`) the one that it shares with the row `other`, which is out."""

    group: int
    row: int
    other: int
    pair: bool


Slot = UpdateSlot | MaskSlot


class NoSuchNode(ValueError):
    """A number that no node of the tree has."""


@dataclass(frozen=True, slots=True)
class SumShape:
    """The shape of a round's sum trees. top: levels above the groups; rows: levels above a group's rows."""

    count: int
    top: int
    rows: int

    @classmethod
    def of(cls, groups: Groups) -> SumShape:
        return cls(groups.count, (groups.count - 1).bit_length(), levels_for(groups.width))

    def group_node(self, group: int) -> int:
        """The node of a group."""
        return 1 << self.top | group

    def leaf(self, slot: Slot) -> int:
        """The leaf of a slot."""
        node = self.group_node(slot.group)
        if isinstance(slot, UpdateSlot):
            return node << (2 + self.rows) | slot.row
        if slot.pair:
            return (node << 1 | 1) << (2 * self.rows) | slot.other << self.rows | slot.row
        return (node << 2 | 1) << self.rows | slot.row

    def depth(self, node: int) -> int:
        """Levels from the top down to a node."""
        return node.bit_length() - 1

    def group_of(self, node: int) -> int | None:
        """The group that a node is or belongs to; None above the groups."""
        below = self.depth(node) - self.top
        return None if below < 0 else (node >> below) - (1 << self.top)

    def height(self, node: int) -> int | None:
        """Levels from a node down to its leaves, 0 for a leaf; None where they are not of one kind: for a group's node,
        its `own`, and those above. Raises NoSuchNode."""
        below = self.depth(node) - self.top
        if below <= 0:
            return None
        pairs = node >> (below - 1) & 1
        height = 2 * self.rows + 1 - below if pairs else self.rows + 2 - below
        if node < 1 or height < 0:
            raise NoSuchNode(f"node {node} of a tree of {self.count} groups and {1 << self.rows} rows")
        return None if below == 1 and not pairs else height

    def is_leaf(self, node: int) -> bool:
        """Whether a node is a leaf. Raises NoSuchNode."""
        return self.height(node) == 0

    def slot(self, leaf: int) -> Slot:
        """The slot of a leaf. Raises NoSuchNode for any other node."""
        if not self.is_leaf(leaf):
            raise NoSuchNode(f"node {leaf} is no leaf")
        below, group, width = self.depth(leaf) - self.top, self.group_of(leaf), 1 << self.rows
        assert group is not None
        row = leaf & (width - 1)
        if leaf >> (below - 1) & 1:
            return MaskSlot(group, row, leaf >> self.rows & (width - 1), True)
        return MaskSlot(group, row, row, False) if leaf >> (below - 2) & 1 else UpdateSlot(group, row)

    def zero(self, node: int) -> bytes:
        """The hash that a node has where all below it is zero. Raises NoSuchNode."""
        height = self.height(node)
        if height is not None:
            return zero_hash(height)
        below = self.depth(node) - self.top
        if below == 1:
            return zero_hash(self.rows + 1)
        hash_ = zero_group(1 << self.rows)
        for _ in range(-below):
            hash_ = sum_node_hash(ZERO_DIGEST, hash_, hash_)
        return hash_

    def last_inner(self, node: int) -> int:
        """The leftmost of the deepest inner nodes at or below an inner node: whoever is shown it is shown the most."""
        while not self.is_leaf(2 * node):
            node *= 2
        return node
