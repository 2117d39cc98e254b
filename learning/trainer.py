"""The trainer interface: local training as one pure function from arrays to arrays.

A trainer knows one participant's model code and data. Whatever it needs besides them comes in as an argument, so the
same arguments give the same result in a simulation, in a daemon, and after a restart. The loop around it is
federated averaging (McMahan et al., AISTATS 2017, algorithm 1).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from foedus.protocol.terms import Config

Arrays = dict[str, NDArray[np.float32]]
"""Named float32 tensors in the manifest's order."""

State = Mapping[str, NDArray[Any]]
"""What stays with the participant between rounds: integer buffers, by name. Empty: as a new model has them."""


def derive_seed(purpose: str, *numbers: int) -> int:
    """A 63-bit seed from a purpose and whole numbers, by sha256: the same on every machine."""
    text = "/".join((f"foedus/{purpose}/v1", *map(str, numbers)))
    return int.from_bytes(sha256(text.encode()).digest()[:8], "big") >> 1


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """One round's orders.

    settings: the terms' config. seed: fixes batch order, dropout and augmentation. metrics: the names that the task
    promises: those that start with `local_` are of the model after local training.
    """

    settings: Config
    seed: int = 0
    metrics: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trained:
    """A round of local training.

    arrays: the model after training. weight: how many examples it was trained on, before the terms cap it.
    metrics: finite numbers by name: `train_loss`; what the evaluation says of the model as it came; and, under
    `local_` and the same names, of the model after training where that was asked for. state: what to hand to the
    next round.
    """

    arrays: Arrays
    weight: int
    metrics: dict[str, float]
    state: State = field(default_factory=dict)


class Trainer(Protocol):
    """One participant's model and data."""

    def train(self, arrays: Arrays, config: TrainConfig, state: State) -> Trained:
        """Train from `arrays` on the local data. Pure: no result depends on an earlier call.

        Raises AppError where the app's code fails.
        """
        ...

    def evaluate(self, arrays: Arrays, config: TrainConfig) -> tuple[dict[str, float], int]:
        """The metrics of `arrays` on the local test data, and how many examples that is (0 where there is none)."""
        ...

    def records(self) -> Iterator[bytes]:
        """The local training examples as canonical bytes, in the dataset's order."""
        ...
