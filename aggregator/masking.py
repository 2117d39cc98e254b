"""The masked update: y_i = u_i + PRG(b_i) + sum over j > i of PRG(s_ij) - sum over j < i of PRG(s_ij), modulo 2**32.

Double masking after Bonawitz et al., CCS 2017; the order of a pair is that of their positions. A block of the update is
made and masked while it is in cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from foedus.aggregator.lanesource import BLOCK_LANES, Fill, LaneSource, source_of, stored
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


class MaskedLanes:
    """The lanes of an update with masks added, a LaneSource.

    update: an array, uint32, whole chunks, or what makes its lanes block by block; first_chunk: which of the masks'
    chunks its first one is. Raises MalformedLanes where an array is something else, and what the source raises.
    """

    def __init__(self, update: Lanes | LaneSource, terms: Sequence[Term], first_chunk: int = 0) -> None:
        self._source, self._terms, self._first_chunk = source_of(update), terms, first_chunk

    @property
    def lanes(self) -> int:
        return self._source.lanes

    def begin(self) -> Fill:
        fill, room = self._source.begin(), memoryview(bytearray(4 * min(BLOCK_LANES, self.lanes)))
        mask = np.frombuffer(room, dtype=">u4")
        masks = [
            (Keystream(seed, self._first_chunk).xor_into, np.add if sign > 0 else np.subtract)
            for seed, sign in self._terms
        ]

        def masked_fill(out: Lanes) -> None:
            fill(out)
            still, piece, words = ZEROS[: out.nbytes], room[: out.nbytes], mask[: out.shape[0]]
            with _short_buffers():
                for draw, combine in masks:
                    draw(still, piece)
                    combine(out, words, out)

        return masked_fill


def masked(update: Lanes | LaneSource, terms: Sequence[Term], first_chunk: int = 0) -> bytes:
    """The masked vector as it is stored: see MaskedLanes."""
    return stored(MaskedLanes(update, terms, first_chunk))


@contextmanager
def _short_buffers() -> Iterator[None]:
    before = np.setbufsize(_SWAP_LANES)
    try:
        yield
    finally:
        np.setbufsize(before)
