"""Real numbers as integers: the model's fixed-point lanes and the update's grid.

A model lane is round(value * 2**scale_bits) as int32. An update lane is weight * round(delta * 2**update_bits), rounded
up or down at random so that its mean is the value itself (stochastic rounding: Gupta et al., ICML 2015), and is
added modulo 2**32. Rounding, saturation and refusal are the same on every machine: all steps are exact in float64
or integer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foedus.protocol.chunks import Lanes

INT32_MAX = 2**31 - 1
STATE_ROOM_BITS = 28
"""The largest mean update takes this many bits of a lane of the server's state: sums of 8 of them and more fit."""

SUM_BOUND = 2**27
"""Terms keep participants * max_weight * max_value at or below this, so that an honest sum never wraps."""

BLOCK_LANES = 1 << 14
"""Lanes that are quantised at a time: 128 KiB a temporary, which stays in cache."""


class NotRepresentable(ValueError):
    """A value that is not finite or does not fit its lanes."""


def to_fixed(values: NDArray[np.floating], scale_bits: int) -> NDArray[np.int32]:
    """Model values to int32 lanes, rounding half to even.

    Raises NotRepresentable for NaN, infinities and magnitudes of 2**(31 - scale_bits) and more.
    """
    scaled = np.rint(np.asarray(values, dtype=np.float64) * float(2**scale_bits))
    good = np.abs(scaled) <= INT32_MAX
    if not good.all():
        at = int(np.argmin(good))
        raise NotRepresentable(
            f"lane {at} holds {float(np.asarray(values).reshape(-1)[at])}, outside +-{2.0 ** (31 - scale_bits)}: "
            f"lower scale_bits ({scale_bits}) in the task or keep the model's values smaller"
        )
    return scaled.astype(np.int32)


def from_fixed(lanes: NDArray[np.int32], scale_bits: int) -> NDArray[np.float64]:
    """int32 lanes to float64 values, exactly."""
    return lanes.astype(np.float64) / float(2**scale_bits)


@dataclass(frozen=True, slots=True)
class Grid:
    """How an update is clipped and quantised.

    update_bits: fractional bits of a lane; max_value: the largest magnitude of a lane per unit of weight;
    max_weight: the cap on a participant's weight; clip_norm: the L2 bound on the whole delta (0: none).
    """

    update_bits: int
    max_value: int
    max_weight: int
    clip_norm: float

    @property
    def state_shift(self) -> int:
        """Fractional bits of the server's state beyond `update_bits`: as many as keep max_value below 2**28."""
        return STATE_ROOM_BITS - self.max_value.bit_length()

    @property
    def state_bits(self) -> int:
        """Fractional bits of a lane of the server's state."""
        return self.update_bits + self.state_shift

    def clip(self, delta: NDArray[np.float64]) -> NDArray[np.float64]:
        """`delta` scaled down to an L2 norm of `clip_norm`, and each value to the grid's range.

        Raises NotRepresentable where a value is NaN or infinite.
        """
        bound = self.max_value / float(2**self.update_bits)
        return np.clip(delta * self._shrink(delta), -bound, bound)

    def _shrink(self, delta: NDArray[np.float64]) -> float:
        """What `delta` is multiplied by to have the norm it may have."""
        norm = float(np.sqrt(np.dot(delta, delta)))
        if not np.isfinite(norm) and not np.isfinite(delta).all():  # finite values may have an infinite norm
            at = int(np.argmin(np.isfinite(delta)))
            raise NotRepresentable(f"lane {at} is {float(delta[at])}: training diverged, lower its learning rate")
        return self.clip_norm / norm if self.clip_norm and norm > self.clip_norm else 1.0

    def check_weight(self, weight: int) -> None:
        """Raises NotRepresentable for a weight outside 1..max_weight."""
        if not 1 <= weight <= self.max_weight:
            raise NotRepresentable(f"weight {weight} is outside 1..{self.max_weight}")

    def quantise(self, delta: NDArray[np.float64], weight: int, noise: NDArray[np.uint32]) -> Lanes:
        """The update's lanes modulo 2**32: weight * stochastic_round(clip(delta) * 2**update_bits).

        delta: float64, shape (n,); noise: uniform uint32, shape (n,), one fresh draw a lane. Made in blocks that stay
        in cache. Raises NotRepresentable for a weight outside 1..max_weight or values that are not finite.
        """
        self.check_weight(weight)
        factor, bound = self._shrink(delta) * float(2**self.update_bits), float(self.max_value)
        lanes: Lanes = np.empty(delta.shape, dtype=np.uint32)
        numbers, scaled, floor = signed(lanes), np.empty(BLOCK_LANES), np.empty(BLOCK_LANES)
        for start in range(0, delta.shape[0], BLOCK_LANES):
            part = delta[start : start + BLOCK_LANES]
            above, whole = scaled[: part.shape[0]], floor[: part.shape[0]]
            np.multiply(part, factor, out=above)
            np.clip(above, -bound, bound, out=above)
            np.floor(above, out=whole)
            np.subtract(above, whole, out=above)
            np.multiply(above, 4294967296.0, out=above)
            np.add(whole, noise[start : start + BLOCK_LANES] < above, out=whole)
            if weight != 1:
                np.multiply(whole, float(weight), out=whole)  # exact, and within 2**27
            numbers[start : start + BLOCK_LANES] = whole
        return lanes

    def in_range(self, lanes: NDArray[np.int32], weight: int) -> bool:
        """Whether a sum of updates of total weight `weight` could be honest: no lane beyond weight * max_value."""
        bound = weight * self.max_value
        return int(lanes.max(initial=0)) <= bound and int(lanes.min(initial=0)) >= -bound


def signed(lanes: Lanes) -> NDArray[np.int32]:
    """Lanes modulo 2**32 read as two's complement int32, without a copy."""
    view: NDArray[np.int32] = lanes.view(np.int32)
    return view
