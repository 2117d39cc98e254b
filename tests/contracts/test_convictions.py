"""Convictions: who may speak them, what they cost whom, and that a task goes on without the convicted."""

from __future__ import annotations

from dataclasses import astuple, replace

import pytest

from foedus.contracts.refusals import (
    AlreadyConvicted,
    NotCourt,
    NotEligible,
    NotEnrolled,
    NothingAtStake,
    TaskFull,
    TaskIsPaused,
)
from foedus.protocol.events import (
    AggregateProposed,
    EndReason,
    Fault,
    ParticipantSlashed,
    Phase,
    ProposalRefuted,
    RoundFinalized,
)
from foedus.protocol.ids import Address, Position, Wei
from tests.contracts.actors import BOND, PARAMS, STAKE, Stage, World, digest
from tests.contracts.chain import TREASURY
from tests.contracts.endgame import finish, reach

NOBODY = "0x" + "00" * 20


def share_of(amount: int) -> Wei:
    return Wei(amount * PARAMS.challenger_share // 10_000)


def test_only_the_court_convicts(frozen: Stage) -> None:
    frozen.propose()
    made = frozen.proposals[0]
    member = frozen.members[1].address
    calls = [
        frozen.call("convictAggregator", made.name, made.before, astuple(made.claim), Fault.WRONG_AGGREGATE, member),
        frozen.call("convictMember", member, Fault.WITHHELD_REVEAL, member),
    ]
    for call in calls:
        for sender in (frozen.members[0], frozen.sponsor, frozen.world.guardian):
            with pytest.raises(NotCourt) as refusal:
                frozen.act(call, sender)
            assert refusal.value.caller == sender.address


def test_a_slash_is_split_between_challenger_and_treasury(opened: Stage) -> None:
    stakes = {account: opened.world.stake_of(account) for account in (*_accounts(opened), TREASURY)}
    slashed = opened.convict_member(2, challenger=0, fault=Fault.CONFLICTING_SIGNATURES)
    convicted, challenger = (Address(opened.members[m].address) for m in (2, 0))
    share = share_of(STAKE)
    assert slashed.events == (
        ParticipantSlashed(convicted, Position(2), True, Fault.CONFLICTING_SIGNATURES, STAKE, challenger, share),
    )
    free, locked = stakes[convicted]
    assert opened.world.stake_of(convicted) == (free, locked - STAKE)
    free, locked = stakes[challenger]
    assert opened.world.stake_of(challenger) == (free + share, locked)
    free, locked = stakes[TREASURY]
    assert opened.world.stake_of(TREASURY) == (free + STAKE - share, locked)


def _accounts(stage: Stage) -> list[str]:
    return [member.address for member in stage.members]


@pytest.mark.parametrize(("challenger_share", "kept"), [(0, 0), (1, STAKE // 10_000), (9_000, STAKE * 9 // 10)])
def test_the_challengers_share_is_the_terms(world: World, challenger_share: int, kept: int) -> None:
    stage = world.create(world.accounts[:5], replace(PARAMS, challenger_share=challenger_share))
    stage.join(0, 1)
    assert stage.convict_member(1).event(ParticipantSlashed).share == kept


def test_nobody_is_convicted_twice_for_a_proposal_nor_without_a_stake(frozen: Stage) -> None:
    frozen.propose()
    made = frozen.proposals[0]
    assert not frozen.view("convicted", made.name)
    frozen.convict(1)
    assert frozen.view("convicted", made.name)
    frozen.proposals.append(made)
    with pytest.raises(AlreadyConvicted) as twice:
        frozen.convict(1)
    assert twice.value.proposal == made.name
    author = frozen.member_of(made.claim.aggregator)
    with pytest.raises(NothingAtStake) as nothing:
        frozen.convict_member(author)
    assert nothing.value.account == made.claim.aggregator
    with pytest.raises(NothingAtStake):
        frozen.act(
            frozen.world.convict_member(
                frozen.task, Address(frozen.sponsor.address), Fault.WITHHELD_REVEAL, made.claim.aggregator
            )
        )


def test_nobody_is_convicted_while_the_task_is_paused(frozen: Stage) -> None:
    frozen.propose()
    frozen.pause()
    with pytest.raises(TaskIsPaused):
        frozen.convict(1)
    with pytest.raises(TaskIsPaused):
        frozen.convict_member(0)
    frozen.resume()
    frozen.convict(1)


def test_the_convicted_is_out_and_its_seat_stays_empty(world: World) -> None:
    stage = world.create(world.accounts[:6], replace(PARAMS, max_participants=6))
    stage.join(0, 1, 2, 3, 4)
    stage.expire()
    stage.draw()
    stage.convict_member(1)
    assert not stage.view("isEligible", stage.members[1].address)
    assert (stage.view("memberAt", 1), stage.book["freeSeat"]) == (NOBODY, 0)
    record = stage.participant(1)
    assert (record["enrolled"], record["bonded"], record["thawAt"], record["payee"]) == (False, False, 0, 2)
    with pytest.raises(NotEligible):
        stage.commit(1)
    for refused in (lambda: stage.advertise(1), lambda: stage.leave(1)):
        with pytest.raises(NotEnrolled):
            refused()
    stage.join(5)
    assert stage.position(5) == 5, "a new seat, not the convicted one's"


def test_who_was_convicted_joins_again_for_another_stake(opened: Stage) -> None:
    opened.convict_member(4)
    locked = opened.stakes(4)[1]
    with pytest.raises(TaskFull):
        opened.join(4)
    opened.leave(3)
    opened.join(4)
    assert opened.stakes(4)[1] == locked + STAKE
    assert (opened.position(4), opened.participant(4)["payee"], opened.participant(4)["joins"]) == (3, 5, 2)


CHANGES = {
    "waiting": (Phase.ENROL, {"waiting": -1}),
    "drawn": (Phase.DRAW, {"ready": -1, "committed": -1}),
    "not yet committed": (Phase.COMMIT, {}),
    "committed": (Phase.COMMIT, {"ready": -1}),
    "to freeze": (Phase.FREEZE, {"ready": -1}),
    "to aggregate": (Phase.AGGREGATE, {"ready": -1}),
    "to attest": (Phase.ATTEST, {"ready": -1}),
    "late": (Phase.FREEZE, {}),
    "late with keys": (Phase.FREEZE, {"ready": -1}),
    "joined meanwhile": (Phase.COMMIT, {"waiting": -1}),
    "over": (Phase.ENDED, {"ready": -1}),
}


@pytest.mark.parametrize("who", CHANGES)
def test_counts_are_right_without_the_convicted_in_every_phase(world: World, who: str) -> None:
    """Member 0 is convicted; the slot's other fields stay, and the others play to the end."""
    stage = world.create(world.accounts[:6], replace(PARAMS, max_participants=6, max_attempts=4))
    phase, changes = CHANGES[who]
    _play_until(stage, who, phase)
    before = stage.slot
    assert before["phase"] == phase
    stage.convict_member(0, challenger=1)
    assert stage.slot == {name: value + changes.get(name, 0) for name, value in before.items()}
    if who == "over":
        return
    if phase is Phase.ENROL:
        stage.join(4, 5)
    elif stage.phase is Phase.COMMIT:
        missing = [m for m in stage.eligible() if stage.generation(m) == 0]
        stage.commit(*missing)
        if stage.phase is Phase.COMMIT:
            stage.expire()
    ended = finish(stage)
    assert (ended.reason, ended.rounds) == (EndReason.COMPLETED, PARAMS.rounds)


def _play_until(stage: Stage, who: str, phase: Phase) -> None:
    if who == "joined meanwhile":
        stage.join(1, 2, 3, 4, 5)
        stage.expire()
        stage.draw()
        stage.join(0)
        return
    stage.join(0, 1, 2, 3)
    if phase is Phase.ENROL:
        return
    stage.join(4)
    stage.expire()
    if who == "committed":
        stage.draw()
        stage.commit(0, 1)
    elif who.startswith("late"):
        stage.draw()
        stage.commit(1, 2, 3, 4)
        stage.expire()
        if who == "late with keys":
            stage.advertise(0)
    else:
        reach(stage, phase)
        if phase is Phase.ATTEST and stage.member_of(stage.proposals[0].claim.aggregator) == 0:
            stage.world.advance(PARAMS.attest_seconds)
            stage.drop()
            stage.propose()


def test_a_refuted_proposal_falls_and_the_next_rank_proposes(frozen: Stage) -> None:
    stall_at = frozen.slot["deadline"]
    first = frozen.propose().event(AggregateProposed)
    author = frozen.member_of(first.aggregator)
    accuser = (author + 1) % 5
    refuted = frozen.convict(1, challenger=accuser)
    beacon_block = frozen.words("frozen")["beaconBlock"]
    amount = Wei(STAKE + BOND)
    challenger = Address(frozen.members[accuser].address)
    assert refuted.events == (
        ParticipantSlashed(
            first.aggregator, first.position, True, Fault.WRONG_AGGREGATE, amount, challenger, share_of(amount)
        ),
        ProposalRefuted(first.aggregator, 1, 1, first.proposal, 1, beacon_block, frozen.world.now, stall_at),
    )
    assert (frozen.phase, frozen.slot["deadline"], frozen.view("heads")[1]) == (Phase.AGGREGATE, stall_at, bytes(32))
    with pytest.raises(NotEligible):
        frozen.act(frozen.proposing(), frozen.members[author])
    second = frozen.propose(frozen.aggregate(model_root=digest("right"))).event(AggregateProposed)
    assert (second.rank, second.aggregator) != (first.rank, first.aggregator)
    frozen.finalize()
    assert frozen.standing == second.proposal


def test_a_final_proposal_stays_whatever_is_proven_of_it(frozen: Stage) -> None:
    """FAST: what a quorum attested stands; its author and its attesters pay."""
    proposed = frozen.propose().event(AggregateProposed)
    assert frozen.finalize().event(RoundFinalized).proposal == proposed.proposal
    before = frozen.slot
    accuser = next(m for m in range(5) if frozen.members[m].address != proposed.aggregator)
    assert frozen.convict(1, challenger=accuser).kinds == ["ParticipantSlashed"]
    assert (frozen.standing, frozen.view("convicted", proposed.proposal)) == (proposed.proposal, True)
    assert frozen.slot == before, "it had not committed in the round under way"
    assert finish(frozen).reason is EndReason.COMPLETED


def test_a_proposal_that_fell_by_time_takes_no_other_with_it(frozen: Stage) -> None:
    """Its author pays, and what the next rank proposed meanwhile awaits its quorum."""
    fallen = frozen.propose().event(AggregateProposed)
    frozen.world.advance(PARAMS.attest_seconds)
    dropped = frozen.proposals[0]
    frozen.drop()
    frozen.propose(member=next(m for m in frozen.ranking() if frozen.members[m].address != fallen.aggregator))
    kept = frozen.proposals.pop()
    frozen.proposals.append(dropped)
    assert frozen.convict(1).kinds == ["ParticipantSlashed"]
    assert (frozen.phase, frozen.view("heads")[1]) == (Phase.ATTEST, kept.name)
    frozen.proposals[:] = [kept]
    frozen.finalize()
    assert frozen.standing == kept.name


def test_without_stakes_a_conviction_costs_the_seat(world: World) -> None:
    """A consortium may ask for no stake: who is proven wrong is out all the same."""
    stage = world.create(world.accounts[:5], replace(PARAMS, stake=Wei(0), bond=Wei(0)))
    stage.join(0, 1, 2, 3, 4)
    stage.draw()
    slashed = stage.convict_member(0, challenger=1).event(ParticipantSlashed)
    assert (slashed.seated, slashed.amount, slashed.share) == (True, 0, 0)
    assert not stage.participant(0)["enrolled"]
    with pytest.raises(NothingAtStake):
        stage.convict_member(0, challenger=1)
    assert finish(stage).reason is EndReason.COMPLETED
