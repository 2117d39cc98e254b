"""Distributed differential privacy: how much noise each participant adds, and what that makes of an opened sum.

Every participant clips its update, rounds it to the grid and adds discrete Gaussian noise before masking, so that the
sum of a group carries the noise of all of its honest survivors although nobody is trusted to add it (Kairouz, Liu and
Steinke, "The Distributed Discrete Gaussian Mechanism for Federated Learning with Secure Aggregation", ICML 2021). What
is protected is a participant's whole part in a round: with it or with zeros in its place, what is opened is almost
equally likely.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from foedus.protocol.fixedpoint import Grid

TAIL = 12.0
"""How many standard deviations of a participant's noise fit a lane: fewer than 2**-100 of all draws lie beyond."""


@dataclass(frozen=True, slots=True)
class DifferentialPrivacy:
    """The promise of a task, in its terms.

    epsilon, delta: what all rounds together may cost a participant. noise_multiplier: standard deviation of the noise
    in an opened sum, in units of what one update can change of it. honest: in basis points, the part of a group's
    smallest admitted number of survivors (`g_min`) whose noise is counted on; the others may keep theirs back.
    """

    epsilon: float
    delta: float
    noise_multiplier: float
    honest: int = 5000

    def contributors(self, g_min: int) -> int:
        """How many participants' noise is counted on in every opened sum."""
        return max(1, g_min * self.honest // 10_000)


@dataclass(frozen=True, slots=True)
class Noise:
    """The mechanism of one task. parameters: how many lanes get noise; contributors: as above; the rest in units of the
    update's grid."""

    parameters: int
    contributors: int
    sensitivity: float
    local_std: float
    largest: int

    @classmethod
    def of(cls, promise: DifferentialPrivacy, grid: Grid, parameters: int, contributors: int) -> Noise:
        """What a promise asks for a model of so many parameters."""
        norm = grid.clip_norm * 2.0**grid.update_bits
        sensitivity = rounded_norm(norm, parameters)
        std = promise.noise_multiplier * sensitivity / math.sqrt(contributors)
        return cls(parameters, contributors, sensitivity, std, math.ceil(norm + 1 + TAIL * std))

    @property
    def multiplier(self) -> float:
        """The multiplier of the Gaussian mechanism that is no more private than an opened sum.

        A sum of discrete Gaussians is not quite one itself; the difference is counted (Theorem 1 of the paper).
        """
        n, std = self.contributors, self.local_std
        far = 10 * sum(math.exp(-2 * math.pi**2 * std**2 * k / (k + 1)) for k in range(1, n))
        share = self.sensitivity / (math.sqrt(n) * std)
        one = math.sqrt(share**2 + far * self.parameters / 2)
        return 1 / min(one, share + far * math.sqrt(self.parameters))


def rounded_norm(norm: float, lanes: int) -> float:
    """The largest L2 norm, in units of the grid, of a vector of norm `norm` once it is rounded to whole numbers.

    Rounding draws again until it holds: each draw does with a probability of at least 1 - exp(-1/2) (Theorem 1 of the
    paper, with beta = exp(-1/2)).
    """
    root = math.sqrt(lanes)
    return math.sqrt(min((norm + root) ** 2, norm**2 + lanes / 4 + norm + root / 2))
