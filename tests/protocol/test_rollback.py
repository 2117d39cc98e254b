"""OPTIMISTIC tasks: proposals that await their windows, rounds that run meanwhile, and what a refuted one undoes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from foedus.protocol import events as ev
from foedus.protocol.claims import genesis
from foedus.protocol.duties import Advertise, Clock, Propose, Reveal, aggregator_rank, duties
from foedus.protocol.events import AbortReason, EndReason, Phase
from foedus.protocol.fold import apply, fold
from foedus.protocol.ids import ZERO32
from foedus.protocol.task import ImpossibleEvent, Task
from tests.protocol.samples import OPTIMISTIC, Script, account, digest
from tests.protocol.test_task import running

ALL = (0, 1, 2, 3, 4)
OPENED = ev.RoundOpened(2, 1, 2, 5, 3000)


def proposed(ahead: int = 3, then: tuple[ev.Event, ...] = (OPENED,), **changes: int) -> Script:
    """Round 1 is proposed by account 1, and frozen for 0, 1 and 2; what follows is open."""
    script = running(**OPTIMISTIC | {"ahead": ahead} | changes)
    script.commit(1, 1, *ALL)
    script.freeze(1, 1, {0, 1, 2}, 5)
    script.propose(1, 1, 1, "model 1", then)
    return script


def test_a_proposal_stands_at_once_and_is_final_later():
    script = proposed()
    task = fold(script.log)
    assert (task.phase, task.round.number, task.round.base_root) == (Phase.COMMIT, 2, digest("model 1"))
    assert (task.model_root, task.state_root, task.head) == (
        digest("model 1"),
        digest("state_root"),
        digest("proposal 1"),
    )
    assert [r.number for r in task.pending] == [1]
    assert (task.finished, task.payout_root, task.next_round) == ((), ZERO32, 2)
    task = script.finalize(1, 1)
    assert (task.phase, task.round.number) == (Phase.COMMIT, 2)
    assert ([r.number for r in task.finished], task.pending, task.next_round) == ([1], (), 2)
    assert (task.payout_root, task.payout_total) == (digest("payout_root"), 10)
    assert task.finished[0].attesters == frozenset()


def test_a_final_round_makes_those_before_it_final():
    script = proposed()
    script.commit(2, 1, *ALL)
    script.freeze(2, 1, ALL, 5)
    task = script.propose(2, 1, 3, "model 2", [ev.DrawScheduled(2, 80)])
    assert ([r.number for r in task.pending], task.phase, task.next_round) == ([1, 2], Phase.DRAW, 3)
    assert [r.proposal.before for r in task.pending] == [genesis(digest("model 0")), digest("proposal 1")]
    task = script.finalize(2, 1)
    assert ([r.number for r in task.finished], task.pending) == ([1, 2], ())


def test_where_as_many_wait_as_may_the_task_waits_for_a_window():
    script = proposed(ahead=1, then=())
    assert fold(script.log).phase is Phase.ATTEST
    assert script.finalize(1, 1).phase is Phase.ATTEST
    assert script.open(2, 1, 2, 5).phase is Phase.COMMIT


def in_commit(script: Script) -> None:
    script.commit(2, 1, 0, 3)


def in_freeze(script: Script) -> None:
    script.commit(2, 1, *ALL)
    script.say(ev.CommitClosed(2, 1, 5, 3100))


def in_aggregate(script: Script) -> None:
    script.commit(2, 1, *ALL)
    script.freeze(2, 1, ALL, 5)


def in_enrol(script: Script) -> None:
    script.say(ev.AttemptAborted(2, 1, AbortReason.TOO_FEW_COMMITS), ev.EnrolmentOpened(3100, 3))


def in_draw(script: Script) -> None:
    in_aggregate(script)
    script.propose(2, 1, 3, "model 2", [ev.DrawScheduled(2, 80)])


def in_attest(script: Script) -> None:
    in_draw(script)
    script.say(ev.EpochDrawn(2, 5, digest("seed 2")))
    script.open(3, 1, 3, 5)
    script.commit(3, 1, *ALL)
    script.freeze(3, 1, ALL, 5)
    script.propose(3, 1, 3, "model 3")


def in_ended(script: Script) -> None:
    script.say(ev.AttemptAborted(2, 1, AbortReason.TOO_FEW_COMMITS), ev.TaskEnded(EndReason.EXHAUSTED, 1))


FALLS: dict[Phase, Callable[[Script], None]] = {
    Phase.ENROL: in_enrol,
    Phase.DRAW: in_draw,
    Phase.COMMIT: in_commit,
    Phase.FREEZE: in_freeze,
    Phase.AGGREGATE: in_aggregate,
    Phase.ATTEST: in_attest,
    Phase.ENDED: in_ended,
}


def fallen(phase: Phase) -> tuple[Script, Task]:
    """Round 1's proposal is refuted while the task is in a phase."""
    script = proposed()
    FALLS[phase](script)
    assert fold(script.log).phase is phase
    script.slash(1)
    return script, script.refute(1, 1, 1)


