"""FedAvg in integers: every lane is its formula in unbounded integers, whatever the numbers."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from foedus.aggregator.rules import INT32_MIN, FedAvg, round_div, saturated, state_root_of
from foedus.protocol.fixedpoint import INT32_MAX
from foedus.protocol.ids import ZERO32

LANES = st.integers(INT32_MIN, INT32_MAX)


@given(a=st.integers(-(2**80), 2**80), b=st.integers(1, 2**80))
def test_division_rounds_to_nearest_with_halves_up(a: int, b: int) -> None:
    assert round_div(a, b) == floor(Fraction(a, b) + Fraction(1, 2))


@given(
    old=st.lists(LANES, min_size=1, max_size=8),
    total=st.lists(LANES, min_size=8, max_size=8),
    weight=st.integers(0, 2**27),
    rate=st.integers(1, 2**24),
    scale=st.integers(0, 30),
    update=st.integers(0, 30),
)
@settings(max_examples=300)
def test_each_lane_is_the_formula(
    old: list[int], total: list[int], weight: int, rate: int, scale: int, update: int
) -> None:
    rule = FedAvg(scale, update, rate)
    total = total[: len(old)]
    none = np.zeros(0, dtype=np.int32)
    new, state = rule.step(np.array(old, dtype=np.int32), none, np.array(total, dtype=np.int32), weight)
    assert state.shape == (0,)
    assert new.dtype == np.int32
    for at, lane in enumerate(new.tolist()):
        assert lane == rule.step_lane(old[at], total[at], weight)
        if weight:
            exact = Fraction(total[at] * rate * 2**scale, weight * 65536 * 2**update)
            assert lane == saturated(old[at] + floor(exact + Fraction(1, 2)))


def test_both_ways_of_computing_are_met() -> None:
    """Unit rates stay in int64; the largest terms take unbounded integers."""
    old, total = np.zeros(4, dtype=np.int32), np.array([3, -3, 2**27, -(2**27)], dtype=np.int32)
    none = np.zeros(0, dtype=np.int32)
    near, _ = FedAvg(20, 16, 65536).step(old, none, total, 2)
    assert near.tolist() == [24, -24, 2**30, -(2**30)]
    far, _ = FedAvg(16, 0, 2**24).step(old, none, total, 2**27 - 1)
    assert far.tolist() == [round_div(t * 2**40, (2**27 - 1) * 65536) for t in (3, -3, 2**27, -(2**27))]


def test_the_model_saturates_and_never_wraps() -> None:
    none = np.zeros(0, dtype=np.int32)
    old, total = np.array([INT32_MAX, INT32_MIN], dtype=np.int32), np.array([5, -5], dtype=np.int32)
    new, _ = FedAvg(20, 16, 65536).step(old, none, total, 1)
    assert new.tolist() == [INT32_MAX, INT32_MIN]


def test_halves_go_up_on_both_sides_of_zero() -> None:
    none = np.zeros(0, dtype=np.int32)
    total = np.array([1, -1, 3, -3], dtype=np.int32)
    new, _ = FedAvg(16, 16, 65536).step(np.zeros(4, dtype=np.int32), none, total, 2)
    assert new.tolist() == [1, 0, 2, -1]


def test_a_stateless_rule_has_no_state_root() -> None:
    assert state_root_of(FedAvg(20, 16, 65536), np.zeros(0, dtype=np.int32)) == ZERO32
