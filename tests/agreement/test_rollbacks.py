"""What a refuted proposal undoes, and what somebody might try to make of it: a scene each, under the same laws."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace

import pytest

from foedus.contracts import calls
from foedus.contracts.refusals import (
    DemandIsOpen,
    NotCommitteeMember,
    NotEligible,
    NotStanding,
    StakeIsThawing,
    WindowIsOpen,
)
from foedus.protocol.bitmap import to_bitmap
from foedus.protocol.duties import Advertise, Propose, Reveal, SignSurvivors
from foedus.protocol.events import EndReason, Phase
from foedus.protocol.terms import Finality
from tests.agreement.laws import check_duties
from tests.agreement.play import POOL, Play, playing
from tests.agreement.scene import (
    PARAMS,
    address,
    advertise,
    commit,
    convict,
    draw,
    freeze,
    join,
    leave,
    number_of,
    open_round,
    owed,
    pass_deadline,
    pause,
    play_round,
    propose_next,
    quorum,
    refute,
    settle,
)
from tests.agreement.words import (
    aggregate_of,
    batch_call,
    freeze_call,
    frozen_words,
    remainder_call,
    settle_call,
)
from tests.contracts.actors import STAKE, World

OPTIMISTIC = replace(
    PARAMS,
    rounds=4,
    max_participants=6,
    finality=Finality.OPTIMISTIC,
    ahead=2,
    attest_seconds=5_000,
    unbond_seconds=6_000,
)
WITHIN = (Phase.ENROL, Phase.DRAW, Phase.COMMIT, Phase.FREEZE, Phase.AGGREGATE, Phase.ATTEST)


def stage(world: World, **changes: int) -> AbstractContextManager[Play]:
    """An OPTIMISTIC task of six seats and seven accounts, nobody joined."""
    return playing(world, replace(OPTIMISTIC, **changes), world.accounts[:7], check_duties)


@pytest.fixture
def play(world: World) -> Iterator[Play]:
    """Such a task, four members in its first round."""
    with stage(world) as made:
        open_round(made, 4)
        yield made


def reach(play: Play, phase: Phase) -> None:
    """From the commit phase of round 2 to a phase of what follows."""
    match phase:
        case Phase.ENROL:
            pass_deadline(play)
        case Phase.FREEZE:
            commit(play, 0, 1, 2, 3)
        case Phase.AGGREGATE:
            commit(play, 0, 1, 2, 3)
            freeze(play)
        case Phase.DRAW | Phase.ATTEST:
            play_round(play, 0, 1, 2, 3)
    assert play.state.phase is phase


def go_on(play: Play) -> None:
    """All who are there take part in what comes next."""
    late = {number_of(play, account) for account in owed(play, Advertise)}
    advertise(play, *sorted(late))
    propose_next(play)
    if play.state.phase is Phase.DRAW:
        draw(play)


@pytest.mark.parametrize("phase", WITHIN)
def test_a_refuted_proposal_falls_in_every_phase_and_the_task_goes_on(world: World, phase: Phase) -> None:
    ahead = 3 if phase is Phase.DRAW else 2
    with stage(world, ahead=ahead) as play:
        open_round(play, 4)
        first = play_round(play, 0, 1, 2, 3)
        reach(play, phase)
        assert first.proposal is not None
        liar = number_of(play, first.proposal.aggregator)
        refute(play, first)
        assert (play.state.phase, play.round.number, play.round.opening) == (Phase.AGGREGATE, 1, 1)
        assert play.round.survivors == first.survivors
        go_on(play)
        assert (play.state.phase, play.round.number, play.round.attempt) == (Phase.COMMIT, 2, 1)
        assert (play.round.seed == first.seed) is (phase is not Phase.DRAW), "within an epoch the groups stay"
        assert play.round.base_root not in (first.base_root, first.proposal.aggregate.model_root)
        assert address(play, liar) not in {member.address for member in play.round.roster.values()}
        play_round(play, *[n for n in range(4) if n != liar])
        settle(play, 2)
        assert [made.number for made in play.state.finished] == [1, 2]


def test_a_proposal_falls_when_the_task_is_over_too_and_its_round_is_not_paid(world: World) -> None:
    with stage(world, max_attempts=1) as play:
        open_round(play, 4)
        first = play_round(play, 0, 1, 2, 3)
        pass_deadline(play)
        assert play.state.end is EndReason.EXHAUSTED
        refute(play, first)
        assert (play.state.phase, play.state.pending, play.state.round) == (Phase.ENDED, (), None)
        assert play.act(remainder_call(play), play.sponsor) is None
        assert play.shadow.returned == POOL


def test_who_waited_for_a_draw_that_is_called_off_sends_keys_and_takes_part(world: World) -> None:
    """Those who joined before the draw was scheduled, and those who did after, are counted apart."""
    with stage(world, ahead=3) as play:
        open_round(play, 4)
        first = play_round(play, 0, 1, 2, 3)
        join(play, 4)
        play_round(play, 0, 1, 2, 3)
        join(play, 5)
        assert (play.state.phase, play.state.ready, play.state.waiting) == (Phase.DRAW, 5, 1)
        refute(play, first)
        assert (play.state.ready, play.state.waiting) == (3, 1)
        assert owed(play, Advertise) == {address(play, 4)}
        go_on(play)
        assert len(play.round.roster) == 5


def test_a_fall_while_a_draw_is_awaited_after_a_fall_leads_to_a_draw(world: World) -> None:
    """Whoever joined for the epoch that fell may sit beyond the seats of the one before: nobody opens a round there."""
    with stage(world, ahead=3) as play:
        open_round(play, 4)
        first = play_round(play, 0, 1, 2, 3)
        join(play, 4)
        second = play_round(play, 0, 1, 2, 3)
        draw(play)
        commit(play, 4)
        refute(play, second)
        advertise(play, *sorted(number_of(play, account) for account in owed(play, Advertise)))
        propose_next(play)
        assert play.state.phase is Phase.DRAW
        refute(play, first)
        assert play.round.domain == 4
        go_on(play)
        assert 4 in play.round.roster
        assert play.round.domain == 5


def test_signatures_of_a_fallen_round_count_for_none_that_follows(play: Play) -> None:
    """Round 2 is opened a second time under the same numbers. Who signed a freeze, or a commitment for a relayer to
    send, signed it for the opening."""
    first = play_round(play, 0, 1, 2, 3)
    commit(play, 0, 1)
    stale = batch_call(play, [play.cast[2], play.cast[3]], deadline=2**31)
    pass_deadline(play)
    frozen = freeze_call(play, dict(list(play.seated().items())[:3]))
    assert play.act(frozen, play.sponsor) is None
    refute(play, first)
    go_on(play)
    assert (play.round.number, play.round.attempt) == (2, 1)
    assert isinstance(play.act(stale, play.sponsor), NotEligible)
    there = [n for n in range(4) if address(play, n) in play.state.participants]
    commit(play, *there)
    assert play.state.phase is Phase.FREEZE
    assert to_bitmap(play.round.commitments, play.round.domain) != to_bitmap(first.survivors, play.round.domain)
    assert isinstance(play.act(frozen, play.sponsor), NotCommitteeMember)


def test_the_stake_of_a_liar_that_left_does_not_thaw_in_a_pause(play: Play) -> None:
    """The window stands still, and so must the stake that answers for it."""
    first = play_round(play, 0, 1, 2, 3)
    assert first.proposal is not None
    liar = number_of(play, first.proposal.aggregator)
    assert leave(play, liar)
    pause(play, 2 * OPTIMISTIC.unbond_seconds)
    refused = play.act(calls.collect_stake(play.address, address(play, liar)), play.sponsor)
    assert isinstance(refused, StakeIsThawing)
    free, locked = play.world.stake_of(play.cast[liar].address)
    refute(play, first)
    assert play.world.stake_of(play.cast[liar].address) == (free, 0)
    assert locked == STAKE + OPTIMISTIC.bond


def test_a_seat_lost_to_a_conviction_is_never_given_again(play: Play) -> None:
    convict(play, 2)
    assert leave(play, 3)
    join(play, 2)
    join(play, 3)
    seats = {number: play.state.participants[address(play, number)].position for number in (2, 3)}
    assert seats == {2: 3, 3: 4}


def test_a_new_account_in_an_old_seat_may_propose_what_was_brought_back(play: Play) -> None:
    """All who were in it have left, and its survivors' seeds are public: the round is not lost."""
    first = play_round(play, 0, 1, 2, 3)
    assert first.proposal is not None
    for number in [n for n in range(4) if address(play, n) != first.proposal.aggregator]:
        assert leave(play, number)
    join(play, 4)
    refute(play, first)
    assert not owed(play, Reveal)
    play.pass_blocks(2)
    play.wait(OPTIMISTIC.max_participants * OPTIMISTIC.rank_seconds)
    assert owed(play, Propose) == {address(play, 4)}
    again = propose_next(play)
    assert again.proposal is not None
    assert again.proposal.aggregator == address(play, 4)
    settle(play, 1)


