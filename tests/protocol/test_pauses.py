"""A pause stops the clocks: nothing is due, what was left of every span is left afterwards, and money still flows."""

from __future__ import annotations

import pytest

from foedus.protocol import events as ev
from foedus.protocol.duties import Clock, Settle, duties, settles_at
from foedus.protocol.events import AbortReason, EndReason, Phase
from foedus.protocol.fold import fold
from foedus.protocol.task import ImpossibleEvent, Task
from tests.protocol.samples import OPTIMISTIC, Script, account, digest
from tests.protocol.test_rollback import proposed
from tests.protocol.test_task import running

ALL = (0, 1, 2, 3, 4)


def reach(phase: Phase) -> Script:
    """A FAST task in a phase."""
    script = Script()
    script.create()
    script.join(*ALL)
    if phase is Phase.ENROL:
        return script
    if phase is Phase.DRAW:
        script.say(ev.DrawScheduled(1, 50))
        return script
    script = running()
    if phase is Phase.COMMIT:
        return script
    script.commit(1, 1, *ALL)
    if phase is Phase.FREEZE:
        script.say(ev.CommitClosed(1, 1, 5, 2100))
        return script
    script.freeze(1, 1, ALL, 5)
    if phase is Phase.ATTEST:
        script.propose(1, 1, 2)
    return script


RUNNING = [phase for phase in Phase if phase not in (Phase.ENDED, Phase.PAUSED)]


def owed_by_all(task: Task, now: int) -> list[object]:
    return [duty for n in range(6) for duty in duties(task, account(n), Clock(now, 500, digest("beacon")))]


@pytest.mark.parametrize("phase", RUNNING)
def test_nothing_is_owed_in_a_pause(phase):
    script = reach(phase)
    assert fold(script.log).phase is phase
    assert owed_by_all(fold(script.log), 9000)
    task = script.say(ev.TaskPaused(1100))
    assert (task.phase, task.paused_in) == (Phase.PAUSED, phase)
    assert owed_by_all(task, 9000) == []


@pytest.mark.parametrize("phase", RUNNING)
def test_what_was_left_of_every_span_is_left_after_it(phase):
    script = reach(phase)
    before = fold(script.log)
    script.say(ev.TaskPaused(1100))
    after = script.say(ev.TaskResumed(400))
    assert (after.phase, after.paused_seconds) == (phase, 400)
    assert after.deadline == (0 if phase is Phase.DRAW else before.deadline + 400)
    if phase in (Phase.AGGREGATE, Phase.ATTEST):
        assert after.round.aggregate_from == before.round.aggregate_from + 400
        assert after.stall_at == before.stall_at + 400


@pytest.mark.parametrize("phase", RUNNING)
def test_only_money_moves_meanwhile(phase):
    script = reach(phase)
    script.say(ev.TaskPaused(1100))
    paid = [ev.RewardClaimed(account(0), 1, 5, 5), ev.ParticipantAdmitted(account(9), True)]
    assert script.say(*paid).claimed == {account(0): 5}
    for refused in (
        ev.ParticipantLeft(account(0), 0, 1600),
        ev.KeysAdvertised(account(0), 0, 2, digest("k"), digest("k")),
        ev.TaskPaused(1200),
        ev.AttemptAborted(1, 1, AbortReason.NOT_FROZEN),
        ev.TaskEnded(EndReason.STALLED, 0),
        ev.RoundFinalized(1, 1, digest("proposal 1"), b""),
        ev.ProposalRefuted(account(1), 1, 1, digest("proposal 1"), 1, 70, 2400, 2500),
    ):
        with pytest.raises(ImpossibleEvent, match="in phase PAUSED"):
            script.say(refused)
        script.log.pop()


def test_pauses_add_up_and_a_proposal_waits_for_those_since_it_was_made():
    script = running(**OPTIMISTIC)
    script.say(ev.TaskPaused(1100), ev.TaskResumed(1000))
    script.commit(1, 1, *ALL)
    script.freeze(1, 1, ALL, 5)
    task = script.propose(1, 1, 2, then=[ev.RoundOpened(2, 1, 2, 5, 3000)])
    assert settles_at(task, task.pending[0].proposal) == 2250
    script.say(ev.TaskPaused(1100), ev.TaskResumed(30))
    task = script.say(ev.TaskPaused(1200), ev.TaskResumed(7))
    assert (task.paused_seconds, settles_at(task, task.pending[0].proposal)) == (1037, 2287)


def test_what_is_paused_is_not_paused_again_and_what_runs_is_not_resumed():
    script = proposed()
    with pytest.raises(ImpossibleEvent, match="TaskResumed in phase COMMIT"):
        script.say(ev.TaskResumed(1))
    script.log.pop()
    script.say(ev.AttemptAborted(2, 1, AbortReason.TOO_FEW_COMMITS), ev.TaskEnded(EndReason.EXHAUSTED, 1))
    with pytest.raises(ImpossibleEvent, match="TaskPaused in phase ENDED"):
        script.say(ev.TaskPaused(1100))


def test_a_settlement_waits_for_the_end_of_a_pause():
    script = proposed()
    task = fold(script.log)
    assert Settle(1) in duties(task, account(0), Clock(9000, 80))
    task = script.say(ev.TaskPaused(1100))
    assert duties(task, account(0), Clock(9000, 80)) == ()
