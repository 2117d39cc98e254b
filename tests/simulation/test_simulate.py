"""Laws: masked and plain give the same models; so do other groups, keys and numbers of workers; those who drop out
change the model as if they had never been there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foedus.protocol.fixedpoint import from_fixed
from foedus.protocol.ids import Position, RoundNumber
from foedus.simulation.ports import Away
from foedus.simulation.simulate import CannotSimulate, RoundResult, SimulationResult, simulate
from tests.simulation.toy import VALUES, toy_clients, toy_task


def roots(result: SimulationResult) -> list[bytes]:
    return [r.model_root for r in result.rounds]


def positions(*numbers: int) -> frozenset[Position]:
    return frozenset(Position(number) for number in numbers)


def away(commit: frozenset[Position], reveal: frozenset[Position] = frozenset()) -> Callable[[RoundNumber, int], Away]:
    return lambda round_, attempt: Away(commit, reveal)


def test_the_average_is_what_it_should_be() -> None:
    task = toy_task(rounds=1)
    clients = toy_clients(task)
    result = simulate(task, clients, checkers=6)
    weights = [client.weight for client in clients]
    goal = np.average([client.target for client in clients], weights=weights)
    start = np.linspace(-1, 1, VALUES)
    assert from_fixed(result.model, 20)[:VALUES] == pytest.approx(start + (goal - start) / 2, abs=1e-5)
    (only,) = result.rounds
    assert only.total_weight == sum(weights)
    want = np.average([np.abs(c.target - start).mean() for c in clients], weights=weights)
    assert only.metrics["distance"] == pytest.approx(want, abs=1e-5)
    assert only.pooled[0]["distance"] == pytest.approx(
        np.average([scores["distance"] for scores, _ in only.scores], weights=weights)
    )


@settings(max_examples=10, deadline=None)
@given(st.integers(2, 8), st.integers(2, 8), st.sampled_from([0, 2]))
def test_the_model_depends_on_neither_mode_nor_groups_nor_keys(participants: int, group: int, degree: int) -> None:
    plain = toy_task(participants, mode="plain", min_survivors=2)
    want = simulate(plain, toy_clients(plain))
    task = toy_task(participants, min_survivors=2, group_size=group, g_min=2, neighbours=min(degree, group // 2 * 2))
    assert roots(simulate(task, toy_clients(task))) == roots(want)
    assert roots(simulate(task, toy_clients(task), mode="plain", checkers=0)) == roots(want)


@settings(max_examples=10, deadline=None)
@given(st.data())
def test_who_drops_out_leaves_no_trace(data: st.DataObject) -> None:
    task = toy_task(9, rounds=1, group_size=9, min_survivors=2)
    seats = st.frozensets(st.integers(0, 8).map(Position), max_size=1)
    gone, silent = data.draw(seats), data.draw(seats)
    result = simulate(task, toy_clients(task), away=away(gone, silent), checkers=2)
    plain = simulate(task, toy_clients(task), mode="plain", away=away(gone))
    assert result.rounds[0].survivors == frozenset(map(Position, range(9))) - gone
    assert roots(result) == roots(plain)


def test_more_absences_than_the_committee_bears_open_nothing() -> None:
    task = toy_task(9, rounds=1, group_size=9, min_survivors=2)
    assert task.terms.absences == 2
    result = simulate(task, toy_clients(task), away=away(positions(0), positions(1, 2)))
    assert len(result.rounds[0].survivors) == 8
    assert result.rounds[0].total_weight == 0
    assert result.rounds[0].model_root.hex() == task.terms.model


def test_a_group_below_its_minimum_is_left_out_whole() -> None:
    task = toy_task(6, rounds=1, group_size=3, g_min=3, min_survivors=2)
    result = simulate(task, toy_clients(task), away=away(positions(0)))
    assert len(result.rounds[0].survivors) == 3


def test_an_attempt_with_too_few_is_tried_again_and_trained_once() -> None:
    task = toy_task(6, rounds=1)
    clients = toy_clients(task)
    everyone = positions(*range(6))
    tried: list[int] = []

    def late(round_: RoundNumber, attempt: int) -> Away:
        tried.append(attempt)
        return Away(everyone if attempt < 3 else frozenset())

    result = simulate(task, clients, away=late)
    assert tried == [1, 2, 3]
    assert result.rounds[0].attempts == 3
    assert [client.updates for client in clients] == [1] * 6
    assert roots(result) == roots(simulate(task, toy_clients(task)))
    stopped = simulate(task, toy_clients(task), away=away(everyone))
    assert stopped.rounds == ()
    assert stopped.stopped == "round 1: 0 survivors where the terms demand 3: the attempt aborts"


def test_evaluation_is_told_when_due_and_changes_nothing() -> None:
    task = toy_task(4, rounds=3)
    seen: list[RoundResult] = []
    result = simulate(
        task, toy_clients(task), evaluate_every=2, progress=seen.append, shared_test=lambda model: ({}, 1)
    )
    assert tuple(seen) == result.rounds
    assert [bool(r.scores) for r in seen] == [False, True, True]
    assert [r.shared for r in seen] == [None, ({}, 1), ({}, 1)]
    assert roots(simulate(task, toy_clients(task), evaluate_every=0)) == roots(result)


def test_the_clients_must_make_up_the_task() -> None:
    task = toy_task(4)
    with pytest.raises(CannotSimulate, match="5 clients where the terms admit 3 to 4"):
        simulate(task, toy_clients(task, 5))
    with pytest.raises(CannotSimulate, match="2 clients where the terms admit 3 to 4: change the number of clients"):
        simulate(task, toy_clients(task, 2))


def test_groups_redrawn_give_the_same_models() -> None:
    task = toy_task(6, rounds=3)
    params = replace(task.terms.params, epoch_rounds=1)
    redrawn = replace(task, terms=replace(task.terms, grouping="redrawn", params=params))
    assert roots(simulate(redrawn, toy_clients(redrawn))) == roots(simulate(task, toy_clients(task)))
