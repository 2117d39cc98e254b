"""The fold: what each event does, what cannot follow, and that replaying is the same as following."""

from typing import Any

import pytest

from foedus.protocol import events as ev
from foedus.protocol.events import AbortReason, EndReason, Logged, Phase
from foedus.protocol.fold import apply, fold
from foedus.protocol.task import ImpossibleEvent
from tests.protocol.samples import Script, account, digest, params


def running(joined: int = 5, **changes: Any) -> Script:
    """A task whose first round takes commits; `changes` to its params."""
    script = Script()
    script.create(**changes)
    script.join(*range(joined))
    script.draw(1, joined)
    script.open(1, 1, 1, joined)
    return script


def test_a_round_from_enrolment_to_the_next():
    script = running()
    task = script.commit(1, 1, 0, 1, 2, 3)
    assert (task.phase, len(task.round.commitments), task.ready) == (Phase.COMMIT, 4, 4)
    task = script.freeze(1, 1, {0, 1, 2}, 5)
    assert (task.phase, task.round.survivors, task.round.threshold) == (Phase.AGGREGATE, {0, 1, 2}, 4)
    task = script.propose(1, 1, 1, "model 1")
    assert task.phase is Phase.ATTEST
    script.finalize(1, 1, 5)
    task = script.open(2, 1, 2, 4)
    assert (task.model_root, task.next_round, task.phase) == (digest("model 1"), 2, Phase.COMMIT)
    assert list(task.round.roster) == [0, 1, 2, 3]
    assert task.round.roster[0].mask_key == digest("mask 0")
    assert [r.number for r in task.finished] == [1]
    assert (task.pending, task.head) == ((), digest("proposal 1"))
    assert (task.payout_root, task.payout_total) == (digest("payout_root"), 10)


def test_keys_serve_one_opening_only():
    script = running()
    script.commit(1, 1, 0, 1, 2)
    script.say(ev.KeysAdvertised(account(4), 4, 2, digest("late"), digest("late")))
    script.say(ev.AttemptAborted(1, 1, AbortReason.TOO_FEW_COMMITS))
    task = script.open(1, 2, 2, 4)
    assert list(task.round.roster) == [0, 1, 2, 4]
    assert task.round.roster[4].mask_key == digest("late")
    assert task.round.attempt == 2


def test_who_joins_in_an_epoch_waits_for_the_next():
    script = running()
    task = script.join(5, epoch=2)
    assert (task.waiting, task.ready) == (1, 0)
    script.commit(1, 1, 0, 1, 2)
    script.say(ev.AttemptAborted(1, 1, AbortReason.TOO_FEW_COMMITS))
    assert list(script.open(1, 2, 2, 3).round.roster) == [0, 1, 2]
    script.say(ev.AttemptAborted(1, 2, AbortReason.TOO_FEW_COMMITS))
    script.say(ev.EnrolmentOpened(3000, 3))
    script.draw(2, 6)
    with pytest.raises(ImpossibleEvent, match="1 eligible participants where the contract counted 4"):
        script.open(1, 3, 3, 4)


def test_a_disputed_pair_is_severed_by_account_for_good():
    script = running()
    script.commit(1, 1, 0, 1, 2, 3, 4)
    task = script.freeze(1, 1, {2, 3, 4}, 5, disputes={(0, 1)})
    assert task.severed == {(account(0), account(1))}
    script.propose(1, 1, 2)
    script.finalize(1, 1, 5)
    assert script.open(2, 1, 2, 5).round.severed == {(0, 1)}


def test_a_dropped_proposal_hands_over():
    script = running()
    script.commit(1, 1, 0, 1, 2, 3, 4)
    script.freeze(1, 1, {0, 1, 2, 3, 4}, 5)
    script.propose(1, 1, 2)
    task = script.say(ev.ProposalDropped(1, 1, 1, 2260))
    assert (task.phase, task.deadline, task.round.next_rank, task.round.proposal) == (Phase.AGGREGATE, 2300, 1, None)


