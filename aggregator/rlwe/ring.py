"""Products in the ring Z[X] / (X**2048 + 1) modulo 2**32: what the masks of the mode `rlwe` are made of.

A polynomial is multiplied by a short one through a complex Fourier transform of half its length: coefficients j and
j + 1024 are the two parts of one complex number, turned by j / 2048 of a half circle, which makes the cyclic product
negacyclic (the right-angle convolution of Crandall and Fagin, Math. Comp. 62, 1994). Rounded to whole numbers, the
result is exact: after Percival (Math. Comp. 72, 2003, section 5), no coefficient is off by more than 150 * 2**-53 times
the product of the two Euclidean norms, with the three turns counted in, and `Multiplier` keeps that below 0.3. So the
integers do not depend on the library or the processor.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from foedus.aggregator.seeds import Keystream
from foedus.protocol.chunks import CHUNK_LANES, Lanes
from foedus.protocol.ids import Seed

DEGREE = 8 * CHUNK_LANES
"""Coefficients of a polynomial: 2048, or 8 chunks of lanes."""

RUN = 16
"""Polynomials that are multiplied at a time: 128 KiB of lanes, which with all that is made of them stays in cache."""

_HALF = DEGREE // 2
_TURN = np.exp(1j * np.pi * np.arange(_HALF) / DEGREE)
_TURN_BACK = _TURN.conj()

_WHOLE = 1.5 * 2.0**52
"""Added to a number below 2**51, it leaves the number, rounded, in the sum's lowest bits."""

_SHORT, _LONG = 1 << 15, 1 << 47
"""The largest sums of squares of a factor, for one pass over whole coefficients (of norm 2**36.5 together) and for two
over halves of them (2**20.5 each)."""


class Multiplier:
    """Products with one factor. factor: whole numbers, shape (2048,), the sum of whose squares is at most 2**47; up to
    2**15 (as of a participant's secret) they take half the time. Raises ValueError beyond."""

    def __init__(self, factor: NDArray[np.int64]) -> None:
        squares = float(np.square(factor.astype(np.float64)).sum())
        if factor.shape != (DEGREE,) or squares > _LONG:
            raise ValueError(f"a factor of shape {factor.shape} and norm {squares**0.5:.3g} is not multiplied exactly")
        self._passes = 1 if squares <= _SHORT else 2
        self._transform = np.fft.fft((factor[:_HALF] + 1j * factor[_HALF:]) * _TURN)
        self._turned = np.empty((RUN, _HALF), dtype=np.complex128)

    def times(self, rows: NDArray[np.int32], out: Lanes) -> None:
        """Each row's product modulo 2**32, to `out`: both of shape (k, 2048), k at most 16, with coefficients j and
        j + 1024 of a row's polynomial at its places 2 j and 2 j + 1."""
        if self._passes == 1:
            self._once(rows, out)
            return
        low = rows.astype(np.int16)
        self._once((rows - low) >> 16, out)
        np.left_shift(out, np.uint32(16), out=out)
        rest = np.empty_like(out)
        self._once(low, rest)
        np.add(out, rest, out=out)

    def _once(self, rows: NDArray[np.signedinteger], out: Lanes) -> None:
        turned = self._turned[: rows.shape[0]]
        numbers = turned.view(np.float64)
        np.copyto(numbers, rows)
        np.multiply(turned, _TURN, out=turned)
        np.fft.fft(turned, out=turned)
        np.multiply(turned, self._transform, out=turned)
        np.fft.ifft(turned, out=turned)
        np.multiply(turned, _TURN_BACK, out=turned)
        np.add(numbers, _WHOLE, out=numbers)
        np.copyto(out, turned.view(np.uint64), casting="same_kind")


def products(seed: Seed, factor: NDArray[np.int64], lanes: int) -> Iterator[Lanes]:
    """The public polynomials of a seed, each times `factor`, modulo 2**32: `lanes` lanes in runs of at most 32,768.

    Polynomial k is the keystream of chunks 8 k to 8 k + 7 (`seeds.Keystream`), read as little-endian signed lanes and
    placed as in `Multiplier.times`. A run is overwritten by the next.
    """
    multiplier, stream = Multiplier(factor), Keystream(seed)
    buffer, out = bytearray(4 * RUN * DEGREE), np.empty((RUN, DEGREE), dtype=np.uint32)
    drawn = np.frombuffer(buffer, dtype="<i4").reshape(RUN, DEGREE)
    for start in range(0, lanes, RUN * DEGREE):
        size = min(RUN * DEGREE, lanes - start)
        rows = -(-size // DEGREE)
        stream.into(buffer, rows * DEGREE // CHUNK_LANES)
        multiplier.times(drawn[:rows], out[:rows])
        yield out.reshape(-1)[:size]
