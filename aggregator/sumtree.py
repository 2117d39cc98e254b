"""The sum tree: one binary tree a chunk, with a fixed slot for every enrolled position and for every mask.

    top        groups, padded to a power of two by zero subtrees
    group      own | pairs
    own        updates | selves             each W leaves, by row
    pairs      W * W leaves                 index = row of who is out * W + row of the survivor

An update leaf is y_a, a self leaf -PRG(b_a), a pair leaf the mask that cancels a's with u, who is out; every other leaf
is zero. A node's value is the sum of its children's, modulo 2**32, and its hash binds the value's hash to both of
theirs, so that one wrong addition, one wrong leaf or one missing leaf is a short proof. `docs/aggregation.md` has the
formula.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from itertools import pairwise
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray

from foedus.aggregator.hashrows import ROWS, Hashes, HashRows
from foedus.aggregator.layout import Layout
from foedus.aggregator.masking import pair_sign
from foedus.aggregator.messages import Slot
from foedus.aggregator.seeds import Keystream
from foedus.protocol.chunks import CHUNK_BYTES, CHUNK_LANES, Lanes
from foedus.protocol.ids import Hash32, Position, Seed
from foedus.protocol.merkle import merkle_root

SUM_LEAF, SUM_NODE = b"\x10", b"\x11"
BATCH_CHUNKS = ROWS
"""Chunks of a group's tree that are made at a time, which keeps its nodes in cache."""

_LEAVES, _VALUES, _NODES = HashRows(SUM_LEAF, CHUNK_BYTES), HashRows(b"", CHUNK_BYTES), HashRows(SUM_NODE, 3 * 32)

Values = NDArray[np.uint32]
"""Node values of a run of chunks: native order, shape (chunks, 256)."""


@dataclass(frozen=True, slots=True)
class Node:
    """One node of the tree over a run of chunks. digests: the values' own hashes, where they are at hand."""

    values: Values
    hashes: Hashes
    digests: Hashes | None = None


@dataclass(frozen=True, slots=True)
class GroupLeaves:
    """What is in a group's slots: stored vectors and self seeds by row, pair seeds with their sign by pair index.

    The signs are those with which masks are cancelled. corrections: where the group's sum is not opened by seeds, the
    lanes themselves that stand in a row's self slot, big-endian as stored.
    """

    updates: Mapping[int, bytes]
    selves: Mapping[int, Seed] = field(default_factory=dict)
    pairs: Mapping[int, tuple[Seed, int]] = field(default_factory=dict)
    corrections: Mapping[int, bytes] = field(default_factory=dict)


def sum_leaf_hash(value: bytes) -> bytes:
    """The 32-byte hash of a leaf, from its 1 KiB of big-endian lanes."""
    return sha256(SUM_LEAF + value).digest()


def sum_node_hash(digest: bytes, left: bytes, right: bytes) -> bytes:
    """The 32-byte hash of a node, from the sha256 of its value and the hashes of its children."""
    return sha256(SUM_NODE + digest + left + right).digest()


ZERO_VALUE = bytes(CHUNK_BYTES)
ZERO_DIGEST = sha256(ZERO_VALUE).digest()


@cache
def zero_hash(levels: int) -> bytes:
    """The hash of a subtree of `levels` levels whose leaves are all zero."""
    if levels == 0:
        return sum_leaf_hash(ZERO_VALUE)
    return sum_node_hash(ZERO_DIGEST, zero_hash(levels - 1), zero_hash(levels - 1))


@cache
def zero_group(width: int) -> bytes:
    """The hash of a group without survivors, not opened, or quarantined: zero from its node down."""
    depth = levels_for(width)
    return sum_node_hash(ZERO_DIGEST, zero_hash(depth + 1), zero_hash(2 * depth))


def levels_for(width: int) -> int:
    """Levels above `width` leaves, a power of two."""
    return width.bit_length() - 1


def pair_index(out_row: int, survivor_row: int, width: int) -> int:
    """The leaf, among a group's pair leaves, of the mask that a survivor has with a row that is out."""
    return out_row * width + survivor_row


