"""The masked update: y_i = u_i + PRG(b_i) + sum over j > i of PRG(s_ij) - sum over j < i of PRG(s_ij), modulo 2**32.

Double masking after Bonawitz et al., CCS 2017; the order of a pair is that of their positions. All masks of a block
are added while it is in cache.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO

import numpy as np

from foedus.aggregator.seeds import BLOCK_CHUNKS, Keystream
from foedus.protocol.chunks import CHUNK_BYTES, CHUNK_LANES, Lanes, MalformedLanes
from foedus.protocol.ids import Position, Seed

Term = tuple[Seed, int]
"""A seed, and the sign (+1 or -1) with which its mask is added."""


def pair_sign(owner: Position, other: Position) -> int:
    """The sign with which `owner` adds the mask that it shares with `other`; the other adds it with the opposite."""
    return 1 if other > owner else -1


def terms_of(owner: Position, own: Seed, pairs: Mapping[Position, Seed]) -> list[Term]:
    """All masks of one participant: its own, and one a neighbour."""
    return [(own, 1), *((seed, pair_sign(owner, other)) for other, seed in sorted(pairs.items()))]


def masked(update: Lanes, terms: Sequence[Term]) -> bytes:
    """The masked vector as it is stored: big-endian chunks.

    update: uint32, whole chunks. Raises MalformedLanes where it is not.
    """
    lanes = update.shape[0]
    if update.dtype != np.uint32 or update.ndim != 1 or lanes % CHUNK_LANES:
        raise MalformedLanes(f"an update of shape {update.shape}, {update.dtype}, is no vector of whole uint32 chunks")
    out = BytesIO(bytes(4 * lanes))  # the one buffer of the vector's size: written in place, handed out uncopied
    streams = [(Keystream(seed), np.add if sign > 0 else np.subtract) for seed, sign in terms]
    buffer = bytearray(CHUNK_BYTES * BLOCK_CHUNKS)
    mask = np.frombuffer(buffer, dtype=">u4")
    total = np.empty(BLOCK_CHUNKS * CHUNK_LANES, dtype=np.uint32)
    with out.getbuffer() as view:
        stored = np.frombuffer(view, dtype=">u4")
        for start in range(0, lanes, BLOCK_CHUNKS * CHUNK_LANES):
            block = update[start : start + BLOCK_CHUNKS * CHUNK_LANES]
            run = total[: block.shape[0]]
            run[:] = block
            for stream, combine in streams:
                stream.into(buffer, run.shape[0] // CHUNK_LANES)
                combine(run, mask[: run.shape[0]], out=run)
            stored[start : start + run.shape[0]] = run
        del stored
    return out.getvalue()
