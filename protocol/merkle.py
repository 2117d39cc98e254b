"""Binary sha256 Merkle trees, padded to a power of two, with the leaf count bound into the root.

Leaves, nodes and roots are domain-separated by a first byte (RFC 6962, section 2.1, and one more for the root),
so that no node passes for a leaf and no tree for a taller one. Hash lists cost 32 bytes a leaf.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from hashlib import sha256
from itertools import islice

from foedus.protocol.ids import Hash32

LEAF, NODE, ROOT = b"\x00", b"\x01", b"\x02"
EMPTY_LEAF = sha256(LEAF).digest()

_RUN_LEVELS = 10
"""Levels of the subtrees that a root is made of: 1,024 leaves."""

_begun_leaf, _begun_node = sha256(LEAF).copy, sha256(NODE).copy
"""Hashes that have their first byte: a copy is made sooner than a new one."""


def leaf_hash(data: bytes | memoryview) -> bytes:
    """The 32-byte hash of one leaf's bytes."""
    hasher = _begun_leaf()
    hasher.update(data)
    return hasher.digest()


def leaf_hashes(leaves: Iterable[bytes | memoryview]) -> list[bytes]:
    """The hash of each leaf's bytes."""
    found = []
    for data in leaves:
        hasher = _begun_leaf()
        hasher.update(data)
        found.append(hasher.digest())
    return found


def node_hash(left: bytes, right: bytes) -> bytes:
    """The 32-byte hash of an inner node."""
    hasher = _begun_node()
    hasher.update(left + right)
    return hasher.digest()


def height(count: int) -> int:
    """Levels above the leaves in a tree of `count` leaves: 0 for none or one, 1 for two, 2 for three or four."""
    return max(count - 1, 0).bit_length()


@cache
def empty_root(levels: int) -> bytes:
    """The hash of a subtree of `levels` levels whose leaves are all padding."""
    return EMPTY_LEAF if levels == 0 else node_hash(empty_root(levels - 1), empty_root(levels - 1))


def _above(below: Sequence[bytes], depth: int) -> list[bytes]:
    """The hashes over a level's hashes, which is `depth` levels above the leaves; an odd one has padding beside it."""
    found = []
    for left, right in zip(below[0::2], [*below[1::2], empty_root(depth)][: (len(below) + 1) // 2], strict=True):
        hasher = _begun_node()
        hasher.update(left + right)
        found.append(hasher.digest())
    return found


def _top(hashes: Sequence[bytes], depth: int, levels: int) -> bytes:
    """The hash `levels` above hashes that are themselves `depth` above the leaves."""
    for at in range(depth, depth + levels):
        hashes = _above(hashes, at)
    return hashes[0]


def levels_of(hashes: Sequence[bytes]) -> list[list[bytes]]:
    """Every level from the leaf hashes up to the single top hash; padding is implied, not stored."""
    levels = [list(hashes) or [EMPTY_LEAF]]
    for depth in range(height(len(hashes))):
        levels.append(_above(levels[-1], depth))
    return levels


def _seal(top: bytes, count: int) -> Hash32:
    return Hash32(sha256(ROOT + count.to_bytes(8, "big") + top).digest())


def root_of_hashes(hashes: Sequence[bytes]) -> Hash32:
    """The root over leaf hashes that `leaf_hash` made."""
    return _seal(_top(hashes or [EMPTY_LEAF], 0, height(len(hashes))), len(hashes))


def merkle_root(leaves: Iterable[bytes | memoryview]) -> Hash32:
    """The root over the leaves' bytes, which are asked for one by one: hashes of one run of them are held, and one hash
    of each run before."""
    rest, tops, count = iter(leaves), list[bytes](), 0
    while run := leaf_hashes(islice(rest, 1 << _RUN_LEVELS)):
        tops.append(_top(run, 0, _RUN_LEVELS if tops else height(len(run))))
        count += len(run)
    return _seal(_top(tops or [EMPTY_LEAF], _RUN_LEVELS, max(0, height(count) - _RUN_LEVELS)), count)


def prove(hashes: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """The sibling hashes from leaf `index` up: `height(len(hashes))` of them.

    Raises IndexError where there is no such leaf.
    """
    if not 0 <= index < len(hashes):
        raise IndexError(f"no leaf {index} in a tree of {len(hashes)}")
    siblings = []
    for depth, level in enumerate(levels_of(hashes)[:-1]):
        beside = (index >> depth) ^ 1
        siblings.append(level[beside] if beside < len(level) else empty_root(depth))
    return tuple(siblings)


def verify(root: Hash32, leaf: bytes, index: int, count: int, siblings: Sequence[bytes]) -> bool:
    """Whether the leaf hash `leaf` stands at `index` of the tree of `count` leaves with this root."""
    if not 0 <= index < count or len(siblings) != height(count):
        return False
    top = leaf
    for depth, beside in enumerate(siblings):
        top = node_hash(beside, top) if (index >> depth) & 1 else node_hash(top, beside)
    return _seal(top, count) == root


def _sparse_levels(hashes: Mapping[int, bytes], count: int) -> list[dict[int, bytes]]:
    """As `levels_of`, but holding only the nodes above the leaf hashes given: all other leaves are padding."""
    strangers = [index for index in hashes if not 0 <= index < count]
    if strangers:
        raise IndexError(f"no leaf {strangers[0]} in a tree of {count}")
    levels = [dict(hashes)]
    for depth in range(height(count)):
        below, empty = levels[-1], empty_root(depth)
        parents = sorted({index >> 1 for index in below})
        levels.append({at: node_hash(below.get(2 * at, empty), below.get(2 * at + 1, empty)) for at in parents})
    return levels


def sparse_root(hashes: Mapping[int, bytes], count: int) -> Hash32:
    """The root over `count` leaf slots of which only those in `hashes` (slot -> leaf hash) are filled.

    At most len(hashes) * height(count) hashes. Raises IndexError where a slot is not below `count`.
    """
    top = _sparse_levels(hashes, count)[-1].get(0, empty_root(height(count)))
    return _seal(top, count)


def sparse_prove(hashes: Mapping[int, bytes], count: int, slots: Collection[int]) -> tuple[bytes, ...]:
    """The hashes that, with the leaves at `slots`, make the root: level by level from the leaves, left to right, each
    beside a known node and not known itself. For one slot these are its siblings, as `prove` gives them.

    Raises IndexError where a slot is not below `count`.
    """
    levels = _sparse_levels(dict.fromkeys(slots, EMPTY_LEAF) | dict(hashes), count)
    siblings = []
    known = set(slots)
    for depth, level in enumerate(levels[:-1]):
        lonely = sorted(slot for slot in known if slot ^ 1 not in known)
        siblings += [level.get(slot ^ 1, empty_root(depth)) for slot in lonely]
        known = {slot >> 1 for slot in known}
    return tuple(siblings)
