"""The trainer of an analysis: its "training" is one look at this participant's records. It needs no torch."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from foedus.learning.analysis_columns import Columns, canonical, columns_of, length, statistics
from foedus.learning.analysis_terms import Analysis, check_analysis
from foedus.learning.app import App, Partition
from foedus.learning.errors import DataError, LearningError
from foedus.learning.trainer import Arrays, State, TrainConfig, Trained
from foedus.protocol.manifest import Manifest
from foedus.protocol.terms import Terms


class AnalysisTrainer:
    """One participant's records, and the queries that it answers from them."""

    def __init__(self, app: App, partition: Partition, asked: Analysis, update_bits: int) -> None:
        self.app, self.partition = app, partition
        self._asked, self._bits = asked, update_bits

    @classmethod
    def of(cls, app: App, partition: Partition, terms: Terms, manifest: Manifest) -> AnalysisTrainer | None:
        """The trainer for these terms; None where they train a model. Raises InvalidTerms."""
        asked = check_analysis(terms, manifest)
        return None if asked is None else cls(app, partition, asked, terms.update_bits)

    @cached_property
    def columns(self) -> Columns:
        """The app's records, read once. Raises AppError, DataError."""
        return columns_of(self.app.records(self.partition))

    def train(self, arrays: Arrays, config: TrainConfig, state: State) -> Trained:
        """The statistics, divided by their scales and rounded to the update's grid: see Trainer.

        Raises DataError where there are more records than the terms admit, or they do not fit a query.
        """
        if any(values.any() for values in arrays.values()):
            raise LearningError("an analysis starts from zeros: this task's model is something else")
        found, columns = length(self.columns), self.columns
        if found > self._asked.records:
            told = f"{found} records where the analysis admits {self._asked.records} of a participant"
            raise DataError(f"{told}: none are sent; ask the sponsor for more, or give fewer")
        with self.app.blame("answering the queries"):
            answers = {
                query.name: self._on_grid(statistics(query, columns), query.scales) for query in self._asked.queries
            }
        return Trained(answers, found, {})

    def _on_grid(self, numbers: list[float], scales: tuple[float, ...]) -> NDArray[np.float32]:
        """Whole numbers of steps up to 2**24, so float32 has them exactly, and the update's rounding keeps them."""
        step = 2.0**-self._bits
        steps = np.rint(np.array(numbers) / np.array(scales) / step)
        rounded: NDArray[np.float32] = (steps * step).astype(np.float32)
        return rounded

    def evaluate(self, arrays: Arrays, config: TrainConfig) -> tuple[dict[str, float], int]:
        """An analysis has nothing to evaluate."""
        return {}, 0

    def records(self) -> Iterator[bytes]:
        """Every record as canonical JSON."""
        return canonical(self.columns)
