"""Products are those of schoolbook multiplication, at the largest coefficients too."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from foedus.aggregator.rlwe.ring import DEGREE, RUN, Multiplier, products
from foedus.aggregator.seeds import prg

HALF = DEGREE // 2
LOW, HIGH = -(2**31), 2**31 - 1


def placed(coefficients: NDArray[np.int64]) -> NDArray[np.int64]:
    """A polynomial as it lies in lanes: coefficients j and j + 1024 at 2 j and 2 j + 1."""
    return np.stack([coefficients[:HALF], coefficients[HALF:]], axis=1).reshape(-1)


def schoolbook(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.uint32]:
    """The product modulo X**2048 + 1 and 2**32, term by term, in Python's integers; as it lies in lanes."""
    found = [0] * DEGREE
    terms = [(k, int(value)) for k, value in enumerate(other) if value]
    for j, value in enumerate(one.tolist()):
        for k, factor in terms:
            sign = 1 if j + k < DEGREE else -1
            found[(j + k) % DEGREE] += sign * value * factor
    return placed(np.array([value % 2**32 for value in found], dtype=np.int64)).astype(np.uint32)


def times(factor: NDArray[np.int64], *rows: NDArray[np.int64]) -> NDArray[np.uint32]:
    out = np.empty((len(rows), DEGREE), dtype=np.uint32)
    Multiplier(factor).times(np.stack([placed(row) for row in rows]).astype(np.int32), out)
    return out


def sparse(generator: np.random.Generator, terms: int, largest: int) -> NDArray[np.int64]:
    factor = np.zeros(DEGREE, dtype=np.int64)
    factor[generator.choice(DEGREE, terms, replace=False)] = generator.integers(-largest, largest + 1, terms)
    return factor


@pytest.mark.parametrize("largest", [4, 1 << 15])
def test_products_are_those_of_schoolbook_multiplication(largest: int) -> None:
    generator = np.random.default_rng(largest)
    row, factor = generator.integers(LOW, HIGH + 1, DEGREE), sparse(generator, 300, largest)
    assert np.array_equal(times(factor, row)[0], schoolbook(row, factor))


@pytest.mark.parametrize("size", [4, 4 << 16])
def test_products_are_exact_where_all_coefficients_are_as_large_as_they_may_be(size: int) -> None:
    """Coefficient k of a constant times a constant is that constant times the positive terms less the negative ones."""
    ramp = 2 * np.arange(1, DEGREE + 1) - DEGREE
    for value in (LOW, HIGH):
        found = times(np.full(DEGREE, size), np.full(DEGREE, value))[0]
        assert np.array_equal(found, placed(np.array([int(r) * value * size % 2**32 for r in ramp])).astype(np.uint32))
    signs = np.random.default_rng(7).choice([-1, 1], DEGREE)
    aligned = np.where(np.concatenate([signs[:1], -signs[:0:-1]]) > 0, HIGH, LOW)
    found = times(signs * size, aligned)[0]
    assert int(found[0]) == sum(int(a) * size for a in np.abs(aligned)) % 2**32


def test_a_multiplication_by_a_power_of_x_turns_coefficients_around() -> None:
    row = np.random.default_rng(2).integers(LOW, HIGH + 1, DEGREE)
    factor = np.zeros(DEGREE, dtype=np.int64)
    factor[5] = 1
    due = np.concatenate([-row[-5:], row[:-5]]) % 2**32
    assert np.array_equal(times(factor, row)[0], placed(due).astype(np.uint32))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 1000))
def test_a_sum_of_products_is_the_product_with_the_sum(seed: int, members: int) -> None:
    generator, lanes = np.random.default_rng(seed), 3 * DEGREE + 256
    public = generator.bytes(32)
    secrets = generator.integers(-4, 5, (members % 5 + 2, DEGREE))
    total = np.zeros(lanes, dtype=np.uint32)
    for secret in secrets:
        total += np.concatenate([run.copy() for run in products(public, secret * (members // 5 + 1), lanes)])
    whole = [run.copy() for run in products(public, secrets.sum(axis=0) * (members // 5 + 1), lanes)]
    assert np.array_equal(total, np.concatenate(whole))


def test_public_polynomials_are_the_keystream_of_their_seed() -> None:
    seed, one = os.urandom(32), np.zeros(DEGREE, dtype=np.int64)
    one[0] = 1
    lanes = (RUN + 1) * DEGREE + 512
    found = np.concatenate([run.copy() for run in products(seed, one, lanes)])
    assert np.array_equal(found, prg(seed, 0, lanes // 256).byteswap())
    assert not np.array_equal(found[:256], next(products(os.urandom(32), one, 256)))


def test_runs_that_end_within_a_polynomial_are_cut_and_not_changed() -> None:
    seed, secret = os.urandom(32), np.random.default_rng(3).integers(-4, 5, DEGREE)
    whole = np.concatenate([run.copy() for run in products(seed, secret, RUN * DEGREE + DEGREE)])
    for lanes in (256, DEGREE - 256, DEGREE, RUN * DEGREE, RUN * DEGREE + 768):
        runs = [run.copy() for run in products(seed, secret, lanes)]
        assert np.array_equal(np.concatenate(runs), whole[:lanes])


def test_a_factor_too_large_to_be_multiplied_exactly_is_refused() -> None:
    Multiplier(np.full(DEGREE, 1 << 18))
    for factor in (np.full(DEGREE, (1 << 18) + 1), np.zeros(DEGREE - 1, dtype=np.int64)):
        with pytest.raises(ValueError, match="not multiplied exactly"):
            Multiplier(factor)
