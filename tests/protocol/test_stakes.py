"""Seats, stakes, bonds and payees: what leaving, convictions and coming back do to them."""

from __future__ import annotations

import pytest

from foedus.protocol import events as ev
from foedus.protocol.events import AbortReason, EndReason, Fault, Phase
from foedus.protocol.fold import fold
from foedus.protocol.task import ImpossibleEvent
from tests.protocol.samples import OPTIMISTIC, account, digest
from tests.protocol.test_task import running

KEY = digest("key")


def test_a_stake_thaws_when_its_account_has_left_and_is_collected_once():
    script = running()
    script.say(ev.BondPosted(account(3), 500))
    task = script.say(ev.ParticipantLeft(account(3), 3, 1600))
    assert (task.thawing, task.bonded, task.thaws_at(account(3))) == ({account(3): 1600}, {account(3)}, 1600)
    assert account(3) not in task.participants
    task = script.say(ev.StakeCollected(account(3), 1500))
    assert (task.thawing, task.bonded) == ({}, frozenset())
    with pytest.raises(ImpossibleEvent, match="was not thawing"):
        script.say(ev.StakeCollected(account(3), 1500))


def test_a_pause_stops_the_thaw():
    script = running()
    script.say(ev.ParticipantLeft(account(3), 3, 1600))
    script.say(ev.TaskPaused(1100))
    task = script.say(ev.TaskResumed(400))
    assert (task.thawing[account(3)], task.thaws_at(account(3))) == (1600, 2000)


def test_who_comes_back_stakes_what_was_thawing_and_keeps_payee_bond_and_counter():
    script = running()
    script.commit(1, 1, 3)
    script.say(ev.BondPosted(account(3), 500))
    script.say(ev.AttemptAborted(1, 1, AbortReason.TOO_FEW_COMMITS), ev.EnrolmentOpened(1500, 3))
    script.say(ev.ParticipantLeft(account(3), 3, 1600))
    task = script.say(ev.ParticipantJoined(account(3), 3, 4, 2, KEY, KEY, digest("terms")))
    assert (task.thawing, task.bonded) == ({}, {account(3)})
    assert (task.payees[account(3)], task.participants[account(3)].generation) == (4, 1)


def test_a_conviction_takes_stake_bond_and_seat_and_leaves_the_payee():
    script = running()
    script.say(ev.BondPosted(account(3), 500))
    task = script.slash(3, fault=Fault.CONFLICTING_SIGNATURES)
    assert account(3) not in task.participants
    assert (task.bonded, task.thawing, task.payees[account(3)]) == (frozenset(), {}, 4)
    assert (task.round.left, task.round.position_of(account(3))) == ({3}, None)
    assert 3 not in task.round.seated


def test_whoever_is_convicted_after_leaving_loses_the_stake_that_thaws():
    script = running()
    script.say(ev.ParticipantLeft(account(3), 3, 1600))
    task = script.slash(3, seated=False)
    assert (task.thawing, task.participants.keys() & {account(3)}) == ({}, set())
    assert task.phase is Phase.COMMIT


def test_who_is_convicted_after_it_committed_stays_a_survivor_and_signs_no_more():
    """Its update is in the frozen set or not: what it committed is not undone."""
    script = running()
    script.commit(1, 1, 0, 1, 2, 3, 4)
    task = script.slash(4)
    assert (sorted(task.round.commitments), task.ready) == ([0, 1, 2, 3, 4], 4)
    task = script.freeze(1, 1, {0, 1, 4}, 5)
    assert (task.round.survivors, task.round.seated) == ({0, 1, 4}, (0, 1, 2, 3))
    script.propose(1, 1, 0)
    script.finalize(1, 1, 5)
    assert list(script.open(2, 1, 2, 4).round.roster) == [0, 1, 2, 3]


def test_members_and_money_move_after_the_end_too():
    script = running(**OPTIMISTIC)
    script.say(ev.AttemptAborted(1, 1, AbortReason.TOO_FEW_COMMITS), ev.TaskEnded(EndReason.EXHAUSTED, 0))
    script.slash(0)
    script.say(ev.ParticipantLeft(account(1), 1, 1600))
    script.say(ev.StakeCollected(account(1), 1000))
    task = script.say(ev.RewardClaimed(account(1), 2, 5, 5), ev.RemainderReturned(account(9), 94))
    assert (task.phase, task.claimed, sorted(task.participants)) == (
        Phase.ENDED,
        {account(1): 5},
        [account(2), account(3), account(4)],
    )


def test_the_sponsor_admits_and_takes_it_back():
    script = running(open=False)
    task = script.say(ev.ParticipantAdmitted(account(8), True), ev.ParticipantAdmitted(account(9), True))
    assert task.admitted == {account(8), account(9)}
    assert script.say(ev.ParticipantAdmitted(account(8), False)).admitted == {account(9)}


@pytest.mark.parametrize(
    ("lie", "message"),
    [
        (ev.ParticipantLeft(account(7), 7, 1600), "seat 7, where it does not sit"),
        (ev.ParticipantLeft(account(3), 2, 1600), "seat 2, where it does not sit"),
        (ev.ParticipantSlashed(account(7), 7, True, Fault.WRONG_AGGREGATE, 1, account(0), 1), "did not have"),
        (ev.ParticipantSlashed(account(3), 0, False, Fault.WRONG_AGGREGATE, 1, account(0), 1), "kept one"),
        (ev.ParticipantSlashed(account(3), 2, True, Fault.WRONG_AGGREGATE, 1, account(0), 1), "where it does not sit"),
        (ev.ParticipantJoined(account(3), 6, 4, 2, KEY, KEY, digest("terms")), "it has one"),
        (ev.ParticipantJoined(account(7), 3, 8, 2, KEY, KEY, digest("terms")), "somebody sits there"),
        (ev.StakeCollected(account(3), 1000), "was not thawing"),
        (ev.KeysAdvertised(account(7), 7, 2, KEY, KEY), "who has not joined"),
    ],
)
def test_members_that_cannot_be_are_noticed(lie, message):
    script = running()
    with pytest.raises(ImpossibleEvent, match=message):
        script.say(lie)


def test_a_payee_keeps_its_number():
    script = running()
    script.say(ev.ParticipantLeft(account(3), 3, 1600))
    with pytest.raises(ImpossibleEvent, match="became payee 9"):
        script.say(ev.ParticipantJoined(account(3), 3, 9, 2, KEY, KEY, digest("terms")))
    assert fold(script.log[:-1]).payees[account(3)] == 4
