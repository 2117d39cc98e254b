"""Server rules in integer arithmetic: the same lanes on every machine, and in the contract that refutes a wrong one.

A rule maps (old chunk, state chunks, sum chunk, total weight) to (new chunk, new state chunks) lane by lane, so any
chunk can be checked alone. `averaging` and `adaptive` have the rules, `state` their memory, `integers` the arithmetic;
contracts/src/Rules.sol is the same, bit for bit.
"""

from __future__ import annotations

from typing import Protocol, assert_never

import numpy as np

from foedus.aggregator.adaptive import Adaptive
from foedus.aggregator.averaging import FedAvg, FedAvgM
from foedus.aggregator.integers import Int32
from foedus.protocol.chunks import vector_root
from foedus.protocol.ids import ZERO32, Hash32
from foedus.protocol.terms import Terms


class Rule(Protocol):
    """A server's optimiser."""

    @property
    def state_lanes(self) -> int:
        """Lanes of state a model lane: 0 for a stateless rule."""
        ...

    def step(self, old: Int32, state: Int32, total: Int32, weight: int) -> tuple[Int32, Int32]:
        """The new lanes and state.

        old: int32, shape (n,), whole chunks where the rule has a state; state: int32, shape (n * state_lanes,), as the
        module `state` lays it out; total: the opened groups' sum read as int32, shape (n,); weight: their total
        weight, 0 where no group was opened, which changes nothing.
        """
        ...

    def step_lane(self, old: int, state: tuple[int, ...], total: int, weight: int) -> tuple[int, tuple[int, ...]]:
        """One lane in unbounded integers, as the formula stands: what `step` must equal."""
        ...


def rule_of(terms: Terms) -> Rule:
    """The rule that the terms name."""
    scale, grid, rate = terms.scale_bits, terms.grid, terms.server_lr
    match terms.rule:
        case "fedavg":
            return FedAvg(scale, terms.update_bits, rate)
        case "fedavgm":
            return FedAvgM(scale, grid, rate, terms.beta1)
        case "fedadam":
            return Adaptive("adam", scale, grid, rate, terms.beta1, terms.beta2, terms.tau)
        case "fedyogi":
            return Adaptive("yogi", scale, grid, rate, terms.beta1, terms.beta2, terms.tau)
        case "fedadagrad":
            return Adaptive("adagrad", scale, grid, rate, terms.beta1, terms.beta2, terms.tau)
    assert_never(terms.rule)


def initial_state(rule: Rule, model_lanes: int) -> Int32:
    """What a rule starts from: all zero, shape (model_lanes * state_lanes,)."""
    return np.zeros(model_lanes * rule.state_lanes, dtype=np.int32)


def state_root_of(rule: Rule, blob: bytes) -> Hash32:
    """The root of the state that a round leaves, from its bytes: 32 zero bytes for a stateless rule."""
    return vector_root(blob) if rule.state_lanes else ZERO32