@pytest.mark.parametrize("phase", FALLS)
def test_a_refuted_proposal_falls_with_all_that_followed(phase):
    _, task = fallen(phase)
    assert (task.model_root, task.state_root, task.head) == (digest("model 0"), ZERO32, genesis(digest("model 0")))
    assert (task.pending, task.next_round, task.domain, task.seed) == ((), 1, 5, digest("seed 1"))
    assert account(1) not in task.participants
    if phase is Phase.ENDED:
        assert (task.phase, task.round, task.deadline) == (Phase.ENDED, None, 0)


@pytest.mark.parametrize("phase", [phase for phase in FALLS if phase is not Phase.ENDED])
def test_its_round_is_aggregated_again_from_the_same_frozen_set(phase):
    script, task = fallen(phase)
    before = fold(script.log[: next(at for at, e in enumerate(script.log) if e.event == OPENED)]).pending[0]
    again = task.round
    assert (task.phase, task.deadline, task.stall_at) == (Phase.AGGREGATE, 2500, 2500)
    assert (again.number, again.attempt, again.opening, again.resumed) == (1, 1, 1, True)
    assert again.freeze.digest == before.freeze.digest
    assert (again.freeze.beacon_block, again.next_rank, again.aggregate_from) == (70, 1, 2400)
    assert (again.commitments, again.roster, again.base_root) == (before.commitments, before.roster, digest("model 0"))
    assert (again.proposal, again.left) == (None, {1})
    assert Reveal(1, 1) in duties(task, account(2), Clock(2401, 75))


@pytest.mark.parametrize("phase", [phase for phase in FALLS if phase is not Phase.ENDED])
def test_what_follows_is_built_on_the_new_base(phase):
    """In the same groups; in new ones where a later epoch, or its draw, had begun."""
    script, task = fallen(phase)
    epoch, opening = task.epoch + 1, task.opening + 1
    numbers = [n for n in (0, 2, 3, 4) if not task.is_eligible(task.participants[account(n)], opening)]
    for n in numbers:
        assert Advertise(opening) in duties(task, account(n), Clock(2401, 75))
        script.say(ev.KeysAdvertised(account(n), n, opening, digest(f"late {n}"), digest(f"late {n}")))
    seed = digest("seed 1")
    if phase in (Phase.DRAW, Phase.ATTEST):
        script.propose(1, 1, 2, "model 1 again", [ev.DrawScheduled(epoch, 90)])
        seed = digest("seed 9")
        script.say(ev.EpochDrawn(epoch, 5, seed))
        task = script.open(2, 1, opening, 4)
    else:
        task = script.propose(1, 1, 2, "model 1 again", [ev.RoundOpened(2, 1, opening, 4, 3000)])
    assert (task.round.base_root, task.round.seed, task.round.domain) == (digest("model 1 again"), seed, 5)
    assert list(task.round.roster) == [0, 2, 3, 4]
    assert [r.resumed for r in task.pending] == [True]


def test_a_draw_that_is_called_off_leaves_who_waited_for_it_without_keys():
    script = proposed()
    script.join(5, epoch=2)
    in_draw(script)
    script.join(6, epoch=3)
    task = fold(script.log)
    assert (task.ready, task.waiting) == (6, 1)
    script.slash(1)
    task = script.refute(1, 1, 1)
    assert (task.epoch, task.ready, task.waiting) == (2, 4, 1)
    assert Advertise(3) in duties(task, account(5), Clock(2401, 75))
    assert not any(isinstance(duty, Advertise) for duty in duties(task, account(6), Clock(2401, 75)))
    script.say(ev.KeysAdvertised(account(5), 5, 3, digest("late"), digest("late")))
    script.propose(1, 1, 2, "model 1 again", [ev.DrawScheduled(3, 90)])
    script.say(ev.EpochDrawn(3, 7, digest("seed 3")))
    assert list(script.open(2, 1, 3, 6).round.roster) == [0, 2, 3, 4, 5, 6]


