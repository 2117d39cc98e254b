"""A task from its first model to its last, in one process (federated averaging: McMahan et al., AISTATS 2017).

Sums are exact and the rule is integer arithmetic, so the models do not depend on groups, seats, keys or mode: masked,
plain, and the network with the same survivors give the same `model_root` in every round.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from foedus.aggregator.freeze import TooFewSurvivors
from foedus.aggregator.keys import Random
from foedus.aggregator.rules import initial_state, rule_of
from foedus.aggregator.unmask import FirstFreeze
from foedus.aggregator.update import decode_metrics, metric_bits
from foedus.protocol.chunks import Lanes, lanes_from_bytes, vector_root
from foedus.protocol.fixedpoint import signed
from foedus.protocol.ids import ZERO32, Attempt, Hash32, Opening, Position, RoundNumber
from foedus.protocol.terms import Mode
from foedus.simulation.attempt import run_attempt
from foedus.simulation.ports import Away, BuiltTask, Client, Model, Score, Scores, nobody, pooled
from foedus.simulation.seating import seat


class CannotSimulate(ValueError):
    """The clients do not make up the task; the message says what to change."""


@dataclass(frozen=True, slots=True)
class RoundResult:
    """One finished round.

    attempts: how many it took; total_weight: of the groups that could be opened; metrics: means by weight, as the
    aggregate tells them; scores: each client's own evaluation of the new model, empty where none was due; shared: that
    on the common test set. Seconds are of this process's clock: all clients' training one after another, and everything
    from masking to the new model.
    """

    number: RoundNumber
    attempts: int
    survivors: frozenset[Position]
    total_weight: int
    model_root: Hash32
    state_root: Hash32
    metrics: Mapping[str, float]
    scores: tuple[Scores, ...]
    shared: Scores | None
    training_seconds: float
    aggregation_seconds: float

    @property
    def pooled(self) -> Scores:
        """All clients' own evaluations, averaged by number of examples."""
        return pooled(list(self.scores))


@dataclass(frozen=True, slots=True)
class SimulationResult:
    """A whole task. stopped: why it ended before its last round, or None. model: int32 lanes after the last round."""

    mode: Mode
    rounds: tuple[RoundResult, ...]
    model: Model = field(repr=False)
    model_root: Hash32
    stopped: str | None = None


def simulate(
    built: BuiltTask,
    clients: Sequence[Client],
    *,
    mode: Mode | None = None,
    shared_test: Score | None = None,
    away: Callable[[RoundNumber, int], Away] = nobody,
    evaluate_every: int = 1,
    checkers: int = 1,
    workers: int = 1,
    progress: Callable[[RoundResult], None] | None = None,
    random: Random = os.urandom,
) -> SimulationResult:
    """Run every round of the task.

    clients: client i sits at position i. mode: the terms' where None. shared_test: an evaluation on one test set for
    all. away: who drops out of a round's attempt. evaluate_every: evaluate after every so many rounds and after the
    last; 0 for the last alone. checkers: committee members who check their shares of every bundle. workers: processes
    for the sums. progress: called after each round. Raises CannotSimulate where the clients are fewer or more than the
    terms admit, or encode larger metrics than `mode` has room for.
    """
    params, terms = built.terms.params, built.terms
    if not max(params.min_participants, params.min_survivors) <= len(clients) <= params.max_participants:
        fewest = max(params.min_participants, params.min_survivors)
        raise CannotSimulate(
            f"{len(clients)} clients where the terms admit {fewest} to {params.max_participants}: change the number of "
            "clients, or min_participants, min_survivors and max_participants in [rounds]"
        )
    if mode is not None:
        terms = replace(terms, mode=mode)
        if built.manifest.metrics and metric_bits(terms) < metric_bits(built.terms):
            raise CannotSimulate(
                f"the clients encode metrics for mode {built.terms.mode}: build the task in mode {mode}"
            )
    model: Model = signed(lanes_from_bytes(built.initial_model, built.manifest.model_lanes))
    state = initial_state(rule_of(terms), built.manifest.model_lanes)
    root, state_root = vector_root(built.initial_model), ZERO32
    guards = {Position(at): FirstFreeze() for at in range(len(clients))}
    opening, finished = 0, list[RoundResult]()
    for number in map(RoundNumber, range(1, params.rounds + 1)):
        started = time.perf_counter()
        updates: dict[Position, Lanes] = {
            Position(at): client.update(model, number).lanes for at, client in enumerate(clients)
        }
        trained = time.perf_counter()
        for attempt in range(1, params.max_attempts + 1):
            opening += 1
            roots = (root, state_root)
            seating = seat(terms, len(clients), number, Attempt(attempt), Opening(opening), *roots, random)
            try:
                outcome, survivors = run_attempt(
                    seating,
                    terms,
                    built.manifest,
                    model,
                    state,
                    updates,
                    away(number, attempt),
                    guards,
                    random,
                    checkers=checkers,
                    workers=workers,
                )
            except TooFewSurvivors as error:
                if attempt == params.max_attempts:
                    return SimulationResult(terms.mode, tuple(finished), model, root, f"round {number}: {error}")
                continue
            break
        model, root = outcome.model, outcome.model_root
        state, state_root = outcome.state, outcome.state_root
        aggregated = time.perf_counter()
        counted = {group: total for group, total in outcome.group_sums.items() if group not in outcome.causes}
        due = number == params.rounds or (evaluate_every > 0 and number % evaluate_every == 0)
        result = RoundResult(
            number=number,
            attempts=attempt,
            survivors=survivors,
            total_weight=outcome.total_weight,
            model_root=root,
            state_root=state_root,
            metrics=decode_metrics(built.terms, built.manifest, counted),
            scores=tuple(client.evaluate(model) for client in clients) if due else (),
            shared=shared_test(model) if due and shared_test else None,
            training_seconds=trained - started,
            aggregation_seconds=aggregated - trained,
        )
        finished.append(result)
        if progress:
            progress(result)
    return SimulationResult(terms.mode, tuple(finished), model, root)