def test_whoever_proposes_again_can_be_refuted_again(play: Play) -> None:
    made = play_round(play, 0, 1, 2, 3)
    for left in (3, 2, 1):
        refute(play, made)
        assert len(play.state.participants) == left
        made = propose_next(play)
    refute(play, made)
    pass_deadline(play)
    assert play.state.end is EndReason.STALLED


def test_a_refuted_proposal_is_not_settled(play: Play) -> None:
    first = play_round(play, 0, 1, 2, 3)
    settling = settle_call(play, first.number)
    refute(play, first)
    play.wait(OPTIMISTIC.attest_seconds)
    assert isinstance(play.act(settling, play.sponsor), NotStanding)


def test_a_demand_keeps_a_window_open(play: Play) -> None:
    first = play_round(play, 0, 1, 2, 3)
    settling = settle_call(play, first.number)
    assert isinstance(play.act(settling, play.sponsor), WindowIsOpen)
    pass_deadline(play)
    assert first.proposal is not None
    play.law = lambda _: None  # who asks the court is told there; the task's own events do not say it
    play.wait(OPTIMISTIC.attest_seconds)
    assert play.act(play.world.set_busy(play.address, True), play.sponsor) is None
    assert isinstance(play.act(settling, play.sponsor), DemandIsOpen)
    assert play.act(play.world.set_busy(play.address, False), play.sponsor) is None
    assert play.act(settling, play.sponsor) is None