def test_those_before_a_refuted_proposal_stay():
    script = proposed()
    in_attest(script)
    task = script.refute(2, 1, 3)
    assert ([r.number for r in task.pending], task.round.number) == ([1], 2)
    assert (task.model_root, task.head) == (digest("model 1"), digest("proposal 1"))
    task = script.finalize(1, 1)
    assert ([r.number for r in task.finished], task.round.number) == ([1], 2)


def test_a_round_that_was_brought_back_can_fall_again_and_so_can_one_before_it():
    script = proposed()
    in_draw(script)
    script.refute(2, 1, 3)
    script.propose(2, 1, 4, "model 2 again")
    task = script.refute(2, 1, 4)
    assert (task.round.number, len(task.pending)) == (2, 1)
    task = script.refute(1, 1, 1)
    assert (task.round.number, task.pending, task.round.base_root) == (1, (), digest("model 0"))


def test_whoever_has_a_seat_in_the_domain_may_propose_what_was_brought_back():
    """Its roster may have gone; a new account in an old seat has its rank, and nobody else's."""
    script = proposed()
    script.say(ev.ParticipantLeft(account(3), 3, 9000))
    key = digest("new")
    script.say(ev.ParticipantJoined(account(6), 3, 7, 2, key, key, digest("terms")))
    script.join(5, epoch=2)
    script.slash(1)
    task = script.refute(1, 1, 1)
    late = Clock(2400 + 5 * 5, 75, digest("beacon"))
    assert {n for n in range(8) if any(isinstance(d, Propose) for d in duties(task, account(n), late))} == {0, 2, 4, 6}
    rank = aggregator_rank(task.round, 3, digest("beacon"))
    assert Propose(1, 1, rank) in duties(task, account(6), late)
    assert task.round.position_of(account(3)) is None
    assert task.round.position_of(account(6)) is None


def test_who_came_back_to_its_seat_has_its_place_in_the_round():
    script = proposed()
    script.say(ev.ParticipantLeft(account(3), 3, 9000))
    script.join(3, epoch=2)
    script.slash(1)
    assert script.refute(1, 1, 1).round.position_of(account(3)) == 3


def test_under_fast_a_refuted_proposal_hands_over():
    script = running()
    script.commit(1, 1, *ALL)
    script.freeze(1, 1, ALL, 5)
    script.propose(1, 1, 2)
    script.slash(2)
    task = script.refute(1, 1, 2)
    assert (task.phase, task.deadline, task.round.next_rank, task.round.proposal) == (Phase.AGGREGATE, 2500, 1, None)
    assert (task.round.resumed, task.round.left, task.head) == (False, {2}, genesis(digest("model 0")))


@pytest.mark.parametrize(
    ("phase", "refuted"),
    [
        (Phase.COMMIT, ev.ProposalRefuted(account(1), 2, 1, digest("proposal 2"), 1, 70, 2400, 2500)),
        (Phase.COMMIT, ev.ProposalRefuted(account(1), 0, 1, digest("proposal 0"), 1, 70, 2400, 2500)),
        (Phase.COMMIT, ev.ProposalRefuted(account(1), 1, 1, digest("another"), 1, 70, 2400, 2500)),
        (Phase.COMMIT, ev.ProposalRefuted(account(1), 1, 2, digest("proposal 1"), 1, 70, 2400, 2500)),
        (Phase.ENDED, ev.ProposalRefuted(account(1), 2, 1, digest("proposal 2"), 1, 70, 2400, 2500)),
        (Phase.COMMIT, ev.RoundFinalized(2, 1, digest("proposal 2"), b"")),
        (Phase.COMMIT, ev.RoundFinalized(1, 1, digest("another"), b"")),
        (Phase.COMMIT, ev.RoundFinalized(1, 2, digest("proposal 1"), b"")),
    ],
)
def test_what_was_never_proposed_neither_falls_nor_is_final(phase, refuted):
    script = proposed()
    FALLS[phase](script)
    with pytest.raises(ImpossibleEvent):
        script.say(refuted)


def test_what_is_final_does_not_fall():
    script = proposed()
    script.finalize(1, 1)
    with pytest.raises(ImpossibleEvent, match="round 1 was refuted where 0 rounds were pending"):
        script.refute(1, 1, 1)


def test_a_round_is_final_once():
    script = proposed()
    script.finalize(1, 1)
    with pytest.raises(ImpossibleEvent, match="round 1 is final where 0 rounds were pending"):
        script.finalize(1, 1)


@pytest.mark.parametrize("phase", FALLS)
def test_replaying_a_rollback_is_following_it(phase):
    script, _ = fallen(phase)
    state = fold(script.log[:1])
    for at, entry in enumerate(script.log[1:], start=2):
        state = apply(state, entry)
        assert state == fold(script.log[:at])
