"""How many bytes a sum tree hashes, for each of its chunks."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

LEAF, VALUE, NODE = 1 + 1024, 1024, 1 + 3 * 32

Counted = tuple[int, bool]
"""Bytes hashed in a subtree, none where it is empty, and whether the hash of its sum is among what was made."""


def join_bytes(left: Counted, right: Counted) -> Counted:
    """For the node above two: where one is empty, the sum is the other's, and its hash is not made twice."""
    if not left[0] and not right[0]:
        return 0, False
    known = left[1] if not right[0] else right[1] if not left[0] else False
    return left[0] + right[0] + NODE + (0 if known else VALUE), True


def tree_bytes(slots: Sequence[int], levels: int) -> Counted:
    """For 2**levels slots, of which those in `slots` (ascending) have leaves."""
    if not slots:
        return 0, False
    if levels == 0:
        return LEAF, False
    cut = bisect_left(slots, (slots[0] >> levels << levels) + (1 << levels - 1))
    return join_bytes(tree_bytes(slots[:cut], levels - 1), tree_bytes(slots[cut:], levels - 1))
