"""Federated averaging, plain and with momentum on the server. `docs/rules.md` has the formulas and their rounding."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

import numpy as np

from foedus.aggregator.integers import INT32_MIN, Int32, moved, round_div, saturated, wrapped
from foedus.aggregator.state import blocks, joined, mean_lanes, parts
from foedus.protocol.fixedpoint import INT32_MAX, Grid
from foedus.protocol.terms import BETA_ONE, LEARNING_RATE_ONE

_HALF = BETA_ONE // 2


@dataclass(frozen=True, slots=True)
class FedAvg:
    """new = saturate(old + round_div(sum * 2**scale_bits * server_lr, 2**update_bits * 65536 * total weight)).

    McMahan et al., AISTATS 2017, with a server learning rate (Reddi et al., ICLR 2021, algorithm 1).
    """

    scale_bits: int
    update_bits: int
    server_lr: int

    @property
    def state_lanes(self) -> int:
        return 0

    def _fraction(self, weight: int) -> tuple[int, int]:
        """(multiplier, divisor) in lowest terms: what round_div makes of a sum does not depend on common factors."""
        over = self.server_lr << self.scale_bits
        under = (weight * LEARNING_RATE_ONE) << self.update_bits
        common = gcd(over, under)
        return over // common, under // common

    def step_lane(self, old: int, state: tuple[int, ...], total: int, weight: int) -> tuple[int, tuple[int, ...]]:
        """See Rule."""
        if weight == 0:
            return old, ()
        multiplier, divisor = self._fraction(weight)
        return saturated(old + round_div(total * multiplier, divisor)), ()

    def step(self, old: Int32, state: Int32, total: Int32, weight: int) -> tuple[Int32, Int32]:
        """See Rule."""
        if weight == 0:
            return old.copy(), state.copy()
        return moved(old, total.astype(np.int64), *self._fraction(weight)), state.copy()


@dataclass(frozen=True, slots=True)
class FedAvgM:
    """Momentum on the server: m' = saturate(beta1 * m + mean), new = saturate(old + server_lr * m').

    Hsu, Qi and Brown, "Measuring the Effects of Non-Identical Data Distribution for Federated Visual Classification",
    2019, section 4: the momentum is a sum of updates, up to 1 / (1 - beta1) of them, not their mean.
    """

    scale_bits: int
    grid: Grid
    server_lr: int
    beta1: int

    @property
    def state_lanes(self) -> int:
        return 1

    def _fraction(self) -> tuple[int, int]:
        over, under = self.server_lr << self.scale_bits, LEARNING_RATE_ONE << self.grid.state_bits
        common = gcd(over, under)
        return over // common, under // common

    def step_lane(self, old: int, state: tuple[int, ...], total: int, weight: int) -> tuple[int, tuple[int, ...]]:
        """See Rule."""
        if weight == 0:
            return old, state
        mean = wrapped(round_div(total << self.grid.state_shift, weight))
        momentum = saturated(round_div(self.beta1 * state[0], BETA_ONE) + mean)
        multiplier, divisor = self._fraction()
        return saturated(old + round_div(momentum * multiplier, divisor)), (momentum,)

    def step(self, old: Int32, state: Int32, total: Int32, weight: int) -> tuple[Int32, Int32]:
        """See Rule."""
        if weight == 0:
            return old.copy(), state.copy()
        new, after = np.empty_like(old), np.empty_like(state)
        for model, lanes in blocks(old.size, self.state_lanes):
            (momentum,) = parts(state[lanes], self.state_lanes)
            decayed = (self.beta1 * momentum + _HALF) >> 16
            momentum = np.clip(decayed + mean_lanes(self.grid, total[model], weight), INT32_MIN, INT32_MAX)
            new[model] = moved(old[model], momentum, *self._fraction())
            after[lanes] = joined(momentum)
        return new, after
