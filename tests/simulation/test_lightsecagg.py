"""Law: `lightsecagg` gives the models that plain sums give, bit for bit, with as many absences as it bears."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foedus.protocol.ids import Position, RoundNumber
from foedus.simulation.ports import Away
from foedus.simulation.simulate import SimulationResult, simulate
from tests.simulation.toy import toy_clients, toy_task


def seen(result: SimulationResult) -> list[object]:
    return [(r.model_root, r.survivors, r.total_weight) for r in result.rounds]


@settings(max_examples=12, deadline=None)
@given(participants=st.integers(2, 9), group=st.integers(2, 9), data=st.data())
def test_the_models_are_those_of_plain_sums(participants: int, group: int, data: st.DataObject) -> None:
    """Of the same survivors: a group of one is left out here, and in plain mode it is not."""
    task = toy_task(participants, min_survivors=2, group_size=group, mode="lightsecagg")
    seats = st.permutations([Position(at) for at in range(participants)])
    lost = data.draw(seats)[: data.draw(st.integers(0, task.terms.absences))]
    cut = data.draw(st.integers(0, len(lost)))

    def away(number: RoundNumber, attempt: int) -> Away:
        return Away(frozenset(lost[:cut]), frozenset(lost[cut:]))

    light = simulate(task, toy_clients(task), away=away, checkers=participants)
    assert [len(result.survivors) >= 2 for result in light.rounds] == [True, True]
    out = frozenset(map(Position, range(participants))) - light.rounds[0].survivors
    other = toy_task(participants, min_survivors=2, group_size=group, mode="plain")
    plain = simulate(other, toy_clients(other), away=lambda number, attempt: Away(out, frozenset()))
    assert seen(light) == seen(plain)
    for one, same in zip(light.rounds, plain.rounds, strict=True):
        assert one.metrics == pytest.approx(same.metrics, abs=1e-5), "fixed point, of another number of bits"
    assert all(result.total_weight > 0 for result in light.rounds)


def test_one_absence_more_than_the_committee_bears_opens_nothing() -> None:
    task = toy_task(9, rounds=1, group_size=9, min_survivors=2, mode="lightsecagg")
    assert task.terms.absences == 2
    lost = Away(frozenset({Position(0)}), frozenset({Position(1), Position(2)}))
    (only,) = simulate(task, toy_clients(task), away=lambda number, attempt: lost).rounds
    assert len(only.survivors) == 8
    assert only.total_weight == 0
    assert only.model_root.hex() == task.terms.model
