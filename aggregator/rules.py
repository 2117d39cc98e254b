"""Server rules in integer arithmetic: the same lanes on every machine, and in the contract that refutes a wrong one.

A rule maps (old chunk, state chunk, sum chunk, total weight) to (new chunk, new state chunk) lane by lane, so any
chunk can be checked alone. Division is floor((2 a + b) / (2 b)) with b > 0: the nearest integer, halves up, where floor
rounds towards minus infinity (Solidity truncates towards zero and must correct for it).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import Protocol, assert_never

import numpy as np
from numpy.typing import NDArray

from foedus.protocol.chunks import lanes_to_bytes, vector_root
from foedus.protocol.fixedpoint import INT32_MAX
from foedus.protocol.ids import ZERO32, Hash32
from foedus.protocol.terms import LEARNING_RATE_ONE, Terms

INT32_MIN = -(2**31)
INT64_MAX = 2**63 - 1

Int32 = NDArray[np.int32]


class Rule(Protocol):
    """A server's optimiser."""

    @property
    def state_lanes(self) -> int:
        """Lanes of state a model lane: 0 for a stateless rule."""
        ...

    def step(self, old: Int32, state: Int32, total: Int32, weight: int) -> tuple[Int32, Int32]:
        """The new lanes and state.

        old: int32, shape (n,); state: int32, shape (n * state_lanes,); total: the opened groups' sum read as int32,
        shape (n,); weight: their total weight, 0 where no group was opened, which changes nothing.
        """
        ...


def round_div(a: int, b: int) -> int:
    """a / b to the nearest integer, halves up; b > 0."""
    return (2 * a + b) // (2 * b)


def saturated(value: int) -> int:
    """The nearest int32."""
    return max(INT32_MIN, min(INT32_MAX, value))


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

    def fraction(self, weight: int) -> tuple[int, int]:
        """(multiplier, divisor) in lowest terms: what round_div makes of a sum does not depend on common factors."""
        over = self.server_lr << self.scale_bits
        under = (weight * LEARNING_RATE_ONE) << self.update_bits
        common = gcd(over, under)
        return over // common, under // common

    def step_lane(self, old: int, total: int, weight: int) -> int:
        """One lane in unbounded integers: what `step` must equal."""
        if weight == 0:
            return old
        multiplier, divisor = self.fraction(weight)
        return saturated(old + round_div(total * multiplier, divisor))

    def step(self, old: Int32, state: Int32, total: Int32, weight: int) -> tuple[Int32, Int32]:
        """See Rule.

        In int64 where it provably fits: |2 sum * multiplier| + divisor <= 2**63 - 1 bounds the dividend, the quotient
        is no larger, and old adds 2**31 after the quotient is cut to +-2**33 (past which it saturates anyway). Else
        in unbounded integers, slower and equal.
        """
        if weight == 0:
            return old.copy(), state
        multiplier, divisor = self.fraction(weight)
        largest = max(abs(int(total.max(initial=0))), abs(int(total.min(initial=0))))
        if 2 * largest * multiplier + divisor <= INT64_MAX and 2 * divisor <= INT64_MAX:
            step = np.floor_divide(total.astype(np.int64) * (2 * multiplier) + divisor, 2 * divisor)
            new = old.astype(np.int64) + np.clip(step, -(2**33), 2**33)
            return np.clip(new, INT32_MIN, INT32_MAX).astype(np.int32), state
        lanes = [self.step_lane(o, t, weight) for o, t in zip(old.tolist(), total.tolist(), strict=True)]
        return np.array(lanes, dtype=np.int32), state


def rule_of(terms: Terms) -> Rule:
    """The rule that the terms name."""
    match terms.rule:
        case "fedavg":
            return FedAvg(terms.scale_bits, terms.update_bits, terms.server_lr)
    assert_never(terms.rule)


def state_root_of(rule: Rule, state: Int32) -> Hash32:
    """The root of a rule's state: 32 zero bytes for a stateless rule."""
    return vector_root(lanes_to_bytes(state)) if rule.state_lanes else ZERO32
