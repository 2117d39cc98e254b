"""One chunk's sum tree, whole: made again when it is asked for, so that nobody keeps trees to prove with."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np

from foedus.aggregator.seeds import prg
from foedus.aggregator.sumslots import MaskSlot, SumShape, UpdateSlot
from foedus.aggregator.sumtree import ZERO_DIGEST, ZERO_VALUE, GroupLeaves, sum_leaf_hash, sum_node_hash
from foedus.protocol.chunks import CHUNK_BYTES, Lanes, lanes_from_bytes, lanes_to_bytes
from foedus.protocol.merkle import leaf_hash, prove
from foedus.protocol.proofs import GroupSum, Hashes, Summand, SumNode, Way


@dataclass(frozen=True)
class ChunkTree:
    """The tree of one chunk. values, hashes: of every node that is not zero all below it, a value 1 KiB as stored."""

    shape: SumShape
    chunk: int
    values: Mapping[int, bytes] = field(repr=False)
    hashes: Mapping[int, bytes] = field(repr=False)

    @classmethod
    def of(
        cls, shape: SumShape, chunk: int, groups: Mapping[int, GroupLeaves], quarantined: Collection[int] = ()
    ) -> ChunkTree:
        """The tree over the opened groups' leaves; `quarantined` ones count nothing above their own nodes."""
        lanes: dict[int, Lanes] = {}
        for group, leaves in groups.items():
            stored = {shape.leaf(UpdateSlot(group, row)): blob for row, blob in leaves.updates.items()}
            stored |= {shape.leaf(MaskSlot(group, row, row, False)): blob for row, blob in leaves.corrections.items()}
            for node, blob in stored.items():
                piece = blob[CHUNK_BYTES * chunk : CHUNK_BYTES * (chunk + 1)]
                lanes[node] = lanes_from_bytes(piece, CHUNK_BYTES // 4)
            for row, seed in leaves.selves.items():
                lanes[shape.leaf(MaskSlot(group, row, row, False))] = -prg(seed, chunk, 1)
            for index, (seed, sign) in leaves.pairs.items():
                out, row = index >> shape.rows, index & ((1 << shape.rows) - 1)
                mask = prg(seed, chunk, 1)
                lanes[shape.leaf(MaskSlot(group, row, out, True))] = mask if sign > 0 else -mask
        values = {node: lanes_to_bytes(value) for node, value in lanes.items()}
        hashes = {node: sum_leaf_hash(value) for node, value in values.items()}
        silent = {shape.group_node(group) for group in quarantined}
        rising = set(lanes)
        while rising:
            deepest = max(node.bit_length() for node in rising)
            level = {node >> 1 for node in rising if node.bit_length() == deepest} - {0}
            rising = {node for node in rising if node.bit_length() < deepest} | level
            for node in level:
                total = np.zeros(CHUNK_BYTES // 4, dtype=np.uint32)
                for child in (2 * node, 2 * node + 1):
                    if child in lanes and child not in silent:
                        total = total + lanes[child]
                lanes[node], values[node] = total, lanes_to_bytes(total)
                below = (
                    hashes.get(2 * node) or shape.zero(2 * node),
                    hashes.get(2 * node + 1) or shape.zero(2 * node + 1),
                )
                hashes[node] = sum_node_hash(sha256(values[node]).digest(), *below)
        return cls(shape, chunk, values, hashes)

    def hash(self, node: int) -> bytes:
        """A node's hash. Raises NoSuchNode."""
        return self.hashes.get(node) or self.shape.zero(node)

    def value(self, node: int) -> bytes:
        """A node's value as stored, 1 KiB."""
        return self.values.get(node, ZERO_VALUE)

    def node(self, node: int) -> SumNode:
        """What an inner node's hash is made of. Raises NoSuchNode for a leaf."""
        digest = sha256(self.values[node]).digest() if node in self.values else ZERO_DIGEST
        return SumNode(digest, self.hash(2 * node), self.hash(2 * node + 1))

    def way(self, node: int, beside: Hashes) -> Way:
        """The way from a node up. beside: what `beside` gives for this tree's chunk."""
        steps: list[bytes] = []
        while node > 1:
            steps += [self.node(node >> 1).value, self.hash(node ^ 1)]
            node >>= 1
        return Way(self.chunk, tuple(steps), beside)

    def path(self, node: int) -> tuple[SumNode, ...]:
        """The answer to a demand for an inner node: all nodes from the top down to it."""
        return tuple(self.node(node >> up) for up in range(node.bit_length() - 1, -1, -1))

    def summand(self, node: int) -> Summand:
        """A node as one of two that make a sum."""
        if self.shape.is_leaf(node):
            return Summand(self.value(node))
        below = self.node(node)
        return Summand(self.value(node), below.left, below.right)

    def group_sum(self, group: int, beside: Hashes) -> GroupSum:
        """A group's node with its value."""
        node = self.shape.group_node(group)
        below = self.node(node)
        return GroupSum(self.way(node, beside), self.value(node), below.left, below.right)


def beside(tops: Sequence[bytes], chunk: int) -> Hashes:
    """The hashes beside a chunk's top under `sum_root`, from all chunks' top hashes."""
    return prove([leaf_hash(top) for top in tops], chunk)
