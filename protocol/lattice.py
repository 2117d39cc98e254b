"""How the mode `rlwe` makes room for its noise: values are spread apart by a scale, and sums keep to a bound.

Each lane of a masked update carries a noise: the heads among 32 fair coins. The noise of n participants is
Binomial(32 n, 1/2), and by Hoeffding's inequality (1963) it is further than 38 sqrt(n) from its mean, 16 n, with a
chance below 2 exp(-38**2 / 16) < 2**-129 a lane. So values that are `scale(n)` apart are read back from a noisy sum.
"""

from __future__ import annotations

from math import isqrt

COINS = 32
"""Fair coins in a lane's noise: a standard deviation of sqrt(8) = 2.83."""

_SPREAD = 38
"""How many square roots of n the noise of n participants may be off its mean."""

_ROOM = 2**30
"""What a scaled sum may amount to: half of what a lane can hold, so that a sum that was opened wrong shows."""


def spread(members: int) -> int:
    """How far off its mean the noise of so many may be where sums are read back: 38 sqrt(members), rounded up."""
    return isqrt(_SPREAD * _SPREAD * members - 1) + 1


def scale(members: int) -> int:
    """How far apart values are in a group of so many: twice the spread, and one."""
    return 2 * spread(members) + 1


def room(members: int) -> int:
    """The largest magnitude of a sum in a group of so many."""
    return _ROOM // scale(members)
