"""Vectors of 32-bit lanes as the network stores and commits them: big-endian, in chunks of 256 lanes (1 KiB)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from foedus.protocol.ids import Hash32
from foedus.protocol.merkle import leaf_hashes, merkle_root

CHUNK_LANES = 256
CHUNK_BYTES = 4 * CHUNK_LANES

Lanes = NDArray[np.uint32]
"""A vector of lanes modulo 2**32, native order in memory, shape (k * 256,)."""


class MalformedLanes(ValueError):
    """Bytes that are no whole number of chunks, or not as many as were promised."""


def padded(lanes: int) -> int:
    """The number of lanes after padding to whole chunks."""
    return -(-lanes // CHUNK_LANES) * CHUNK_LANES


def lanes_to_bytes(lanes: NDArray[np.uint32] | NDArray[np.int32]) -> bytes:
    """Big-endian bytes of the lanes, 4 a lane; signed lanes in two's complement."""
    return lanes.astype(">u4" if lanes.dtype.kind == "u" else ">i4").tobytes()


def lanes_from_bytes(blob: bytes, lanes: int) -> Lanes:
    """The uint32 lanes in `blob`. Raises MalformedLanes unless it holds exactly `lanes` of them, whole chunks."""
    if lanes % CHUNK_LANES or len(blob) != 4 * lanes:
        raise MalformedLanes(f"{len(blob)} bytes where {lanes} lanes need {4 * lanes}")
    return np.frombuffer(blob, dtype=">u4").astype(np.uint32)


def chunk_hashes(blob: bytes) -> list[bytes]:
    """The leaf hash of every 1 KiB chunk of a vector's bytes. Raises MalformedLanes unless they are whole chunks."""
    return leaf_hashes(_chunks(blob))


def vector_root(blob: bytes) -> Hash32:
    """The Merkle root over a vector's chunks: `model_root` of a model, `update_root` of a masked update."""
    return merkle_root(_chunks(blob))


def _chunks(blob: bytes) -> Iterator[memoryview]:
    if len(blob) % CHUNK_BYTES:
        raise MalformedLanes(f"{len(blob)} bytes are no whole number of {CHUNK_BYTES}-byte chunks")
    view = memoryview(blob)
    return (view[at : at + CHUNK_BYTES] for at in range(0, len(blob), CHUNK_BYTES))
