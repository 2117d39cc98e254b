"""What an aggregator has shown of its claim: blobs that it published, and answers to demands. All of it may be false,
and counts only where it leads to the claim's roots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from foedus.aggregator.sumtree import sum_node_hash
from foedus.protocol.ids import Hash32
from foedus.protocol.merkle import leaf_hash, verify
from foedus.protocol.proofs import Hashes, SumNode, Tree


@dataclass(frozen=True, slots=True)
class ShownLeaf:
    """A leaf of one of the claim's trees, and the hashes beside it from the leaf up."""

    data: bytes
    siblings: Hashes


@dataclass(frozen=True, slots=True)
class ShownNodes:
    """The nodes of a chunk's sum tree from its top down to `node`, and the hashes beside the top's from the leaf up."""

    node: int
    nodes: tuple[SumNode, ...]
    siblings: Hashes

    @property
    def top(self) -> bytes:
        """The hash of the chunk's top."""
        first = self.nodes[0]
        return sum_node_hash(first.value, first.left, first.right)

    def fits(self, root: Hash32, chunk: int, chunks: int) -> bool:
        """Whether these nodes hang together and stand under the root of `chunks` chunks."""
        depth = self.node.bit_length() - 1
        if self.node < 1 or len(self.nodes) != depth + 1:
            return False
        for above, (parent, child) in enumerate(zip(self.nodes, self.nodes[1:], strict=False), start=1):
            is_right = self.node >> (depth - above) & 1
            if sum_node_hash(child.value, child.left, child.right) != (parent.right if is_right else parent.left):
                return False
        return verify(root, leaf_hash(self.top), chunk, chunks, self.siblings)


@dataclass(frozen=True, slots=True)
class Testimony:
    """manifest, tops, unmask, model, state: blobs as published, None where they could not be had; leaves: answers by
    tree and index; nodes: answers by chunk."""

    manifest: bytes | None = None
    tops: bytes | None = None
    unmask: bytes | None = None
    model: bytes | None = None
    state: bytes | None = None
    leaves: Mapping[tuple[Tree, int], ShownLeaf] = field(default_factory=dict)
    nodes: Mapping[int, Sequence[ShownNodes]] = field(default_factory=dict)
