"""The mode rlwe gives the models of the plain mode, whoever drops out, as far as the committee bears it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from foedus.protocol.ids import Position
from foedus.simulation.simulate import simulate
from tests.simulation.test_simulate import away, positions, roots
from tests.simulation.toy import toy_clients, toy_task


@settings(max_examples=8, deadline=None)
@given(st.integers(2, 9), st.integers(2, 9))
def test_the_model_is_that_of_the_plain_mode_whatever_the_groups(participants: int, group: int) -> None:
    plain = toy_task(participants, mode="plain", min_survivors=2)
    task = toy_task(participants, mode="rlwe", min_survivors=2, group_size=group, g_min=2)
    result = simulate(task, toy_clients(task), checkers=2)
    assert roots(result) == roots(simulate(plain, toy_clients(plain)))


@settings(max_examples=6, deadline=None)
@given(st.data())
def test_who_drops_out_leaves_no_trace(data: st.DataObject) -> None:
    task = toy_task(9, rounds=1, mode="rlwe", group_size=9, min_survivors=2)
    seats = st.frozensets(st.integers(0, 8).map(Position), max_size=2)
    gone = data.draw(seats)
    silent = data.draw(seats.filter(lambda some: len(some | gone) <= task.terms.absences))
    result = simulate(task, toy_clients(task), away=away(gone, silent), checkers=2)
    plain = simulate(task, toy_clients(task), mode="plain", away=away(gone))
    assert result.rounds[0].survivors == positions(*range(9)) - gone
    assert roots(result) == roots(plain)


def test_more_absences_than_the_committee_bears_open_nothing() -> None:
    task = toy_task(9, rounds=1, mode="rlwe", group_size=9, min_survivors=2)
    result = simulate(task, toy_clients(task), away=away(positions(0), positions(1, 2)))
    assert len(result.rounds[0].survivors) == 8
    assert result.rounds[0].total_weight == 0
    assert result.rounds[0].model_root.hex() == task.terms.model
