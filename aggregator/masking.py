"""The masked update: y_i = u_i + PRG(b_i) + sum over j > i of PRG(s_ij) - sum over j < i of PRG(s_ij), modulo 2**32.

Double masking after Bonawitz et al., CCS 2017; the order of a pair is that of their positions. A block of the update is
made, masked and put in the other byte order where it will stay, while it is in cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO

import numpy as np

from foedus.aggregator.lanesource import BLOCK_LANES, LaneSource, source_of
from foedus.aggregator.seeds import ZEROS, Keystream
from foedus.protocol.chunks import Lanes
from foedus.protocol.ids import Position, Seed

Term = tuple[Seed, int]
"""A seed, and the sign (+1 or -1) with which its mask is added."""

_SWAP_LANES = 1 << 12
"""numpy swaps bytes through a buffer of so many lanes: 16 KiB, which the nearest cache holds."""


def pair_sign(owner: Position, other: Position) -> int:
    """The sign with which `owner` adds the mask that it shares with `other`; the other adds it with the opposite."""
    return 1 if other > owner else -1


def terms_of(owner: Position, own: Seed, pairs: Mapping[Position, Seed]) -> list[Term]:
    """All masks of one participant: its own, and one a neighbour."""
    return [(own, 1), *((seed, pair_sign(owner, other)) for other, seed in sorted(pairs.items()))]


def masked(update: Lanes | LaneSource, terms: Sequence[Term], first_chunk: int = 0) -> bytes:
    """The masked vector as it is stored: big-endian chunks.

    update: an array, uint32, whole chunks, or what makes its lanes block by block; first_chunk: which of the masks'
    chunks its first one is. Raises MalformedLanes where an array is something else, and what the source raises.
    """
    source = source_of(update)
    out = BytesIO(bytes(4 * source.lanes))  # the one buffer of the vector's size: written in place, handed out uncopied
    view = out.getbuffer()
    mask_into(view, source, terms, first_chunk)
    view.release()
    return out.getvalue()


def mask_into(view: memoryview, source: LaneSource, terms: Sequence[Term], first_chunk: int = 0) -> None:
    """The same, to memory of 4 bytes a lane, which may be where an array's lanes come from."""
    lanes, stored = np.frombuffer(view, dtype=np.uint32), np.frombuffer(view, dtype=">u4")
    room = memoryview(bytearray(4 * min(BLOCK_LANES, source.lanes)))
    mask, fill = np.frombuffer(room, dtype=">u4"), source.begin()
    masks = [(Keystream(seed, first_chunk).xor_into, np.add if sign > 0 else np.subtract) for seed, sign in terms]
    with _short_buffers():
        for start in range(0, source.lanes, BLOCK_LANES):
            block = slice(start, start + BLOCK_LANES)
            run = lanes[block]
            still, piece, words = ZEROS[: run.nbytes], room[: run.nbytes], mask[: run.shape[0]]
            fill(run)
            for draw, combine in masks:
                draw(still, piece)
                combine(run, words, run)
            np.copyto(stored[block], run)


@contextmanager
def _short_buffers() -> Iterator[None]:
    before = np.setbufsize(_SWAP_LANES)
    try:
        yield
    finally:
        np.setbufsize(before)
