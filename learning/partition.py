"""Splits of one dataset into clients, as demos and simulations need them: seeded, and every sample exactly once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from foedus.learning.errors import DataError

Indices = NDArray[np.int64]
"""The samples of one client, sorted, shape (k,)."""


def iid(samples: int, count: int, seed: int = 0) -> list[Indices]:
    """`samples` shuffled and dealt out to `count` clients, sizes differing by at most one."""
    _check(samples, count)
    order = np.random.default_rng(seed).permutation(samples)
    return [_sorted(part) for part in np.array_split(order, count)]


def dirichlet(labels: ArrayLike, count: int, alpha: float, seed: int = 0, min_size: int = 1) -> list[Indices]:
    """Each class shared out by proportions from Dirichlet(alpha): the smaller, the more one-sided.

    Hsu, Qi and Brown (2019), as used by Li et al. (ICDE 2022). Redrawn until every client has `min_size` samples;
    where that does not happen in 100 draws, the largest clients give samples away. Raises DataError for fewer
    samples than count * min_size, or an alpha that is not positive.
    """
    classes = _labels(labels, count)
    if not alpha > 0 or not np.isfinite(alpha):
        raise DataError(f"alpha = {alpha}: must be positive; 0.1 is very one-sided, 100 nearly even")
    if len(classes) < count * min_size:
        raise DataError(f"{len(classes)} samples are too few for {count} clients of at least {min_size}")
    rng = np.random.default_rng(seed)
    for _ in range(100):
        parts = _draw(classes, count, alpha, rng)
        if min(map(len, parts)) >= min_size:
            break
    return [_sorted(part) for part in _levelled(parts, min_size)]


def by_label(labels: ArrayLike, count: int, labels_per_client: int, seed: int = 0) -> list[Indices]:
    """Every client sees about `labels_per_client` classes: samples sorted by class and dealt out in shards.

    The pathological split of McMahan et al. (AISTATS 2017, section 3). Raises DataError for fewer samples than shards.
    """
    classes = _labels(labels, count)
    shards = count * labels_per_client
    if labels_per_client < 1 or shards > len(classes):
        raise DataError(f"labels_per_client = {labels_per_client}: from 1 to {len(classes) // count}")
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(classes))
    pieces = np.array_split(shuffled[np.argsort(classes[shuffled], kind="stable")], shards)
    dealt = rng.permutation(shards).reshape(count, labels_per_client)
    return [_sorted(np.concatenate([pieces[at] for at in row])) for row in dealt]


def natural(groups: ArrayLike, count: int | None = None) -> list[Indices]:
    """One client a value of the group column (hospital, writer, device), in sorted order of the values.

    Raises DataError where `count` is given and is not the number of values.
    """
    column = np.asarray(groups)
    values = np.unique(column)
    if count is not None and len(values) != count:
        raise DataError(f"the group column has {len(values)} values where {count} clients are wanted")
    return [_sorted(np.flatnonzero(column == value)) for value in values]


def _draw(classes: NDArray[np.generic], count: int, alpha: float, rng: np.random.Generator) -> list[Indices]:
    parts: list[list[Indices]] = [[] for _ in range(count)]
    for label in np.unique(classes):
        members = rng.permutation(np.flatnonzero(classes == label))
        shares = rng.dirichlet(np.full(count, alpha))
        cuts = np.rint(np.cumsum(shares)[:-1] * len(members)).astype(np.int64)
        for part, piece in zip(parts, np.split(members, cuts), strict=True):
            part.append(piece)
    return [np.concatenate(part) for part in parts]


def _levelled(parts: list[Indices], min_size: int) -> list[Indices]:
    for at in range(len(parts)):
        while len(parts[at]) < min_size:
            giver = max(range(len(parts)), key=lambda other: len(parts[other]))
            parts[at] = np.append(parts[at], parts[giver][-1])
            parts[giver] = parts[giver][:-1]
    return parts


def _labels(labels: ArrayLike, count: int) -> NDArray[np.generic]:
    column = np.asarray(labels)
    if column.ndim != 1:
        raise DataError(f"labels of shape {column.shape}: give one label a sample")
    _check(len(column), count)
    return column


def _check(samples: int, count: int) -> None:
    if not 1 <= count <= samples:
        raise DataError(f"{samples} samples cannot be split among {count} clients")


def _sorted(part: Indices) -> Indices:
    return np.sort(part).astype(np.int64)
