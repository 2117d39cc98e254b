"""OPTIMISTIC finality: rounds run ahead on proposals that await their windows, and become final by time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from foedus.contracts import calls
from foedus.contracts.refusals import (
    AlreadyFinal,
    DemandIsOpen,
    NothingToDo,
    NotStanding,
    TaskIsPaused,
    WindowIsOpen,
    WrongFinality,
)
from foedus.protocol.claims import genesis
from foedus.protocol.events import (
    AggregateProposed,
    BondPosted,
    EndReason,
    Phase,
    RoundFinalized,
    RoundOpened,
    TaskEnded,
)
from foedus.protocol.ids import Wei
from foedus.protocol.terms import Finality
from tests.contracts.actors import BASE, BOND, OPTIMISTIC, Stage, World, digest
from tests.contracts.endgame import finish, reach

WINDOW = OPTIMISTIC.attest_seconds


def test_a_proposal_stands_at_once_and_opens_the_next_round(hopeful: Stage) -> None:
    mined = hopeful.play_round(range(5))["propose"]
    proposed, opened, bond = mined.events
    assert isinstance(proposed, AggregateProposed)
    assert proposed.attest_by == hopeful.world.now + WINDOW
    assert opened == RoundOpened(2, 1, 2, 5, hopeful.world.now + OPTIMISTIC.commit_seconds)
    assert bond == BondPosted(proposed.aggregator, BOND)
    assert hopeful.view("heads") == (proposed.proposal, bytes(32))
    assert hopeful.proposals[0].before == genesis(BASE)
    assert (hopeful.slot["round"], hopeful.book["finalRounds"]) == (2, 0)


def test_no_more_rounds_run_ahead_than_the_terms_say(hopeful: Stage) -> None:
    hopeful.play_round(range(5))
    last = hopeful.play_round(range(5))["propose"].event(AggregateProposed)
    assert (hopeful.phase, hopeful.slot["round"]) == (Phase.ATTEST, 3)
    for wait in (0, WINDOW):
        hopeful.world.advance(wait)
        with pytest.raises(NothingToDo) as refusal:
            hopeful.poke()
        assert (refusal.value.phase, refusal.value.until) == (Phase.ATTEST, last.attest_by)
    settled = hopeful.settle(1)
    assert settled.events[0] == RoundFinalized(1, 1, hopeful.proposals[0].name, b"")
    assert settled.kinds[1:] == ["DrawScheduled"], "the third round opens, with a new epoch"
    assert hopeful.book["finalRounds"] == 1


def test_quorums_do_not_finalise_what_a_window_does(hopeful: Stage) -> None:
    for _ in range(2):
        hopeful.play_round(range(5))
    with pytest.raises(WrongFinality) as refusal:
        hopeful.finalize(range(5))
    assert refusal.value.have is Finality.OPTIMISTIC


def test_a_window_must_pass(hopeful: Stage) -> None:
    proposed = hopeful.play_round(range(5))["propose"].event(AggregateProposed)
    until = proposed.attest_by
    hopeful.world.advance(until - hopeful.world.now - 10)
    with pytest.raises(WindowIsOpen) as refusal:
        hopeful.act(hopeful.settling(1))
    assert (refusal.value.round, refusal.value.until) == (1, until)
    hopeful.world.advance(10)
    assert hopeful.act(hopeful.settling(1), hopeful.sponsor).kinds == ["RoundFinalized"], "anybody may settle"


def test_a_demand_that_is_open_keeps_proposals_from_being_final(hopeful: Stage) -> None:
    hopeful.play_round(range(5))
    hopeful.world.advance(WINDOW)
    hopeful.act(hopeful.world.set_busy(hopeful.task, True))
    with pytest.raises(DemandIsOpen) as refusal:
        hopeful.act(hopeful.settling(1))
    assert refusal.value.round == 1
    hopeful.act(hopeful.world.set_busy(hopeful.task, False))
    hopeful.act(hopeful.settling(1))


def test_only_what_stands_is_settled(hopeful: Stage) -> None:
    for _ in range(2):
        hopeful.play_round(range(5))
    hopeful.world.advance(WINDOW)
    first, second = hopeful.proposals
    later = [second.claim.digest]
    head = second.name
    wrong = [
        (first.before, first.claim, []),
        (first.before, first.claim, [digest("other")]),
        (first.before, replace(first.claim, proposed_at=first.claim.proposed_at - 1), later),
        (first.name, first.claim, later),
        (first.before, second.claim, []),
        (first.before, first.claim, [*later, digest("more")]),
    ]
    for before, claim, followers in wrong:
        with pytest.raises(NotStanding) as refusal:
            hopeful.act(calls.settle(hopeful.task, before, claim, followers))
        assert refusal.value.need == head != refusal.value.have
    hopeful.act(hopeful.settling(1))


def test_a_proposal_is_final_once(hopeful: Stage) -> None:
    hopeful.play_round(range(5))
    hopeful.settle(1)
    with pytest.raises(AlreadyFinal) as refusal:
        hopeful.settle(1)
    assert refusal.value.round == 1


def test_a_settlement_takes_all_before_it_along(hopeful: Stage) -> None:
    for _ in range(2):
        hopeful.play_round(range(5))
    settled = hopeful.settle(2)
    assert settled.events[0] == RoundFinalized(2, 1, hopeful.proposals[1].name, b"")
    assert hopeful.book["finalRounds"] == 2
    with pytest.raises(AlreadyFinal):
        hopeful.settle(1)


def test_nothing_is_settled_while_the_task_is_paused(hopeful: Stage) -> None:
    hopeful.play_round(range(5))
    hopeful.world.advance(WINDOW)
    hopeful.pause()
    with pytest.raises(TaskIsPaused):
        hopeful.act(hopeful.settling(1))
    hopeful.resume()
    hopeful.settle(1)


@pytest.mark.parametrize("ahead", [1, 2, 32])
def test_a_task_ends_with_the_settlement_of_its_last_round(world: World, ahead: int) -> None:
    stage = world.create(world.accounts[:5], replace(OPTIMISTIC, ahead=ahead))
    stage.join(0, 1, 2, 3, 4)
    stage.draw()
    while stage.slot["round"] <= OPTIMISTIC.rounds:
        if stage.phase is Phase.ATTEST:
            stage.settle(stage.book["finalRounds"] + 1)
        if stage.phase is Phase.DRAW:
            stage.draw()
        stage.play_round(range(5))
    assert stage.phase is Phase.ATTEST, "all is proposed, not all is final"
    last = stage.settle(OPTIMISTIC.rounds)
    final = RoundFinalized(OPTIMISTIC.rounds, 1, stage.proposals[-1].name, b"")
    assert last.events == (final, TaskEnded(EndReason.COMPLETED, OPTIMISTIC.rounds))


def test_settling_what_is_not_the_last_round_does_not_end_a_task(world: World) -> None:
    stage = world.create(world.accounts[:5], replace(OPTIMISTIC, ahead=32, epoch_rounds=9))
    stage.join(0, 1, 2, 3, 4)
    stage.draw()
    for _ in range(OPTIMISTIC.rounds):
        stage.play_round(range(5))
    assert stage.settle(OPTIMISTIC.rounds - 1).kinds == ["RoundFinalized"]
    assert stage.phase is Phase.ATTEST
    assert stage.settle(OPTIMISTIC.rounds).kinds == ["RoundFinalized", "TaskEnded"]


def test_what_was_proposed_before_a_task_ended_becomes_final_after(hopeful: Stage) -> None:
    hopeful.play_round(range(5), payout_total=Wei(5))
    reach(hopeful, Phase.ENDED)
    last = hopeful.proposals[0]
    assert hopeful.settle(1).events == (RoundFinalized(1, 1, last.name, b""),)
    assert hopeful.phase is Phase.ENDED
    hopeful.act(calls.withdraw_remainder(hopeful.task, last.before, last.claim))


def test_whole_tasks_are_played_on_both_chains(chain: World) -> None:
    stage = chain.create(chain.accounts[:5], OPTIMISTIC)
    stage.join(0, 1, 2, 3, 4)
    assert finish(stage).reason is EndReason.COMPLETED
