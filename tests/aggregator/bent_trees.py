"""Sum trees in which something is wrong, and everything above it follows from that."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from hashlib import sha256

import numpy as np

from foedus.aggregator.chunktree import ChunkTree
from foedus.aggregator.sumslots import SumShape
from foedus.aggregator.sumtree import sum_leaf_hash, sum_node_hash
from foedus.protocol.chunks import CHUNK_LANES, Lanes, lanes_from_bytes, lanes_to_bytes


def nodes_below(shape: SumShape, node: int = 1) -> Iterator[int]:
    """A node and all below it, padding included."""
    yield node
    if not shape.is_leaf(node):
        yield from nodes_below(shape, 2 * node)
        yield from nodes_below(shape, 2 * node + 1)


def lanes_of(value: bytes) -> Lanes:
    return lanes_from_bytes(value, CHUNK_LANES)


def raised(value: bytes, lane: int) -> bytes:
    """A chunk with one lane that is larger by one."""
    lanes = lanes_of(value)
    lanes[lane] += np.uint32(1)
    return lanes_to_bytes(lanes)


def negated(value: bytes) -> bytes:
    return lanes_to_bytes(-lanes_of(value))


def with_value(tree: ChunkTree, node: int, value: bytes, silent: Collection[int] = ()) -> ChunkTree:
    """The tree with another value at a node, added up anew above it. silent: the quarantined groups' nodes."""
    values, hashes = dict(tree.values), dict(tree.hashes)
    values[node] = value
    made = replace(tree, values=values, hashes=hashes)
    if tree.shape.is_leaf(node):
        hashes[node] = sum_leaf_hash(value)
    else:
        hashes[node] = sum_node_hash(sha256(value).digest(), tree.hash(2 * node), tree.hash(2 * node + 1))
    while node > 1:
        node >>= 1
        counted = [child for child in (2 * node, 2 * node + 1) if child not in silent]
        total = sum((lanes_of(made.value(child)) for child in counted), np.zeros(CHUNK_LANES, dtype=np.uint32))
        values[node] = lanes_to_bytes(total)
        hashes[node] = sum_node_hash(sha256(values[node]).digest(), made.hash(2 * node), made.hash(2 * node + 1))
    return made
