"""One participant's learning, as a node's daemon or a simulation drives it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foedus.learning.analysis_trainer import AnalysisTrainer
from foedus.learning.app import App, Partition
from foedus.learning.dataroot import data_root
from foedus.learning.settings import data_settings
from foedus.learning.trainer import State, TrainConfig, Trainer
from foedus.learning.update import LocalUpdate, local_round, model_arrays, model_lanes, train_config
from foedus.protocol.ids import Hash32, RoundNumber
from foedus.protocol.manifest import Manifest
from foedus.protocol.terms import Terms

Scores = tuple[dict[str, float], int]
"""Metrics by name, and the number of examples that they are of."""


@dataclass(frozen=True, slots=True)
class Client:
    """A trainer at work on one task. Models are int32 lanes, shape (manifest.model_lanes,)."""

    trainer: Trainer
    terms: Terms
    manifest: Manifest
    partition: int

    def update(self, base: NDArray[np.int32], round_: RoundNumber, state: State | None = None) -> LocalUpdate:
        """Train from the round's base model: see `update.local_round`."""
        return local_round(self.trainer, self.terms, self.manifest, base, self.partition, round_, state)

    def alone(self, base: NDArray[np.int32], round_: RoundNumber) -> NDArray[np.int32]:
        """The model after the same local training, shared with nobody: the baseline of training alone."""
        before = model_arrays(self.manifest, base, self.terms.scale_bits)
        trained = self.trainer.train(before, train_config(self.terms, self.manifest, self.partition, round_), {})
        return model_lanes(self.manifest, trained.arrays, self.terms.scale_bits)

    def evaluate(self, model: NDArray[np.int32]) -> Scores:
        """The model's metrics on this participant's test data."""
        arrays = model_arrays(self.manifest, model, self.terms.scale_bits)
        return self.trainer.evaluate(arrays, TrainConfig(self.terms.config))

    def data_root(self, salt: bytes) -> Hash32:
        """The salted Merkle root of the training data; `salt` is 32 bytes that the node keeps."""
        return data_root(self.trainer.records(), salt)


def partition_of(terms: Terms, index: int, count: int | None = None, data_path: Path | None = None) -> Partition:
    """The partition that an app is asked for; `count` defaults to the task's max_participants."""
    parts = terms.params.max_participants if count is None else count
    return Partition(index, parts, data_path, terms.seed, data_settings(terms.config))


def open_client(
    app: App,
    terms: Terms,
    manifest: Manifest,
    index: int,
    *,
    count: int | None = None,
    data_path: Path | None = None,
    device: str = "cpu",
) -> Client:
    """The client of partition `index`, for a model or an analysis, as the terms say. Model and data are built when
    they are first needed, and kept.

    data_path: where this participant's data lie, whatever the task file says. Raises InvalidTerms, and LearningError
    where PyTorch cannot be imported whole.
    """
    partition = partition_of(terms, index, count, data_path)
    analyst = AnalysisTrainer.of(app, partition, terms, manifest)
    if analyst is not None:
        return Client(analyst, terms, manifest, index)
    from foedus.learning.torch_trainer import TorchTrainer, import_optimizers

    import_optimizers()
    return Client(TorchTrainer(app, partition, device=device), terms, manifest, index)


def shared_test(
    app: App, terms: Terms, manifest: Manifest, *, count: int | None = None, data_path: Path | None = None
) -> Callable[[NDArray[np.int32]], Scores] | None:
    """An evaluation on the one test set that the app keeps for everybody; None where it has no `shared_test`."""
    from foedus.learning.torch_trainer import TorchTrainer

    make = app.optional("shared_test")
    if make is None:
        return None
    partition = partition_of(terms, 0, count, data_path)
    with app.blame("shared_test(partition)"):
        dataset = make(partition)
    trainer = TorchTrainer(app, partition)

    def score(model: NDArray[np.int32]) -> Scores:
        arrays = model_arrays(manifest, model, terms.scale_bits)
        return trainer.score(arrays, TrainConfig(terms.config), dataset)

    return score
