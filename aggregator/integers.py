"""The arithmetic of the server rules: divisions and roots with their rounding written down, saturation at int32.

Division is floor((2 a + b) / (2 b)) with b > 0: the nearest integer, halves up, where floor rounds towards minus
infinity (Solidity truncates towards zero and must correct for it). Functions on arrays are those on integers, lane by
lane: in int64 where that provably fits, else in unbounded integers, slower and equal.
"""

from __future__ import annotations

from math import isqrt

import numpy as np
from numpy.typing import NDArray

from foedus.protocol.fixedpoint import INT32_MAX

INT32_MIN = -(2**31)
INT64_MAX = 2**63 - 1
_PAST_INT32 = 2**33
"""A step of this size saturates any lane."""

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]


def round_div(a: int, b: int) -> int:
    """a / b to the nearest integer, halves up; b > 0."""
    return (2 * a + b) // (2 * b)


def saturated(value: int) -> int:
    """The nearest int32."""
    return max(INT32_MIN, min(INT32_MAX, value))


def wrapped(value: int) -> int:
    """The int32 that is equal modulo 2**32."""
    return (value - INT32_MIN) % 2**32 + INT32_MIN


def nearest_root(x: int) -> int:
    """The integer nearest to the square root of x >= 0, which is never half-way between two."""
    return (isqrt(4 * x) + 1) // 2


def nearest_roots(x: Int64) -> Int64:
    """`nearest_root` of every lane, none negative.

    float64 gets within one of it; of that candidate n, n**2 - n < x <= n**2 + n tells exactly. n**2 may be 2**63 and
    wrap: x - n**2, which is small, then comes out right all the same.
    """
    near = np.rint(np.sqrt(x.astype(np.float64))).astype(np.int64)
    off = x - near * near
    near += off > near
    near -= off <= -near
    return np.maximum(near, 0, out=near)


def moved(old: Int32, by: Int64, multiplier: int, divisor: Int64 | int) -> Int32:
    """saturated(old + round_div(by * multiplier, divisor)), shape (n,); divisor > 0, one for all or one a lane.

    |2 by * multiplier| + divisor <= 2**63 - 1 bounds the dividend, the quotient is no larger, and old adds 2**31 after
    the quotient is cut to +-2**33, past which it saturates anyway.
    """
    widest = divisor if isinstance(divisor, int) else int(divisor.max(initial=1))
    largest = max(abs(int(by.max(initial=0))), abs(int(by.min(initial=0))))
    if 2 * largest * multiplier + widest <= INT64_MAX and 2 * widest <= INT64_MAX:
        step = np.floor_divide(by * (2 * multiplier) + divisor, 2 * divisor)
        new: Int32 = np.clip(old + np.clip(step, -_PAST_INT32, _PAST_INT32), INT32_MIN, INT32_MAX).astype(np.int32)
        return new
    divisors = [divisor] * by.size if isinstance(divisor, int) else divisor.tolist()
    rows = zip(old.tolist(), by.tolist(), divisors, strict=True)
    return np.array([saturated(a + round_div(b * multiplier, under)) for a, b, under in rows], dtype=np.int32)
