"""The two parts that open a group's sum in the mode `bfv`: D, the decryption of the summed ciphertexts, and P, the sum
of the pads.

    4 B   version: whose part it is
    32 B  place: opening, group, survivors, and the member whose part it is
    32 B  sha256 of the summed ciphertexts; zeros in the pad holder's part
    4 B   each lane, below t, big-endian
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from foedus.aggregator.he_params import BATCH, T, batches
from foedus.aggregator.pads import Residues
from foedus.protocol.commitments import Context, tagged
from foedus.protocol.ids import Hash32, Position

KEY_PART, PAD_PART = b"FDD\x01", b"FDQ\x01"
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
    return tagged("foedus/bfv/part/v1", context.to_bytes(), *words)


def key_part(place: Hash32, total: Hash32, decrypted: Residues) -> bytes:
    """The key holder's part. total: sha256 of the summed ciphertexts; decrypted: below t, shape (batches * 4092,)."""
    return KEY_PART + place + total + decrypted.astype(">u4").tobytes()


def pad_part(place: Hash32, pads: Residues) -> bytes:
    """The pad holder's part. pads: below t, shape (batches * 4092,)."""
    return PAD_PART + place + _NO_SUM + pads.astype(">u4").tobytes()


def part_lanes(version: bytes, place: Hash32, total: Hash32 | None, lanes: int, blob: bytes) -> Residues:
    """A part's lanes. total: as in the key holder's part, None for the pad holder's. Raises MalformedPart."""
    if len(blob) != part_bytes(lanes) or blob[:4] != version:
        raise MalformedPart(f"{len(blob)} bytes that are no {version!r} of {part_bytes(lanes)}")
    if blob[4:36] != place:
        raise MalformedPart("a part of another opening, group, set of survivors or holder")
    if blob[36:_HEAD] != (total if total is not None else _NO_SUM):
        raise MalformedPart("a decryption of other ciphertexts than the survivors' sum")
    found = np.frombuffer(blob, dtype=">u4", offset=_HEAD).astype(np.uint32)
    if (found >= T).any():
        raise MalformedPart("a lane that is not below t")
    return found
