"""Laws: every sample goes to exactly one client, and the same seed makes the same split."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foedus.learning.errors import DataError
from foedus.learning.partition import Indices, by_label, dirichlet, iid, natural

LABELS = st.lists(st.integers(0, 9), min_size=12, max_size=200)


def covers(parts: list[Indices], samples: int) -> bool:
    return sorted(np.concatenate(parts).tolist()) == list(range(samples))


@settings(deadline=None)
@given(LABELS, st.integers(1, 6), st.sampled_from([0.05, 0.3, 10.0]), st.integers(0, 2**32), st.integers(0, 2))
def test_dirichlet(labels: list[int], count: int, alpha: float, seed: int, min_size: int) -> None:
    parts = dirichlet(labels, count, alpha, seed, min_size)
    assert len(parts) == count
    assert covers(parts, len(labels))
    assert min(map(len, parts)) >= min_size
    again = dirichlet(labels, count, alpha, seed, min_size)
    assert all(np.array_equal(one, other) for one, other in zip(parts, again, strict=True))


@settings(deadline=None)
@given(LABELS, st.integers(1, 4), st.integers(1, 3), st.integers(0, 2**32))
def test_by_label(labels: list[int], count: int, each: int, seed: int) -> None:
    parts = by_label(labels, count, each, seed)
    assert covers(parts, len(labels))
    assert all(np.array_equal(a, b) for a, b in zip(parts, by_label(labels, count, each, seed), strict=True))


def test_by_label_is_one_sided() -> None:
    labels = np.repeat(np.arange(10), 100)
    parts = by_label(labels, 10, 2, seed=3)
    assert max(len(np.unique(labels[part])) for part in parts) <= 2


@settings(deadline=None)
@given(st.integers(1, 300), st.integers(1, 20), st.integers(0, 2**32))
def test_iid(samples: int, count: int, seed: int) -> None:
    if count > samples:
        with pytest.raises(DataError):
            iid(samples, count, seed)
        return
    parts = iid(samples, count, seed)
    assert covers(parts, samples)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@settings(deadline=None)
@given(LABELS)
def test_natural(labels: list[int]) -> None:
    parts = natural(labels)
    assert covers(parts, len(labels))
    assert len(parts) == len(set(labels))


def test_a_smaller_alpha_is_more_one_sided() -> None:
    labels = np.repeat(np.arange(10), 100)

    def largest_share(alpha: float) -> float:
        parts = dirichlet(labels, 8, alpha, seed=1)
        return float(np.mean([np.bincount(labels[part]).max() / len(part) for part in parts]))

    assert largest_share(0.1) > largest_share(1.0) > largest_share(100.0)


def test_what_cannot_be_split_is_refused() -> None:
    with pytest.raises(DataError, match=r"alpha = 0: must be positive"):
        dirichlet([0, 1, 2], 2, 0)
    with pytest.raises(DataError, match="3 samples are too few for 2 clients of at least 2"):
        dirichlet([0, 1, 2], 2, 1.0, min_size=2)
    with pytest.raises(DataError, match="labels_per_client = 5: from 1 to 1"):
        by_label([0, 1, 2], 2, 5)
    with pytest.raises(DataError, match="2 values where 3 clients"):
        natural(["a", "b", "a"], 3)
    with pytest.raises(DataError, match="one label a sample"):
        dirichlet(np.zeros((3, 2)), 2, 1.0)