def group_leaves(
    layout: Layout,
    group: int,
    survivors: Iterable[Position],
    blobs: Mapping[Position, bytes],
    seeds: Mapping[Slot, Seed],
) -> GroupLeaves:
    """The leaves of an open group. Raises KeyError where a survivor's vector is not in `blobs`."""
    members = layout.members_of(group, frozenset(survivors))
    updates = {layout.row(position): blobs[position] for position in members}
    selves: dict[int, Seed] = {}
    pairs: dict[int, tuple[Seed, int]] = {}
    inside = frozenset(members)
    for (owner, row), seed in sorted(seeds.items()):
        if owner not in inside:
            continue
        other = layout.tables[group][row]
        if other == owner:
            selves[row] = seed
        else:
            pairs[pair_index(row, layout.row(owner), layout.width)] = (seed, -pair_sign(owner, other))
    return GroupLeaves(updates, selves, pairs)


def leaf(lanes: Values) -> Node:
    """Leaves of one slot over a run of chunks, from lanes in either byte order."""
    return Node(lanes.astype(np.uint32), _LEAVES.of_lanes(lanes))


def join(left: Node | None, right: Node | None, zero_left: bytes, zero_right: bytes) -> Node | None:
    """The node above two, over a run of chunks. None stands for a zero subtree of the given hash."""
    if left is not None and right is not None:
        values, digests = left.values + right.values, None
    elif left is not None:
        values, digests = left.values, left.digests
    elif right is not None:
        values, digests = right.values, right.digests
    else:
        return None
    if digests is None:
        digests = _VALUES.of_lanes(values)
    beneath = (_row(zero_left) if left is None else left.hashes, _row(zero_right) if right is None else right.hashes)
    return Node(values, _NODES.of_words(values.shape[0], digests, *beneath), digests)


def _row(word: bytes) -> Hashes:
    return np.frombuffer(word, dtype=np.uint8).reshape(1, 32)


def subtree(leaf_at: Callable[[int], Node], slots: Sequence[int], levels: int) -> Node | None:
    """The node above 2**levels leaf slots, of which those not in `slots` (ascending) are zero; None where all
    are. Depth first, so that few nodes are held at a time."""
    if not slots:
        return None
    if levels == 0:
        return leaf_at(slots[0])
    cut = bisect_left(slots, (slots[0] >> levels << levels) + (1 << levels - 1))
    zero = zero_hash(levels - 1)
    return join(subtree(leaf_at, slots[:cut], levels - 1), subtree(leaf_at, slots[cut:], levels - 1), zero, zero)


def _group_runs(width: int, leaves: GroupLeaves, first: int, chunks: int) -> Iterator[Node]:
    """The group's node over runs of at most BATCH_CHUNKS chunks; update vectors start at chunk `first`."""
    depth = levels_for(width)
    selves = {row: Keystream(seed, first) for row, seed in leaves.selves.items()}
    pairs = {index: (Keystream(seed, first), sign) for index, (seed, sign) in leaves.pairs.items()}
    buffer = bytearray(CHUNK_BYTES * BATCH_CHUNKS)
    masks = np.frombuffer(buffer, dtype=">u4").reshape(BATCH_CHUNKS, CHUNK_LANES)

    def mask(stream: Keystream, sign: int, run: int) -> Node:
        stream.into(buffer, run)
        return leaf(masks[:run] if sign > 0 else np.negative(masks[:run]))

    for start in range(0, chunks, BATCH_CHUNKS):
        run = min(BATCH_CHUNKS, chunks - start)

        def stored(blob: bytes, start: int = start, run: int = run) -> Node:
            return leaf(np.frombuffer(blob, ">u4", run * CHUNK_LANES, start * CHUNK_BYTES).reshape(run, CHUNK_LANES))

        def update(row: int, stored: Callable[[bytes], Node] = stored) -> Node:
            return stored(leaves.updates[row])

        def own_mask(row: int, stored: Callable[[bytes], Node] = stored, run: int = run) -> Node:
            return mask(selves[row], -1, run) if row in selves else stored(leaves.corrections[row])

        def pair_mask(index: int, run: int = run) -> Node:
            return mask(*pairs[index], run)

        left = subtree(update, sorted(leaves.updates), depth)
        right = subtree(own_mask, sorted({*selves, *leaves.corrections}), depth)
        own = join(left, right, zero_hash(depth), zero_hash(depth))
        masked = subtree(pair_mask, sorted(pairs), 2 * depth)
        made = join(own, masked, zero_hash(depth + 1), zero_hash(2 * depth))
        assert made is not None
        yield made


