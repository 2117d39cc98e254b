"""The baseline: each participant trains alone, as many local steps as in the task, and nothing is shared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from foedus.protocol.chunks import lanes_from_bytes
from foedus.protocol.fixedpoint import signed
from foedus.protocol.ids import Position, RoundNumber
from foedus.simulation.ports import BuiltTask, Client, Model, Score, Scores


@dataclass(frozen=True, slots=True)
class Alone:
    """One participant's model after training alone: its scores on its own test data, and on the shared test set."""

    position: Position
    own: Scores
    shared: Scores | None
    model: Model = field(repr=False)


def train_alone(
    built: BuiltTask,
    clients: Sequence[Client],
    *,
    shared_test: Score | None = None,
    progress: Callable[[Alone], None] | None = None,
) -> tuple[Alone, ...]:
    """Every client by itself, from the same first model, through all rounds' worth of local training."""
    first: Model = signed(lanes_from_bytes(built.initial_model, built.manifest.model_lanes))
    found = []
    for at, client in enumerate(clients):
        model = first
        for number in range(1, built.terms.params.rounds + 1):
            model = client.alone(model, RoundNumber(number))
        result = Alone(Position(at), client.evaluate(model), shared_test(model) if shared_test else None, model)
        found.append(result)
        if progress:
            progress(result)
    return tuple(found)


def best_and_mean(results: Sequence[Alone], metric: str) -> tuple[float, float]:
    """The largest and the mean value of a metric on the shared test set, or on the own ones where there is no shared
    set. Raises KeyError where a participant has no such metric."""
    values = [(result.shared or result.own)[0][metric] for result in results]
    return max(values), fmean(values)
