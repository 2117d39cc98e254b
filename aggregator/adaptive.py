"""The adaptive rules: FedAdam, FedYogi and FedAdagrad (Reddi et al., ICLR 2021, algorithm 2; no bias correction).

    m' = beta1 m + (1 - beta1) mean
    v' = beta2 v + (1 - beta2) mean^2                         FedAdam
         v - (1 - beta2) mean^2 sign(v - mean^2)              FedYogi
         v + mean^2                                           FedAdagrad
    new = old + server_lr m' / (sqrt(v') + tau)

The state keeps r = sqrt(v), not v: an int32 lane then has the range of the mean itself. The paper starts from
v = tau^2, so what is stored is r - tau, and all-zero lanes are that start. `docs/rules.md` has every rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import Literal, assert_never

import numpy as np

from foedus.aggregator.integers import Int32, Int64, moved, nearest_root, nearest_roots, round_div, saturated, wrapped
from foedus.aggregator.state import blocks, joined, mean_lanes, parts
from foedus.protocol.fixedpoint import INT32_MAX, Grid
from foedus.protocol.terms import BETA_ONE, LEARNING_RATE_ONE

Second = Literal["adam", "yogi", "adagrad"]
"""How the second moment goes on."""

_HALF = BETA_ONE // 2
_LOW = BETA_ONE - 1


@dataclass(frozen=True, slots=True)
class Adaptive:
    """One of the three; state lanes: m, and r - tau.

    beta1, beta2: 65536 is 1; tau: in state lanes, at least 1. A stored lane is read as (lane + tau) mod 2**31, which
    is r for every lane that a rule wrote, and some r for any other.
    """

    second: Second
    scale_bits: int
    grid: Grid
    server_lr: int
    beta1: int
    beta2: int
    tau: int

    @property
    def state_lanes(self) -> int:
        return 2

    def _fraction(self) -> tuple[int, int]:
        """server_lr in model lanes, as (multiplier, divisor) in lowest terms; the divisor is a power of two."""
        over = self.server_lr << self.scale_bits
        common = gcd(over, LEARNING_RATE_ONE)
        return over // common, LEARNING_RATE_ONE // common

    def step_lane(self, old: int, state: tuple[int, ...], total: int, weight: int) -> tuple[int, tuple[int, ...]]:
        """See Rule."""
        if weight == 0:
            return old, state
        mean = wrapped(round_div(total << self.grid.state_shift, weight))
        momentum = round_div(self.beta1 * state[0] + (BETA_ONE - self.beta1) * mean, BETA_ONE)
        root, square = (state[1] + self.tau) % 2**31, mean * mean
        match self.second:
            case "adam":
                moment = (self.beta2 * root * root + (BETA_ONE - self.beta2) * square) // BETA_ONE
            case "yogi":
                sign = (root * root > square) - (root * root < square)
                moment = (BETA_ONE * root * root - sign * (BETA_ONE - self.beta2) * square) // BETA_ONE
            case "adagrad":
                moment = root * root + square
        root = min(nearest_root(moment), INT32_MAX)
        multiplier, divisor = self._fraction()
        new = saturated(old + round_div(momentum * multiplier, divisor * (root + self.tau)))
        return new, (momentum, root - self.tau)

    def step(self, old: Int32, state: Int32, total: Int32, weight: int) -> tuple[Int32, Int32]:
        """See Rule. In int64: |beta * lane| < 2**48 bounds the momentum; `_moment` and `moved` say why they fit."""
        if weight == 0:
            return old.copy(), state.copy()
        new, after = np.empty_like(old), np.empty_like(state)
        multiplier, divisor = self._fraction()
        for model, lanes in blocks(old.size, self.state_lanes):
            momentum, stored = parts(state[lanes], self.state_lanes)
            mean = mean_lanes(self.grid, total[model], weight)
            momentum = (self.beta1 * momentum + (BETA_ONE - self.beta1) * mean + _HALF) >> 16
            root = np.minimum(nearest_roots(self._moment((stored + self.tau) & INT32_MAX, mean)), INT32_MAX)
            new[model] = moved(old[model], momentum, multiplier, divisor * (root + self.tau))
            after[lanes] = joined(momentum, root - self.tau)
        return new, after

    def _moment(self, root: Int64, mean: Int64) -> Int64:
        """v' in squared state lanes, rounded down: below 2**63, since |mean| <= 2**31 and root < 2**31."""
        before, square, share = root * root, mean * mean, BETA_ONE - self.beta2
        match self.second:
            case "adam":
                return before + _scaled(square - before, share)
            case "yogi":
                return before + _scaled(np.sign(square - before) * square, share)
            case "adagrad":
                return before + square
        assert_never(self.second)


def _scaled(values: Int64, share: int) -> Int64:
    """floor(values * share / 65536) of any int64, share <= 65536, without the product that may not fit."""
    return (values >> 16) * share + (((values & _LOW) * share) >> 16)