def _group_part(width: int, leaves: GroupLeaves, first: int, chunks: int) -> tuple[bytes, bytes]:
    values, hashes = [], []
    for node in _group_runs(width, leaves, first, chunks):
        values.append(node.values.tobytes())
        hashes.append(node.hashes.tobytes())
    return b"".join(values), b"".join(hashes)


def group_nodes(width: int, groups: Mapping[int, GroupLeaves], chunks: int, workers: int = 1) -> dict[int, Node]:
    """Every open group's node over all `chunks`.

    workers: processes to share the work among; the bytes do not depend on it. With more than one, the calling script
    must be importable without side effects (`if __name__ == "__main__"`).
    """
    parts = max(1, min(4 * workers, chunks // BATCH_CHUNKS)) if workers > 1 else 1
    bounds = [chunks * part // parts for part in range(parts + 1)]
    jobs = [(group, low, high) for group in sorted(groups) for low, high in pairwise(bounds)]
    found: dict[tuple[int, int], tuple[bytes, bytes]] = {}
    if workers <= 1:
        for group, low, high in jobs:
            found[group, low] = _group_part(width, groups[group], low, high - low)
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            waiting: dict[tuple[int, int], Future[tuple[bytes, bytes]]] = {}
            for group, low, high in jobs:
                if len(waiting) == 2 * workers:  # bounds what is copied at a time
                    oldest = next(iter(waiting))
                    found[oldest] = waiting.pop(oldest).result()
                waiting[group, low] = pool.submit(_group_part, width, _cut(groups[group], low, high), low, high - low)
            found.update({job: future.result() for job, future in waiting.items()})
    nodes: dict[int, Node] = {}
    for group in sorted(groups):
        values = b"".join(found[group, low][0] for low in bounds[:-1])
        hashes = b"".join(found[group, low][1] for low in bounds[:-1])
        nodes[group] = Node(
            np.frombuffer(values, dtype=np.uint32).reshape(chunks, CHUNK_LANES),
            np.frombuffer(hashes, dtype=np.uint8).reshape(chunks, 32),
        )
    return nodes


def _cut(leaves: GroupLeaves, low: int, high: int) -> GroupLeaves:
    def cut(blobs: Mapping[int, bytes]) -> dict[int, bytes]:
        return {row: blob[low * CHUNK_BYTES : high * CHUNK_BYTES] for row, blob in blobs.items()}

    return GroupLeaves(cut(leaves.updates), leaves.selves, leaves.pairs, cut(leaves.corrections))


def top_node(width: int, count: int, nodes: Mapping[int, Node], chunks: int, quarantined: Collection[int] = ()) -> Node:
    """The top over `count` groups, of which those not in `nodes` are zero.

    quarantined: groups whose sums stand in the tree and count nothing above them. The only group of a task has nothing
    above it: it is the top, and no sum at all where it is quarantined.
    """
    level: list[Node | None] = [nodes.get(group) for group in range(1 << (count - 1).bit_length())]
    if len(level) > 1:
        level = [_silent(node) if node and group in quarantined else node for group, node in enumerate(level)]
    zero = zero_group(width)
    while len(level) > 1:
        level = [join(left, right, zero, zero) for left, right in zip(level[0::2], level[1::2], strict=True)]
        zero = sum_node_hash(ZERO_DIGEST, zero, zero)
    if level[0] is not None:
        return level[0]
    hashes = np.tile(np.frombuffer(zero, dtype=np.uint8), (chunks, 1))
    return Node(np.zeros((chunks, CHUNK_LANES), dtype=np.uint32), hashes)


def _silent(node: Node) -> Node:
    """A node that counts as zero to those above it."""
    digests = np.tile(np.frombuffer(ZERO_DIGEST, dtype=np.uint8), (node.values.shape[0], 1))
    return Node(np.zeros_like(node.values), node.hashes, digests)


def sum_root(top: Node) -> Hash32:
    """The root over the chunks' top hashes."""
    return merkle_root([row.tobytes() for row in top.hashes])


def flat(node: Node) -> Lanes:
    """A node's value as one vector."""
    lanes: Lanes = node.values.reshape(-1)
    return lanes
