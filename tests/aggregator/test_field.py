"""Arithmetic modulo 2**31 - 1 is exact wherever it is done in floats, and a seed's elements are uniform and fixed."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foedus.aggregator.lightsecagg import field
from foedus.aggregator.lightsecagg.field import (
    MAX_COLUMNS,
    RUN,
    Elements,
    MalformedElements,
    Matrix,
    P,
    Uniform,
    lagrange,
    uniform,
)

ELEMENTS = st.sampled_from([0, 1, 2, P // 2, P // 2 + 1, P - 2, P - 1]) | st.integers(0, P - 1)

EDGES = [sign * (P // 2) + step for sign in (1, -1) for step in (-1, 0, 1)]
"""Where the integer nearest to zero changes its sign."""


def vectors_of(rows: list[list[int]]) -> Elements:
    return np.array(rows, dtype=np.uint32)


@given(data=st.data(), rows=st.integers(1, 6), columns=st.integers(1, MAX_COLUMNS), width=st.integers(1, 40))
@settings(max_examples=150, deadline=None)
def test_a_product_is_that_of_pythons_integers(data: st.DataObject, rows: int, columns: int, width: int) -> None:
    draw = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    edges = np.array([0, 1, P - 1, P - 2, 1 << 16, (1 << 16) - 1, 1 << 30], dtype=np.int64)

    def some(*shape: int) -> np.ndarray:
        picked = draw.integers(0, P, shape)
        return np.where(draw.random(shape) < 0.3, draw.choice(edges, shape), picked)

    matrix, vectors = some(rows, columns), some(columns, width)
    due = matrix.astype(object) @ vectors.astype(object) % P
    made = Matrix(matrix.tolist()).times(vectors.astype(np.float64), np.empty((rows, width), dtype=np.uint32))
    assert made.dtype == np.uint32
    assert np.array_equal(made.astype(object), due)


@pytest.mark.parametrize("value", [P - 1, (1 << 31) - (1 << 16), (1 << 16) - 1])
def test_the_largest_sums_of_products_are_exact(value: int) -> None:
    vectors = np.full((MAX_COLUMNS, 100), P - 1, dtype=np.float64)
    made = Matrix([[value] * MAX_COLUMNS] * 3).times(vectors, np.empty((3, 100), dtype=np.uint32))
    assert (made == MAX_COLUMNS * value * (P - 1) % P).all()


def test_a_matrix_too_wide_to_be_exact_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 32 columns"):
        Matrix([[1] * (MAX_COLUMNS + 1)])


@given(st.lists(st.tuples(ELEMENTS, ELEMENTS), min_size=1, max_size=50))
def test_sums_and_differences_wrap_at_p(pairs: list[tuple[int, int]]) -> None:
    one, other = (vectors_of([list(side)])[0] for side in zip(*pairs, strict=True))
    for change, due in (
        (field.add, [(a + b) % P for a, b in pairs]),
        (field.subtract, [(a - b) % P for a, b in pairs]),
    ):
        total = one.copy()
        change(total, other, np.empty_like(total))
        assert total.tolist() == due


@given(st.lists(st.integers(-P, P - 1) | st.sampled_from([0, -1, -P, P - 1, *EDGES]), min_size=1))
def test_signed_lanes_become_the_elements_equal_to_them(values: list[int]) -> None:
    lanes = np.array(values, dtype=np.int64).astype(np.uint32)
    assert field.from_signed(lanes).tolist() == [value % P for value in values]


@pytest.mark.parametrize("lane", [P, 1 << 31])
def test_a_lane_that_no_element_stands_for_is_refused(lane: int) -> None:
    with pytest.raises(MalformedElements):
        field.from_signed(np.array([0, lane], dtype=np.uint32))


@given(st.lists(ELEMENTS, max_size=40))
def test_elements_survive_the_wire(values: list[int]) -> None:
    elements = np.array(values, dtype=np.uint32)
    blob = field.to_bytes(elements)
    assert blob == b"".join(value.to_bytes(4, "big") for value in values)
    assert np.array_equal(field.from_bytes(blob, len(values)), elements)


@pytest.mark.parametrize("blob", [bytes(7), bytes(12), P.to_bytes(4, "big") * 2, bytes(4) + b"\xff" * 4])
def test_bytes_that_are_no_two_elements_are_refused(blob: bytes) -> None:
    with pytest.raises(MalformedElements):
        field.from_bytes(blob, 2)


@given(st.lists(st.integers(1, 3 * RUN), min_size=1, max_size=4))
@settings(max_examples=25, deadline=None)
def test_a_seeds_elements_do_not_depend_on_how_they_are_asked_for(sizes: list[int]) -> None:
    stream, pieces = Uniform(b"s" * 32), [np.empty(size, dtype=np.uint32) for size in sizes]
    for piece in pieces:
        stream.into(piece)
    assert np.array_equal(np.concatenate(pieces), uniform(b"s" * 32, sum(sizes)))


def test_a_seeds_elements_are_words_of_its_keystream() -> None:
    """RFC 8439, appendix A.1, test vector 1: key and nonce zero."""
    assert uniform(bytes(32), 2).tolist() == [0xADE0B876 & P, 0x903DF1A0 & P]


class _Replayed(Uniform):
    """A stream whose keystream is given."""

    def __init__(self, words: Elements) -> None:
        self._words, self._at = words, 0
        self._stream = self  # type: ignore[assignment]

    def update_into(self, zeros: memoryview, out: memoryview) -> None:
        count = len(out) // 4
        out[:] = self._words[self._at : self._at + count].astype("<u4").tobytes()
        self._at += count


def test_words_that_read_p_are_skipped_however_many_there_are() -> None:
    words = np.random.default_rng(1).integers(0, 2**32, 3 * RUN, dtype=np.uint32)
    words[[0, 1, 7, RUN - 1, RUN]] = [P, 2**32 - 1, P, P, 2**32 - 1]
    due = (words & P)[(words & P) != P]
    for size in (5, RUN, 2 * RUN + 11):
        out = np.empty(size, dtype=np.uint32)
        _Replayed(words).into(out)
        assert np.array_equal(out, due[:size])


def test_elements_of_seeds_look_uniform() -> None:
    """Chi-squared over 1,024 cells: its mean is 1,023 and its deviation 45."""
    counts = np.bincount(uniform(os.urandom(32), 1 << 20) >> np.uint32(21), minlength=1024)
    assert abs(((counts - 1024.0) ** 2 / 1024.0).sum() - 1023) < 6.5 * 45


@given(st.lists(ELEMENTS, min_size=1, max_size=8), st.integers(-40, 40))
def test_lagranges_factors_take_a_polynomial_from_points_to_any_place(coefficients: list[int], target: int) -> None:
    def at(x: int) -> int:
        return sum(c * pow(x, k, P) for k, c in enumerate(coefficients)) % P

    points = range(1, len(coefficients) + 1)
    (row,) = lagrange(points, [target])
    assert sum(factor * at(x) for factor, x in zip(row, points, strict=True)) % P == at(target)