@pytest.mark.parametrize("phase", WITHIN)
def test_a_round_is_settled_in_every_phase(world: World, phase: Phase) -> None:
    with stage(world, ahead=3 if phase is Phase.DRAW else 2) as play:
        open_round(play, 4)
        play_round(play, 0, 1, 2, 3)
        reach(play, phase)
        settle(play, 1)
        assert [made.number for made in play.state.finished] == [1]
        assert play.state.phase is (Phase.DRAW if phase is Phase.ATTEST else phase)


def test_settling_the_second_settles_the_first(play: Play) -> None:
    play_round(play, 0, 1, 2, 3)
    play_round(play, 0, 1, 2, 3)
    assert play.state.phase is Phase.ATTEST
    settle(play, 2)
    assert ([made.number for made in play.state.finished], play.state.phase) == ([1, 2], Phase.DRAW)


def test_the_same_model_again_has_a_second_set_frozen_on_it(play: Play) -> None:
    """What the contract cannot know, so nodes must: a proposal whose fault is elsewhere is followed by one with the
    same model. Its next round is another opening on the same base: whoever revealed for the first set, reveals for
    none other (docs/protocol.md)."""
    first = play_round(play, 0, 1, 2, 3)
    assert first.proposal is not None
    commit(play, 0, 1, 2, 3)
    freeze(play)
    opened = play.round
    refute(play, first)
    play.pass_blocks(2)
    account = next(iter(play.state.participants))
    play.wait(OPTIMISTIC.max_participants * OPTIMISTIC.rank_seconds)
    same = replace(aggregate_of(play), model_root=first.proposal.aggregate.model_root)
    assert (
        play.act(calls.propose(play.address, same, *frozen_words(play), play.state.head), play.accounts[account])
        is None
    )
    assert (play.round.number, play.round.attempt, play.round.base_root) == (2, 1, opened.base_root)
    assert (play.round.opening, play.round.seed) == (opened.opening + 1, opened.seed)
    commit(play, *[number_of(play, one) for one in play.state.participants])
    play.shadow.bases.clear()
    freeze(play)
    assert play.round.freeze is not None
    assert opened.freeze is not None
    assert play.round.freeze.digest != opened.freeze.digest


def test_fewer_than_the_minimum_go_on_after_convictions_in_a_recess(play: Play) -> None:
    """Whoever committed cannot leave before the freeze, but can be convicted: then an abort finds too few ready."""
    commit(play, 0, 1)
    pass_deadline(play)
    assert play.state.phase is Phase.FREEZE
    convict(play, 0)
    pass_deadline(play)
    assert (play.state.phase, play.state.ready) == (Phase.ENROL, 1)


def test_the_convicted_sign_no_more_and_what_they_committed_counts(play: Play) -> None:
    """The quorum is as large as before: it is what the shares were cut for."""
    commit(play, 0, 1, 2, 3)
    signers = quorum(play, SignSurvivors)
    assert len(signers) == play.round.threshold == 3
    convict(play, 0)
    assert isinstance(play.act(freeze_call(play, signers), play.sponsor), NotCommitteeMember)
    freeze(play)
    assert play.round.survivors == {0, 1, 2, 3}
