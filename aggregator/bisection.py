"""Down a Merkle tree of which one leaf or more is not the true one, by what is shown of it.

A leaf is shown with the hashes beside it, so that every answer tells at each level which side differs: a tree of n
leaves takes at most log2(n) + 1 answers. The last leaf comes first: what is beside it tells of the padding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from foedus.aggregator.testimony import ShownLeaf
from foedus.protocol.ids import Hash32
from foedus.protocol.merkle import empty_root, height, leaf_hash, levels_of, node_hash, root_of_hashes, verify


@dataclass(frozen=True, slots=True)
class Ask:
    """A leaf that must be shown first."""

    index: int


@dataclass(frozen=True, slots=True)
class Differs:
    """A leaf that is shown and is not the true one."""

    index: int
    shown: ShownLeaf


@dataclass(frozen=True, slots=True)
class PadDiffers:
    """The last leaf, as it is shown: some of the padding beyond it is not empty."""

    shown: ShownLeaf


def differing_leaf(
    hashes: Sequence[bytes], root: Hash32, shown: Callable[[int], ShownLeaf | None]
) -> Ask | Differs | PadDiffers | None:
    """The first leaf in which the tree under `root` differs, or what to ask for to find it; None where none does.

    hashes: the true leaf hashes, at least one; shown: what there is for a leaf, which is checked here.
    """
    if root_of_hashes(hashes) == root:
        return None
    count, levels = len(hashes), levels_of(hashes)
    known: dict[tuple[int, int], bytes] = {}
    found: dict[int, ShownLeaf] = {}

    def learn(index: int) -> bool:
        answer = shown(index)
        if answer is None or not verify(root, leaf_hash(answer.data), index, count, answer.siblings):
            return False
        found[index], at, hash_ = answer, index, leaf_hash(answer.data)
        for depth, beside in enumerate(answer.siblings):
            known[depth, at], known[depth, at ^ 1] = hash_, beside
            hash_ = node_hash(beside, hash_) if at & 1 else node_hash(hash_, beside)
            at >>= 1
        known[len(answer.siblings), 0] = hash_
        return True

    def true(depth: int, at: int) -> bytes:
        return levels[depth][at] if at < len(levels[depth]) else empty_root(depth)

    if not learn(count - 1):
        return Ask(count - 1)
    last = count - 1
    for depth in range(height(count)):
        if not last >> depth & 1 and known[depth, (last >> depth) + 1] != empty_root(depth):
            return PadDiffers(found[last])
    at = 0
    for depth in range(height(count), 0, -1):
        if (depth - 1, 2 * at) not in known and not learn(at << depth):
            return Ask(at << depth)
        at = 2 * at + (known[depth - 1, 2 * at] == true(depth - 1, 2 * at))
    if at not in found and not learn(at):
        return Ask(at)
    return Differs(at, found[at])