def test_an_end_is_an_end():
    script = running()
    script.say(ev.AttemptAborted(1, 1, AbortReason.TOO_FEW_COMMITS))
    task = script.say(ev.TaskEnded(EndReason.EXHAUSTED, 0))
    assert (task.phase, task.end, task.round) == (Phase.ENDED, EndReason.EXHAUSTED, None)
    script.say(ev.ParticipantLeft(account(0), 0, 1600))
    with pytest.raises(ImpossibleEvent, match="RoundOpened in phase ENDED"):
        script.open(1, 2, 2, 3)


def test_replaying_is_following():
    script = running()
    script.commit(1, 1, 0, 1, 2, 3, 4)
    script.freeze(1, 1, {0, 1, 2}, 5)
    state = fold(script.log[:1])
    for at, entry in enumerate(script.log[1:], start=2):
        state = apply(state, entry)
        assert state == fold(script.log[:at])


@pytest.mark.parametrize("drop", range(2, 14))
def test_a_log_with_a_hole_is_noticed(drop):
    """Whatever one event is lost, but for when enrolment ends: the fold refuses what comes later."""
    script = running()
    script.commit(1, 1, 0, 1, 2)
    script.freeze(1, 1, {0, 1, 2}, 5)
    with pytest.raises(ImpossibleEvent):
        fold(script.log[:drop] + script.log[drop + 1 :])


@pytest.mark.parametrize(
    ("lie", "message"),
    [
        (ev.RoundOpened(1, 2, 3, 5, 2000), "opening 3 of round 1 after opening 1"),
        (ev.RoundOpened(2, 1, 2, 5, 2000), "opening 2 of round 2 after opening 1"),
        (ev.CommitClosed(1, 1, 4, 2000), "5 commitments where 4 were counted"),
        (ev.CommitClosed(1, 2, 5, 2000), "event of round 1 attempt 2 while 1 runs"),
        (ev.AttemptAborted(2, 1, AbortReason.NOT_FROZEN), "event of round 2 attempt 1 while 1 runs"),
        (ev.UpdateCommitted(account(0), 1, 1, 0, 2, *(digest("root"),) * 6), "of whom none is awaited at seat 0"),
        (ev.UpdateCommitted(account(0), 1, 1, 1, 2, *(digest("root"),) * 6), "of whom none is awaited at seat 1"),
        (ev.UpdateCommitted(account(7), 1, 1, 7, 1, *(digest("root"),) * 6), "of whom none is awaited at seat 7"),
        (ev.SurvivorsFrozen(1, 1, b"\x01", b"", b"\x01", 60, 2200, 2300), "SurvivorsFrozen in phase COMMIT"),
        (ev.TaskEnded(EndReason.EXHAUSTED, 1), "an end after 1 rounds where 0 were proposed"),
        (ev.TaskCreated(account(0), account(0), *(digest("x"),) * 3, account(0), 1, params()), "in phase COMMIT"),
    ],
)
def test_what_cannot_follow_is_noticed(lie, message):
    script = running()
    script.commit(1, 1, 0, 1, 2, 3, 4)
    with pytest.raises(ImpossibleEvent, match=message):
        apply(fold(script.log), Logged(script.log[-1].point, lie))


def test_a_stake_that_left_commits_no_more():
    script = running()
    script.say(ev.ParticipantLeft(account(3), 3, 1600))
    script.join(3, epoch=2)
    with pytest.raises(ImpossibleEvent, match="of whom none is awaited at seat 3"):
        script.commit(1, 1, 3)


def test_a_log_must_begin_with_a_creation():
    with pytest.raises(ImpossibleEvent, match="no such task"):
        fold([])
    with pytest.raises(ImpossibleEvent, match="before TaskCreated"):
        fold(running().log[1:])
