"""Laws of rounding where a block lies: its mean is the value, for values near and far, in both precisions, in place."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foedus.protocol.fixedpoint import Grid, NotRepresentable
from foedus.protocol.rounding import round_block

EVERY_WORD = np.arange(1 << 16, dtype=np.uint16)


def rounded(grid: Grid, values: Any, noise: Any, weight: int = 1, shrink: float = 1.0) -> Any:
    out = np.empty(values.shape, dtype=np.int32)
    round_block(grid, values.copy(), shrink, weight, noise, out)
    return out


@pytest.mark.parametrize("precision", [np.float32, np.float64])
@pytest.mark.parametrize(
    "value", [0.0, 0.3, -0.3, 1e-7, 32766.75, -32768.25, 40000.125, 40000.7654321, -1234567.875, 134217727.5]
)
def test_the_mean_over_all_noise_is_the_value_cut_to_its_last_step(precision: Any, value: float) -> None:
    grid = Grid(0, 1 << 27, 1, 0.0)
    values = np.full(1 << 16, value, dtype=precision)
    exact = Fraction(float(values[0])) * (1 << 16)
    due = abs(exact.numerator) // exact.denominator * (1 if exact >= 0 else -1)
    lanes = rounded(grid, values, EVERY_WORD)
    assert int(lanes.sum(dtype=np.int64)) == due
    assert set(np.unique(lanes - np.floor(values)).tolist()) <= {0, 1}


@given(st.lists(st.floats(-1e5, 1e5, width=32), min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_what_lies_beside_a_lane_does_not_change_it(values: list[float], random: Any) -> None:
    grid, block = Grid(4, 1 << 20, 1, 0.0), np.array(values, dtype=np.float32)
    noise = np.array([random.getrandbits(16) for _ in values], dtype=np.uint16)
    alone = [rounded(grid, block[at : at + 1], noise[at : at + 1])[0] for at in range(len(values))]
    assert rounded(grid, block, noise).tolist() == alone


@given(
    st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=40), st.integers(1, 7), st.integers(0, 65535)
)
def test_lanes_are_bounded_and_weights_multiply(values: list[float], weight: int, word: int) -> None:
    for most in (200, 1 << 20, (1 << 24) + 3):
        grid, block = Grid(10, most, 7, 0.0), np.array(values, dtype=np.float32)
        noise = np.full(block.shape, word, dtype=np.uint16)
        once = rounded(grid, block, noise)
        assert np.array_equal(rounded(grid, block, noise, weight), once * weight)
        assert int(np.abs(once).max()) <= most


def test_a_block_is_rounded_where_it_lies() -> None:
    grid, generator = Grid(16, 1 << 20, 3, 0.0), np.random.default_rng(1)
    for scale in (0.01, 0.6):
        values = (generator.standard_normal(20_000) * scale).astype(np.float32)
        noise = generator.integers(0, 1 << 16, values.shape, dtype=np.uint16)
        out = np.empty(values.shape, dtype=np.int32)
        moved = out.view(np.float32)
        moved[:] = values
        round_block(grid, moved, 0.5, 2, noise, out)
        assert np.array_equal(out, rounded(grid, values, noise, 2, 0.5))
        assert np.abs(out / 2 - values * 0.5 * 2**16).max() <= 1


def test_no_number_is_refused() -> None:
    values = np.array([0, np.nan, 1], dtype=np.float32)
    with pytest.raises(NotRepresentable, match="training diverged"):
        rounded(Grid(10, 1024, 1, 0.0), values, np.zeros(3, dtype=np.uint16))
