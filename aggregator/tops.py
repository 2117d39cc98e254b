"""The top hashes of all chunks' sum trees: 32 bytes a chunk, published beside a proposal.

They are what `sum_root` is made of. Whoever made the sums again compares them, and knows in which chunk to look.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from foedus.aggregator.sumtree import Node
from foedus.protocol.ids import Hash32
from foedus.protocol.merkle import merkle_root


class MalformedTops(ValueError):
    """Bytes that are not the top hashes under a claim's `sum_root`."""


def tops_of(top: Node) -> list[bytes]:
    """Every chunk's top hash, in order."""
    return split_tops(top.hashes.tobytes())


def tops_blob(top: Node) -> bytes:
    """The blob to publish."""
    return top.hashes.tobytes()


def split_tops(blob: bytes) -> list[bytes]:
    """A blob as hashes; what is too short for one is left over as it is."""
    return [blob[at : at + 32] for at in range(0, len(blob), 32)]


def checked_tops(blob: bytes, chunks: int, sum_root: Hash32) -> list[bytes]:
    """The hashes in a blob. Raises MalformedTops unless it has one a chunk, and they make the root."""
    tops = split_tops(blob)
    if len(blob) != 32 * chunks or merkle_root(tops) != sum_root:
        raise MalformedTops(f"{len(blob)} bytes that are not the {chunks} top hashes under {sum_root.hex()}")
    return tops


def first_difference(claimed: Sequence[bytes], true: Sequence[bytes]) -> int | None:
    """The first chunk whose top hash is not the true one; None where all are."""
    return next((chunk for chunk, (one, other) in enumerate(zip_longest(claimed, true)) if one != other), None)
