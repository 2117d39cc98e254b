"""Schedules of faults: the same for the same seed, and within what the committee bears."""

from __future__ import annotations

import pytest

from tests.chaos.schedule import LATEST_SECONDS, MEANT_SECONDS, Kind, draw

SIZES = ((4, 2, 5), (5, 2, 5), (8, 5, 10), (12, 3, 30))


@pytest.mark.parametrize(("nodes", "rounds", "faults"), SIZES)
@pytest.mark.parametrize("seed", range(20))
def test_a_seed_gives_the_same_schedule_again_and_another_seed_another(seed, nodes, rounds, faults):
    assert draw(seed, nodes, rounds, faults) == draw(seed, nodes, rounds, faults)
    assert draw(seed, nodes, rounds, faults).faults != draw(seed + 1, nodes, rounds, faults).faults


@pytest.mark.parametrize(("nodes", "rounds", "faults"), SIZES)
@pytest.mark.parametrize("seed", range(20))
def test_a_round_takes_out_no_more_nodes_than_the_committee_bears(seed, nodes, rounds, faults):
    schedule = draw(seed, nodes, rounds, faults)
    assert len(schedule.faults) == faults
    for number in range(1, rounds + 1):
        struck = [fault for fault in schedule.faults if fault.round == number]
        assert faults // rounds <= len(struck) <= -(-faults // rounds)
        assert len({fault.node for fault in struck if fault.takes_out}) <= schedule.borne
    for fault in schedule.faults:
        assert 0 <= fault.node < nodes
        assert 0 <= fault.start <= LATEST_SECONDS
        assert fault.seconds == 0 if fault.kind is Kind.RESET else 2 <= fault.seconds <= 8


def test_the_committee_bears_one_of_four_and_two_of_eight():
    assert [draw(0, nodes, 1, 1).borne for nodes in (4, 5, 8)] == [1, 1, 2]


@pytest.mark.parametrize("seed", range(20))
def test_a_meant_abort_is_one_node_more_in_one_round_and_nothing_else_begins_then(seed):
    schedule = draw(seed, 8, 5, 10, abort=True)
    meant = [fault for fault in schedule.faults if fault.meant]
    assert len(schedule.faults) == 10 + len(meant)
    assert len({fault.node for fault in meant}) == len(meant) == 3
    assert {(fault.kind, fault.seconds, fault.start) for fault in meant} == {(Kind.PAUSE, MEANT_SECONDS, 0.0)}
    (number,) = {fault.round for fault in meant}
    assert all(fault.meant for fault in schedule.faults if fault.round == number)


def test_every_kind_comes_up_as_often_as_every_other():
    drawn = [fault.kind for fault in draw(1, 8, 5, 3 * len(Kind)).faults]
    assert {drawn.count(kind) for kind in Kind} == {3}


@pytest.mark.parametrize(("nodes", "rounds", "abort"), [(3, 1, False), (8, 0, False), (8, 1, True)])
def test_sizes_that_bear_nothing_are_refused(nodes, rounds, abort):
    with pytest.raises(ValueError, match="at least 4 nodes and"):
        draw(1, nodes, rounds, 5, abort)
