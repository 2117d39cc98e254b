"""Whether a dealer's pieces are one code word, shown without showing any of it.

Once all pieces are committed, their hashes make a challenge r: a random linear map from a piece's lanes to CHECKS
elements. For every member the dealer publishes r of its piece plus the piece's own last CHECKS lanes. Those are pieces
of further random polynomials, so what is published is uniform; and a linear map of a code word is a code word, so its
values at the `needed` drawn places say all of it. A member whose piece does not give the published value holds a piece
of no mask, or of another one. A wrong piece passes with a chance of (6 / p)**3 < 2**-85. (The random combination that
Rabin and Ben-Or, STOC 1989, verify sharings by, with a challenge after Fiat and Shamir, CRYPTO 1986.)

r is a product of small maps, so that it need not be as long as a piece: of 32 lanes one is made, again and again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from foedus.aggregator.lightsecagg.coded import ALIGN, CHECKS, Code
from foedus.aggregator.lightsecagg.field import Elements, Matrix, P, Uniform, floats, lagrange, uniform

_LEVELS = 6
"""32**6 lanes are more than any piece has."""

_RUN = 1 << 16
"""Lanes that are combined at a time."""


class Challenge:
    """The map that a seed of 32 bytes stands for."""

    def __init__(self, seed: bytes) -> None:
        factors = uniform(seed, _LEVELS * CHECKS * ALIGN).reshape(_LEVELS, CHECKS, ALIGN)
        self._maps = [Matrix(level.tolist()) for level in factors]
        self._floats = np.empty(_RUN, dtype=np.float64)

    def first(self, lanes: Elements) -> Elements:
        """32 lanes into one: shape (32 k,), k at most 2048, to (CHECKS, k)."""
        given = self._floats[: lanes.size]
        floats(lanes, given)
        return self._maps[0].times(given.reshape(-1, ALIGN).T, np.empty((CHECKS, lanes.size // ALIGN), dtype=np.uint32))

    def rest(self, rows: Elements) -> Elements:
        """What `first` made of whole pieces, to one element for each: (CHECKS, pieces, k) to (CHECKS, pieces)."""
        checks, pieces, _ = rows.shape
        for level in self._maps[1:]:
            padded = np.zeros((checks, pieces, -(-rows.shape[2] // ALIGN) * ALIGN), dtype=np.float64)
            padded[:, :, : rows.shape[2]] = rows
            given = padded.reshape(-1, ALIGN).T
            every = level.times(given, np.empty((checks, given.shape[1]), dtype=np.uint32))
            every = every.reshape(checks, checks, pieces, -1)
            rows = np.stack([every[check, check] for check in range(checks)])
        return rows[:, :, 0]

    def of(self, lanes: Elements) -> Elements:
        """The map of one piece's lanes: shape (32 k,) to (CHECKS,)."""
        rows = [self.first(lanes[start : start + _RUN]) for start in range(0, lanes.size, _RUN)]
        return self.rest(np.concatenate(rows, axis=1)[:, None, :])[:, 0]


def shown(code: Code, challenge: Challenge, seeds: Sequence[bytes]) -> Elements:
    """What a dealer publishes: r of each drawn piece plus its last lanes, shape (needed, CHECKS)."""
    rows = np.empty((CHECKS, code.needed, code.cut_lanes // ALIGN), dtype=np.uint32)
    hidden = np.empty((code.needed, CHECKS), dtype=np.uint32)
    lanes = np.empty(_RUN, dtype=np.uint32)
    for at, stream in enumerate(Uniform(seed) for seed in seeds):
        for start in range(0, code.cut_lanes, _RUN):
            run = lanes[: min(_RUN, code.cut_lanes - start)]
            stream.into(run)
            rows[:, at, start // ALIGN : (start + run.size) // ALIGN] = challenge.first(run)
        stream.into(hidden[at])
    return _plus(challenge.rest(rows).T, hidden)


def fits(code: Code, challenge: Challenge, published: Elements, place: int, piece: Elements) -> bool:
    """Whether a piece, shape (piece_lanes,), is what `shown` says of its place."""
    mine: list[int] = _plus(challenge.of(piece[: code.cut_lanes]), piece[code.cut_lanes :]).tolist()
    (row,) = lagrange(code.drawn, [place])
    due = [sum(factor * int(value) for factor, value in zip(row, values, strict=True)) % P for values in published.T]
    return mine == due


def _plus(one: Elements, other: Elements) -> Elements:
    return ((one.astype(np.uint64) + other) % P).astype(np.uint32)
