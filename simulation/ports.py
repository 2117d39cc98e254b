"""What a simulation asks of whoever learns, and of whoever built the task, in its own words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from foedus.protocol.chunks import Lanes
from foedus.protocol.ids import Position, RoundNumber
from foedus.protocol.manifest import Manifest
from foedus.protocol.terms import Terms

Model = NDArray[np.int32]
"""A model's lanes, shape (manifest.model_lanes,)."""

Scores = tuple[dict[str, float], int]
"""Metrics by name, and the number of examples that they are of."""

Score = Callable[[Model], Scores]
"""An evaluation on one test set."""


class BuiltTask(Protocol):
    """A task as a sponsor builds it."""

    @property
    def terms(self) -> Terms: ...

    @property
    def manifest(self) -> Manifest: ...

    @property
    def initial_model(self) -> bytes:
        """Big-endian int32 lanes."""
        ...


class Update(Protocol):
    """A participant's encoded update: uint32 lanes, shape (manifest.update_lanes,)."""

    @property
    def lanes(self) -> Lanes: ...


class Client(Protocol):
    """One participant's learning. The same arguments give the same bytes."""

    def update(self, base: Model, round_: RoundNumber, /) -> Update:
        """Train from the round's base model."""
        ...

    def alone(self, base: Model, round_: RoundNumber, /) -> Model:
        """The model after the same training, shared with nobody."""
        ...

    def evaluate(self, model: Model, /) -> Scores:
        """Metrics on this participant's own test data; ({}, 0) where it has none."""
        ...


class BrokenRound(RuntimeError):
    """An honest participant's bundle, seed or part failed a check: a fault of this software, not of any participant."""


@dataclass(frozen=True, slots=True)
class Away:
    """Who drops out of one attempt: before its commit, or after it and before it could reveal."""

    commit: frozenset[Position] = frozenset()
    reveal: frozenset[Position] = frozenset()


def nobody(round_: RoundNumber, attempt: int) -> Away:
    """Everybody stays."""
    return Away()


def pooled(scores: list[Scores]) -> Scores:
    """The mean of each metric by number of examples: what the joint test set of all participants would give."""
    total = sum(examples for _, examples in scores)
    names = [name for name in (scores[0][0] if scores else {}) if all(name in s for s, n in scores if n)]
    if not total:
        return {}, 0
    return {name: sum(s[name] * n for s, n in scores if n) / total for name in names}, total
