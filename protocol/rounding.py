"""Stochastic rounding of a block where it lies: from a model's differences to lanes, without a copy.

A difference is scaled, clipped and cut to 2**-16 of a lane's step, towards zero, in the precision that it came in; 16
random bits then take it up or down to a whole step (Gupta et al., ICML 2015). So the mean is the value itself to within
2**-16 of a step, and zero stays zero. Every operation is IEEE 754's or an integer's, the same on every machine.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foedus.protocol.fixedpoint import Grid, NotRepresentable

NOISE_BITS = 16
_STEP = float(1 << NOISE_BITS)

_DIRECT = float((1 << 15) - 1)
"""Values up to this many steps are rounded in one 32-bit word, fraction and noise included."""

_PIECE = 1 << 13
"""Lanes beyond that are split into steps and fraction at a time: 32 KiB."""

Noise = NDArray[np.uint16]
"""Uniform 16-bit words, one fresh draw a lane."""


def round_block(
    grid: Grid, moved: NDArray[np.floating], shrink: float, weight: int, noise: Noise, out: NDArray[np.int32]
) -> None:
    """Write weight * stochastic_round(clip(shrink * moved) * 2**update_bits) to `out`.

    moved: float32 or float64, shape (n,), overwritten; float32 may lie in the memory of `out`. Raises NotRepresentable
    where a value is no number.
    """
    with np.errstate(over="ignore"):  # what leaves the precision is clipped
        np.multiply(moved, shrink * 2.0**grid.update_bits * _STEP, out=moved)
    bound = _at_most(grid.max_value, moved.dtype) * _STEP
    low, high = float(moved.min()), float(moved.max())
    if not (-bound <= low and high <= bound):
        if np.isnan(low) or np.isnan(high):
            raise NotRepresentable("an update holds a value that is no number: training diverged")
        np.clip(moved, -bound, bound, out=moved)
        low, high = max(low, -bound), min(high, bound)
    if max(-low, high) <= _DIRECT * _STEP:
        _round(moved, noise, out)
    else:
        _round_far(moved, noise, out)
    if weight != 1:
        np.multiply(out, weight, out=out)


def _at_most(value: int, dtype: np.dtype[np.floating]) -> float:
    """The largest number of a precision that is not above `value`."""
    near = dtype.type(value)
    return float(near if int(near) <= value else np.nextafter(near, dtype.type(0)))


def _round(steps: NDArray[np.floating], noise: Noise, out: NDArray[np.int32]) -> None:
    """Whole steps from values in units of 2**-16 of one, below 2**31."""
    np.copyto(out, steps, casting="unsafe")
    np.add(out, noise, out=out)
    np.right_shift(out, NOISE_BITS, out=out)


def _round_far(steps: NDArray[np.floating], noise: Noise, out: NDArray[np.int32]) -> None:
    """The same for values of any size: what is whole is taken off first, which is exact."""
    for start in range(0, out.shape[0], _PIECE):
        piece = slice(start, start + _PIECE)
        rest = steps[piece]
        np.multiply(rest, 1 / _STEP, out=rest)
        whole = np.trunc(rest)
        np.subtract(rest, whole, out=rest)
        np.multiply(rest, _STEP, out=rest)
        _round(rest, noise[piece], out[piece])
        np.add(out[piece], whole.astype(np.int32), out=out[piece])
