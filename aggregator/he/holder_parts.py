"""The parts that open a group's sum in the modes `bfv` and `ckks`: decryptions of summed ciphertexts, and sums of pads.

4 B   version: whose part it is
32 B  place: opening, group, survivors, and the member whose part it is
32 B  sha256 of the summed ciphertexts; zeros in the pad holder's part
4 B   each lane, big-endian: in bfv below t, in ckks in two's complement
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from foedus.aggregator.he.params import BATCH, T, batches
from foedus.protocol.commitments import Context, tagged
from foedus.protocol.ids import Hash32, Position

KEY_PART, PAD_PART, FLOODED_PART = b"FDD\x01", b"FDQ\x01", b"FDE\x01"
"""A decryption in bfv, a sum of pads, and a decryption in ckks."""

_HEAD = 4 + 32 + 32
_NO_SUM = Hash32(bytes(32))


class MalformedPart(ValueError):
    """Bytes that are no part of this group's sum by this holder."""


def part_bytes(lanes: int) -> int:
    """The size of a part for updates of `lanes` lanes."""
    return _HEAD + 4 * BATCH * batches(lanes)


def part_place(context: Context, group: int, survivors: Sequence[Position], member: Position) -> Hash32:
    """What a part is good for, and nothing else. survivors: of the group, in row order."""
    named = b"".join(position.to_bytes(2, "big") for position in survivors)
    words = (group.to_bytes(2, "big"), named, member.to_bytes(2, "big"))
    return tagged("foedus/holders/part/v1", context.to_bytes(), *words)


def part_of(version: bytes, place: Hash32, total: Hash32 | None, lanes: NDArray[np.uint32]) -> bytes:
    """A part. total: sha256 of the summed ciphertexts, None in the pad holder's; lanes: shape (batches * 4092,)."""
    return version + place + (total or _NO_SUM) + lanes.astype(">u4").tobytes()


def part_lanes(version: bytes, place: Hash32, total: Hash32 | None, lanes: int, blob: bytes) -> NDArray[np.uint32]:
    """A part's lanes. Raises MalformedPart."""
    if len(blob) != part_bytes(lanes) or blob[:4] != version:
        raise MalformedPart(f"{len(blob)} bytes that are no {version!r} of {part_bytes(lanes)}")
    if blob[4:36] != place:
        raise MalformedPart("a part of another opening, group, set of survivors or holder")
    if blob[36:_HEAD] != (total or _NO_SUM):
        raise MalformedPart("a decryption of other ciphertexts than the survivors' sum")
    found = np.frombuffer(blob, dtype=">u4", offset=_HEAD).astype(np.uint32)
    if version != FLOODED_PART and (found >= T).any():
        raise MalformedPart("a lane that is not below t")
    return found
