"""One job that every system does: n participants, so many parameters, 10% of them gone before they upload."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from time import perf_counter, process_time
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Job:
    """degree: how many others a participant masks with; 0: all of them."""

    n: int
    params: int
    degree: int

    @property
    def gone(self) -> frozenset[int]:
        """Who drops out: every tenth."""
        return frozenset(range(9, self.n, 10))

    @property
    def dropouts(self) -> int:
        return len(self.gone)

    @property
    def survivors(self) -> int:
        return self.n - self.dropouts

    @property
    def masks(self) -> int:
        """Vectors of masks that a participant adds: one a neighbour, and its own."""
        return (self.degree or self.n - 1) + 1

    @property
    def shares(self) -> int:
        """How many hold a share of each secret, in a system where neighbours do."""
        return self.masks

    def to_json(self) -> str:
        return json.dumps(asdict(self))


class System(Protocol):
    """One system at one job. Each call does its work anew."""

    def prepare(self) -> None:
        """Make what the others send to the aggregator; a participant by itself needs none of it."""
        ...

    def client(self) -> int:
        """One participant from its trained vector to what it uploads: bytes."""
        ...

    def aggregate(self) -> None:
        """From the survivors' uploads to their sum, still masked where the system has a phase for that."""
        ...

    def unmask(self) -> None:
        """From the sum to the mean update in the clear."""
        ...

    def parts(self) -> dict[str, Callable[[], object]]:
        """Parts of these phases that are compared by themselves."""
        ...


@dataclass(frozen=True, slots=True)
class Shared:
    """Work that several processes share."""

    work: Callable[[], object]

    def __call__(self) -> object:
        return self.work()


def clocked(work: Callable[[], object]) -> float:
    """The processor seconds that `work` takes: what other processes use meanwhile is not counted. Of shared work the
    seconds on the wall's clock."""
    clock = perf_counter if isinstance(work, Shared) else process_time
    start = clock()
    work()
    return clock() - start


def trained(params: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A base model and one trained from it: float64, shape (params,)."""
    generator = np.random.default_rng(params)
    base = generator.standard_normal(params) / 4
    return base, base + generator.standard_normal(params) / 100
