"""Every rule with any settings, any lanes, and the float64 optimisers that the papers describe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from foedus.aggregator.integers import INT32_MIN
from foedus.aggregator.rules import Rule, rule_of
from foedus.protocol.chunks import CHUNK_LANES
from foedus.protocol.fixedpoint import INT32_MAX, SUM_BOUND
from foedus.protocol.terms import BETA_ONE, LEARNING_RATE_ONE, RuleName, Terms
from tests.aggregator.conftest import make_terms

Floats = NDArray[np.float64]
Int32 = NDArray[np.int32]

NAMES = get_args(RuleName)
STATEFUL = [name for name in NAMES if name != "fedavg"]
ADAPTIVE = ["fedadam", "fedyogi", "fedadagrad"]
WEIGHTS = st.one_of(st.just(0), st.integers(1, 4), st.integers(1, 2**27), st.integers(1, 2**64 - 1))


def any_terms(name: str) -> st.SearchStrategy[Terms]:
    """Terms of that rule, with whatever else terms admit."""
    return st.builds(
        lambda scale, above, **chosen: make_terms(2, rule=name, scale_bits=scale, update_bits=above, **chosen),
        scale=st.integers(0, 30),
        above=st.integers(14, 30),
        max_value=st.integers(1, SUM_BOUND // 2) | st.integers(0, 26).map(lambda bits: 2**bits),
        server_lr=st.integers(1, 2**24) | st.sampled_from([655, 6554, 65536]),
        beta1=st.integers(0, BETA_ONE - 1),
        beta2=st.integers(BETA_ONE // 2, BETA_ONE - 1),
        tau=st.integers(1, 2**31 - 1) | st.integers(1, 2**18),
    )


def lanes(seed: int, count: int) -> Int32:
    """int32 of every size, many of them extremes, zeros and powers of two next to each other."""
    draw = np.random.default_rng(seed)
    sized = draw.integers(INT32_MIN, INT32_MAX, count, endpoint=True) >> draw.integers(0, 32, count)
    odd = np.array([0, 1, -1, 2, -2, INT32_MAX, INT32_MIN, INT32_MAX - 1, INT32_MIN + 1, 2**16, -(2**16)])
    return np.where(draw.random(count) < 0.3, draw.choice(odd, count), sized).astype(np.int32)


@dataclass
class Drawn:
    """One step's inputs for whole chunks of any lanes."""

    rule: Rule
    old: Int32
    state: Int32
    total: Int32
    weight: int

    @classmethod
    def of(cls, terms: Terms, weight: int, seed: int, chunks: int = 1) -> Drawn:
        rule, count = rule_of(terms), chunks * CHUNK_LANES
        state = lanes(3 * seed + 1, count * rule.state_lanes)
        return cls(rule, lanes(3 * seed, count), state, lanes(3 * seed + 2, count), weight)

    def step(self) -> tuple[Int32, Int32]:
        return self.rule.step(self.old, self.state, self.total, self.weight)

    def cut(self, start: int, end: int) -> Drawn:
        """The same for the chunks from `start` to `end` alone."""
        width = self.rule.state_lanes
        model, state = (slice(start * CHUNK_LANES * by, end * CHUNK_LANES * by) for by in (1, width))
        return replace(self, old=self.old[model], state=self.state[state], total=self.total[model])


@dataclass
class Float:
    """A rule in float64, as its paper has it: values, not lanes. `moment` is v."""

    name: str
    rate: float
    beta1: float
    beta2: float
    tau: float
    model: Floats
    momentum: Floats
    moment: Floats

    @classmethod
    def of(cls, terms: Terms, model: Floats) -> Float:
        tau = terms.tau / 2.0**terms.grid.state_bits
        betas = terms.beta1 / BETA_ONE, terms.beta2 / BETA_ONE
        start = model.copy(), np.zeros_like(model), np.full_like(model, tau * tau)
        return cls(terms.rule, terms.server_lr / LEARNING_RATE_ONE, *betas, tau, *start)

    def step(self, mean: Floats) -> None:
        """One round of a mean update."""
        if self.name == "fedavg":
            self.model += self.rate * mean
            return
        if self.name == "fedavgm":
            self.momentum = self.beta1 * self.momentum + mean
            self.model += self.rate * self.momentum
            return
        self.momentum = self.beta1 * self.momentum + (1 - self.beta1) * mean
        square, share = mean * mean, 1 - self.beta2
        moments: dict[str, Callable[[], Floats]] = {
            "fedadam": lambda: self.beta2 * self.moment + share * square,
            "fedyogi": lambda: self.moment - share * square * np.sign(self.moment - square),
            "fedadagrad": lambda: self.moment + square,
        }
        self.moment = moments[self.name]()
        self.model += self.rate * self.momentum / (np.sqrt(self.moment) + self.tau)
