"""The code of LightSecAgg (So et al., MLSys 2022): a mask in pieces, any `needed` of which give it back.

Lane by lane there is one polynomial f of degree below `needed`. Member x of 1..members holds f(x); the mask's lanes are
f(-1), f(-2), ... f(-splits). A polynomial of that degree is free at `needed` places, so whatever the mask is, any
`private` pieces are as uniform as without it (splits = needed - private).

The free places are chosen where that costs least: f(1), ..., f(needed) are drawn from seeds, so that a seed of 32 bytes
stands for such a piece (as in Prio: Corrigan-Gibbs and Boneh, NSDI 2017, appendix I); what remains to compute, and to
send whole, are the pieces after them and the mask. The distribution is the paper's, where the mask and random parts are
drawn and all pieces computed.

Every piece ends with CHECKS lanes that carry no mask: see `dealing`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from foedus.aggregator.lightsecagg.field import MAX_COLUMNS, RUN, Elements, Matrix, Uniform, add, floats, lagrange

CHECKS = 3
"""Lanes of a piece that only hide what its dealer shows of the others."""

ALIGN = 32
"""Lanes of a piece, but for those of the checks, are a multiple of this."""

_CUT = 1 << 12
"""Columns that are multiplied at a time, which keeps them in cache."""


class UnfitCode(ValueError):
    """Numbers of which there is no such code."""


@dataclass(frozen=True, slots=True)
class Code:
    """members: who hold pieces; needed: how many of them decode; private: how many learn nothing; lanes: of a mask."""

    members: int
    needed: int
    private: int
    lanes: int

    def __post_init__(self) -> None:
        if not (0 <= self.private < self.needed <= MAX_COLUMNS and self.lanes > 0 and self.members >= 0):
            raise UnfitCode(f"{self}: 0 <= private < needed <= {MAX_COLUMNS} must hold, and lanes be positive")

    @property
    def splits(self) -> int:
        """Into how many parts a mask is cut."""
        return self.needed - self.private

    @property
    def cut_lanes(self) -> int:
        """Lanes of each part, the last padded; of each piece, but for the checks."""
        return -(-self.lanes // (self.splits * ALIGN)) * ALIGN

    @property
    def piece_lanes(self) -> int:
        return self.cut_lanes + CHECKS

    @property
    def drawn(self) -> range:
        """The places that are drawn from seeds. Where members are fewer than needed, some are nobody's."""
        return range(1, self.needed + 1)

    @property
    def whole(self) -> range:
        """The members whose pieces are computed and sent whole."""
        return range(self.needed + 1, self.members + 1)

    @property
    def mask_places(self) -> range:
        """Where the polynomial is the mask, part by part."""
        return range(-1, -1 - self.splits, -1)


@lru_cache(maxsize=64)
def _matrix(points: tuple[int, ...], targets: tuple[int, ...]) -> Matrix:
    return Matrix(lagrange(points, targets))


def deal(code: Code, seeds: Sequence[bytes], total: Elements) -> list[Elements]:
    """Add the mask that the seeds make to `total`, and compute the pieces that are sent whole.

    seeds: one a place of `code.drawn`, 32 bytes each, fresh; total: elements, shape (splits * cut_lanes,), changed in
    place. Gives an element vector of shape (piece_lanes,) a place of `code.whole`.
    """
    assert len(seeds) == code.needed
    streams = [Uniform(seed) for seed in seeds]
    made = _matrix(tuple(code.drawn), (*code.mask_places, *code.whole))
    whole = [np.empty(code.piece_lanes, dtype=np.uint32) for _ in code.whole]
    rows, part = total.reshape(code.splits, code.cut_lanes), np.empty((code.needed, _CUT), dtype=np.float64)
    drawn, scratch = np.empty((code.needed, RUN), dtype=np.uint32), np.empty((code.splits, _CUT), dtype=np.uint32)
    computed = np.empty((code.splits + len(whole), _CUT), dtype=np.uint32)
    for start in (*range(0, code.cut_lanes, RUN), code.cut_lanes):
        run = drawn[:, : min(RUN, code.cut_lanes - start) or CHECKS]
        for stream, row in zip(streams, run, strict=True):
            stream.into(row)
        for low in range(0, run.shape[1], _CUT):
            piece = run[:, low : low + _CUT]
            given = part[:, : piece.shape[1]]
            floats(piece, given)
            found = made.times(given, computed[:, : piece.shape[1]])
            at = slice(start + low, start + low + piece.shape[1])
            if start < code.cut_lanes:
                add(rows[:, at], found[: code.splits], scratch[:, : piece.shape[1]])
            for out, row in zip(whole, found[code.splits :], strict=True):
                out[at] = row
    return whole


def decode(code: Code, pieces: Mapping[int, Elements]) -> Elements:
    """The mask, or the sum of masks, of which `pieces` (by place, without the checks' lanes: shape (cut_lanes,)) are
    pieces, or sums of pieces. Exactly `needed` are used, the lowest places. Elements, shape (splits * cut_lanes,)."""
    points = tuple(sorted(pieces)[: code.needed])
    assert len(points) == code.needed
    matrix = _matrix(points, tuple(code.mask_places))
    total = np.empty((code.splits, code.cut_lanes), dtype=np.uint32)
    given = np.empty((code.needed, RUN), dtype=np.float64)
    for start in range(0, code.cut_lanes, RUN):
        size = min(RUN, code.cut_lanes - start)
        for row, point in zip(given, points, strict=True):
            floats(pieces[point][start : start + size], row[:size])
        for low in range(0, size, _CUT):
            high = min(low + _CUT, size)
            matrix.times(given[:, low:high], total[:, start + low : start + high])
    return total.reshape(-1)


def summed(code: Code, seeds: Sequence[bytes], whole: Sequence[Elements]) -> Elements:
    """The sum of pieces of one place, drawn from seeds or whole, without the checks' lanes: shape (cut_lanes,)."""
    streams = [Uniform(seed) for seed in seeds]
    total = np.zeros(code.cut_lanes, dtype=np.uint32)
    drawn, scratch = np.empty(RUN, dtype=np.uint32), np.empty(RUN, dtype=np.uint32)
    for start in range(0, code.cut_lanes, RUN):
        run = total[start : start + RUN]
        for stream in streams:
            stream.into(drawn[: run.size])
            add(run, drawn[: run.size], scratch[: run.size])
        for piece in whole:
            add(run, piece[start : start + run.size], scratch[: run.size])
    return total
