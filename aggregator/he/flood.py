"""Gaussian noise from a cryptographic source, for decryptions that would otherwise tell their errors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foedus.aggregator.keys import Random

DEVIATION = 1 / 32
"""Of the noise on a lane, in steps of the grid: more than 2**10 times the error of a sum of 1,024 ciphertexts. The
source has 53 bits, so no value exceeds 8.6 deviations, 0.27 of a step: rounding takes the noise away with the error."""


def gaussian(count: int, random: Random) -> NDArray[np.float64]:
    """So many independent values of deviation 1 (Box and Muller, 1958): float64, shape (count,)."""
    half = -(-count // 2)
    words = np.frombuffer(random(16 * half), dtype="<u8") >> np.uint64(11)
    one, other = ((words + 1) * 2.0**-53).reshape(2, half)  # above 0, at most 1
    radius, angle = np.sqrt(-2 * np.log(one)), 2 * np.pi * other
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:count]


def flooded(lanes: NDArray[np.float64], random: Random) -> NDArray[np.int64]:
    """Lanes with noise, rounded to whole numbers: int64, of the same shape."""
    noise = gaussian(lanes.size, random).reshape(lanes.shape) * DEVIATION
    return np.rint(lanes + noise).astype(np.int64)
