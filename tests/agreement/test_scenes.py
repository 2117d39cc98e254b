"""Where the contract and a node's view of it are easily told apart: a scene each, under the same laws."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from foedus.contracts import calls
from foedus.contracts.refusals import NothingToDo
from foedus.incentives.payouts import payee_numbers, payout_root
from foedus.protocol.duties import Advertise, Attest, Commit, Propose, SignSurvivors
from foedus.protocol.events import EndReason, Phase
from foedus.protocol.groups import COMMITTEE_MAX
from foedus.protocol.ids import Wei
from tests.agreement.laws import HASHES_IN_REACH, check_duties
from tests.agreement.play import Play, playing
from tests.agreement.scene import (
    PARAMS,
    address,
    advertise,
    commit,
    draw,
    finalize,
    freeze,
    freeze_round,
    join,
    leave,
    open_round,
    owed,
    pass_deadline,
    poke,
    propose,
    ranked,
)
from tests.agreement.words import aggregate_of, claim_call, frozen_words, task_call
from tests.contracts.actors import World
from tests.contracts.chain import TREASURY


@pytest.fixture
def play(world: World) -> Iterator[Play]:
    """A task of four seats and five accounts, nobody joined."""
    with playing(world, PARAMS, world.accounts[:5], check_duties) as made:
        yield made


def test_who_joins_again_goes_on_with_its_commit_counter(play: Play) -> None:
    open_round(play, 4)
    commit(play, 0, 1)
    pass_deadline(play)
    pass_deadline(play)
    assert leave(play, 0)
    join(play, 0)
    assert play.state.participants[address(play, 0)].generation == 1


def test_who_leaves_a_round_has_no_part_in_it_when_it_joins_again(play: Play) -> None:
    """Neither a commitment nor a signature: the seat may be the same, the membership is another."""
    open_round(play, 4)
    assert leave(play, 3)
    join(play, 3)
    assert play.state.participants[address(play, 3)].position == 3
    assert not owed(play, Commit) & {address(play, 3)}
    commit(play, 0, 1, 2)
    pass_deadline(play)
    assert owed(play, SignSurvivors) == {address(play, n) for n in range(3)}
    assert play.round.threshold == 3


def test_who_joins_while_a_draw_is_awaited_needs_no_keys(play: Play) -> None:
    for number in (0, 1):
        join(play, number)
    pass_deadline(play)
    join(play, 2)
    assert (play.state.phase, play.state.epoch, play.state.ready, play.state.waiting) == (Phase.DRAW, 1, 2, 1)
    assert not owed(play, Advertise)


def test_all_may_leave_while_a_draw_is_awaited(play: Play) -> None:
    """The round opens for nobody, and is given up when its time has passed."""
    for number in range(4):
        join(play, number)
    for number in range(4):
        assert leave(play, number)
    draw(play)
    assert not play.round.roster
    pass_deadline(play)
    assert play.state.phase is Phase.ENROL


def test_keys_of_late_comers_open_the_next_attempt(world: World) -> None:
    """One commits where two must; with the keys of one who had missed the opening before, the next attempt begins."""
    with playing(world, replace(PARAMS, max_attempts=3), world.accounts[:5], check_duties) as play:
        open_round(play, 4)
        commit(play, 0, 1, 2)
        pass_deadline(play)
        pass_deadline(play)
        advertise(play, 3)
        commit(play, 0)
        pass_deadline(play)
        assert (play.state.phase, play.round.attempt) == (Phase.COMMIT, 3)
        assert list(play.round.roster) == [0, 3]


def test_ranks_propose_round_the_circle(play: Play) -> None:
    """After a dropped proposal the next rank is first, and with time those before it come again."""
    freeze_round(play)
    propose(play, ranked(play)[0])
    pass_deadline(play)
    assert owed(play, Propose) == set(ranked(play)[1:2])
    play.wait(3 * PARAMS.rank_seconds)
    assert owed(play, Propose) == set(ranked(play))


def test_nobody_proposes_after_the_task_has_stalled(play: Play) -> None:
    freeze_round(play)
    play.wait(play.state.deadline - play.seen.head.timestamp)
    assert not owed(play, Propose)
    poke(play)
    assert play.state.end is EndReason.STALLED


def test_nobody_attests_after_the_deadline(play: Play) -> None:
    freeze_round(play)
    propose(play, ranked(play)[0])
    play.wait(play.state.deadline - play.seen.head.timestamp - 1)
    assert len(owed(play, Attest)) == 4
    play.wait(1)
    assert not owed(play, Attest)


def test_a_draw_whose_beacon_is_out_of_reach_is_scheduled_anew(play: Play) -> None:
    for number in range(4):
        join(play, number)
    first = play.state.beacon_block
    play.pass_blocks(HASHES_IN_REACH + 3)
    poke(play)
    assert (play.state.phase, play.state.epoch) == (Phase.DRAW, 1)
    assert play.state.beacon_block > first + HASHES_IN_REACH
    draw(play)
    assert play.state.phase is Phase.COMMIT


def test_without_a_beacon_anyone_proposes_in_the_place_of_the_next_rank(play: Play) -> None:
    freeze_round(play)
    play.pass_blocks(HASHES_IN_REACH + 3)
    propose(play, ranked(play)[-1])
    assert play.round.proposal is not None
    assert play.round.proposal.rank == 0


def test_nothing_is_poked_a_second_too_early(play: Play) -> None:
    open_round(play, 2)
    play.wait(play.state.deadline - play.seen.head.timestamp - 2)
    assert isinstance(play.act(calls.poke(play.address), play.sponsor), NothingToDo)
    poke(play)


def test_a_committee_is_drawn_from_more_than_it_has_seats_for(world: World) -> None:
    """Of 36 who join, 32 may sign; one of them leaves, and a quorum is as large as before."""
    params = replace(PARAMS, max_participants=36)

    def law(play: Play) -> None:
        if play.state.phase in (Phase.FREEZE, Phase.AGGREGATE, Phase.ATTEST):
            check_duties(play)

    with playing(world, params, world.accounts[:36], law) as play:
        for number in range(36):
            join(play, number)
        draw(play)
        members = play.round.committee
        assert (len(members), play.round.threshold) == (COMMITTEE_MAX, 22)
        gone = next(n for n in range(36) if play.round.position_of(address(play, n)) in members[5:])
        assert leave(play, gone)
        commit(play, *[n for n in range(36) if n != gone][:3])
        pass_deadline(play)
        assert len(owed(play, SignSurvivors)) == COMMITTEE_MAX - 1
        freeze(play)
        propose(play, ranked(play)[0])
        assert finalize(play)


def test_money_moves_while_the_clocks_stand_still(play: Play) -> None:
    """What was due before a pause is paid in it: a stake that had thawed, and what a final round owes."""
    open_round(play, 4)
    assert leave(play, 3)
    commit(play, 0, 1, 2)
    pass_deadline(play)
    freeze(play)
    owed = {address(play, 0): Wei(7)}
    root = payout_root(owed, payee_numbers(play.state.payees, TREASURY))
    play.payouts[root] = owed
    paying = replace(aggregate_of(play), payout_root=root, payout_total=Wei(7))
    call = calls.propose(play.address, paying, *frozen_words(play), play.state.head)
    assert play.act(call, play.accounts[ranked(play)[0]]) is None
    assert finalize(play)
    play.wait(play.params.unbond_seconds)
    assert play.act(task_call(play, "pause"), play.guardian) is None
    assert play.act(calls.collect_stake(play.address, address(play, 3)), play.sponsor) is None
    assert play.act(claim_call(play, address(play, 0)), play.sponsor) is None
    assert (play.state.phase, play.state.claimed) == (Phase.PAUSED, owed)
