"""Divisions and roots: exact at every boundary, and on arrays what they are on integers."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foedus.aggregator.integers import INT32_MIN, moved, nearest_root, nearest_roots, round_div, saturated
from foedus.protocol.fixedpoint import INT32_MAX


@given(a=st.integers(-(2**80), 2**80), b=st.integers(1, 2**80))
def test_division_rounds_to_nearest_with_halves_up(a: int, b: int) -> None:
    assert round_div(a, b) == floor(Fraction(a, b) + Fraction(1, 2))


@given(n=st.integers(0, 2**40), off=st.integers(-2, 2))
def test_a_root_is_the_nearest_integer_on_both_sides_of_the_boundary(n: int, off: int) -> None:
    x = max(0, n * n + n + off)
    root = nearest_root(x)
    assert (2 * root - 1) ** 2 < 4 * x < (2 * root + 1) ** 2 or x == root == 0


@given(st.lists(st.tuples(st.integers(0, 3_037_000_499), st.integers(-2, 2), st.booleans()), min_size=1, max_size=64))
def test_roots_of_arrays_are_those_of_integers(rows: list[tuple[int, int, bool]]) -> None:
    values = [min(2**63 - 1, max(0, n * n + (n if half else 0) + off)) for n, off, half in rows]
    assert nearest_roots(np.array(values, dtype=np.int64)).tolist() == [nearest_root(x) for x in values]


def test_small_roots_are_all_right() -> None:
    assert nearest_roots(np.arange(100_000)).tolist() == [nearest_root(x) for x in range(100_000)]


LANES = st.integers(INT32_MIN, INT32_MAX)
DIVISORS = st.one_of(st.integers(1, 2**20), st.integers(1, 2**48), st.integers(1, 2**80))


@given(
    rows=st.lists(st.tuples(LANES, LANES, st.integers(1, 2**48)), min_size=1, max_size=8),
    multiplier=st.one_of(st.integers(1, 2**31), st.integers(1, 2**60)),
    divisor=st.one_of(st.none(), DIVISORS),
)
@settings(max_examples=300)
def test_a_step_is_rounded_and_saturates_however_large(
    rows: list[tuple[int, int, int]], multiplier: int, divisor: int | None
) -> None:
    old, by, divisors = ([row[at] for row in rows] for at in range(3))
    under = np.array(divisors, dtype=np.int64) if divisor is None else divisor
    new = moved(np.array(old, dtype=np.int32), np.array(by, dtype=np.int64), multiplier, under)
    each = divisors if divisor is None else [divisor] * len(rows)
    assert new.dtype == np.int32
    assert new.tolist() == [
        saturated(lane + round_div(step * multiplier, over)) for lane, step, over in zip(old, by, each, strict=True)
    ]


@pytest.mark.parametrize("multiplier", [1, 2**40])
def test_both_ways_of_computing_round_alike(multiplier: int) -> None:
    """A factor common to multiplier and divisor changes the way, and no lane."""
    old, by = np.zeros(4, dtype=np.int32), np.array([1, -1, 3, -3], dtype=np.int64)
    assert moved(old, by, multiplier, 2 * multiplier).tolist() == [1, 0, 2, -1]
