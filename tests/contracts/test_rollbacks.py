"""OPTIMISTIC: a refuted proposal brings its round back from whatever came after it, and the game goes on to the end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from foedus.contracts import calls
from foedus.contracts.refusals import BeaconPending, NotEligible, NotFinal, NotStanding, NotYourTurn
from foedus.protocol.claims import genesis
from foedus.protocol.events import (
    AggregateProposed,
    EndReason,
    Fault,
    ParticipantSlashed,
    Phase,
    ProposalRefuted,
    RemainderReturned,
    RewardClaimed,
)
from foedus.protocol.ids import Address, Wei
from tests.contracts.actors import BASE, BOND, OPTIMISTIC, STAKE, Made, Stage, World, digest
from tests.contracts.chain import ETHER, Mined
from tests.contracts.endgame import finish, reach
from tests.contracts.payees import Owed

PENDING = 3
PARAMS = replace(OPTIMISTIC, rounds=5, ahead=PENDING + 1, epoch_rounds=PENDING, max_attempts=4, max_participants=7)
PLACES = {"oldest": 1, "middle": 2, "newest": 3}


def pending(world: World, phase: Phase) -> Stage:
    """Three proposals await their windows, and the task is in a phase of the fourth round, or has ended in it."""
    ahead = PENDING if phase is Phase.ATTEST else PARAMS.ahead
    stage = world.create(world.accounts[:7], replace(PARAMS, ahead=ahead))
    stage.join(*range(7))
    stage.draw()
    for number in range(1, PENDING + 1):
        stage.play_round(stage.eligible(), **owed(stage, number).changes)
    if phase is not Phase.ATTEST:
        reach(stage, phase)
    assert (stage.phase, stage.slot["round"]) == (phase, PENDING + 1)
    return stage


def owed(stage: Stage, number: int) -> Owed:
    return Owed.to_members(stage, 1000 * number)


def refute(stage: Stage, round: int) -> tuple[Made, Mined]:
    """The court convicts a round's aggregator; a member who stays is the challenger."""
    made = stage.proposals[round - 1]
    author = stage.member_of(made.claim.aggregator)
    return made, stage.convict(round, challenger=(author + 1) % len(stage.members))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.PAUSED])
def test_a_round_comes_back_from_every_phase(world: World, phase: Phase, place: str) -> None:
    stage, number = pending(world, phase), PLACES[place]
    before, slot_before, seed_before = stage.view("heads")[0], stage.slot, stage.view("epochSeed")
    kept = stage.proposals[: number - 1]
    made, mined = refute(stage, number)
    claim = made.claim
    slashed, refuted = mined.events
    assert isinstance(slashed, ParticipantSlashed)
    assert (slashed.participant, slashed.amount, slashed.fault) == (claim.aggregator, STAKE + BOND, Fault(0))
    now = world.now
    next_rank = (claim.rank + 1) % claim.domain
    marks = (next_rank, mined.block + 1, now, now + PARAMS.stall_seconds)
    assert refuted == ProposalRefuted(claim.aggregator, number, 1, made.name, *marks)
    head = kept[-1].name if kept else genesis(BASE)
    assert stage.standing == head != before
    assert stage.words("frozen") == {
        "digest": claim.frozen[:20],
        "beaconBlock": mined.block + 1,
        "aggregateFrom": now,
        "stallAt": now + PARAMS.stall_seconds,
    }
    slot, book = stage.slot, stage.book
    assert (slot["round"], slot["attempt"], slot["domain"], slot["eligible"]) == (number, 1, 7, 7)
    assert (slot["nextRank"], slot["first"], slot["opening"]) == (next_rank, False, slot_before["opening"])
    redraw = phase is Phase.DRAW or seed_before != claim.epoch_seed
    assert (book["resumed"], book["redraw"], book["finalRounds"]) == (claim.opening, redraw, 0)
    assert stage.view("epochSeed") == claim.epoch_seed
    with pytest.raises(NotStanding):
        stage.act(calls.settle(stage.task, made.before, claim, []))
    if phase is Phase.ENDED:
        assert (slot["phase"], slot["deadline"]) == (Phase.ENDED, 0)
        _close(stage, number - 1, made)
    else:
        assert (slot["phase"], slot["deadline"]) == (Phase.AGGREGATE, now + PARAMS.stall_seconds)
        _play_on(stage, number, made, redraw or number == PENDING)


def _play_on(stage: Stage, number: int, fallen: Made, redraw: bool) -> None:
    """The next rank proposes the round anew, the rest is played, and everybody is paid. redraw: whether the next
    opening begins an epoch; within one the groups stay."""
    author = stage.member_of(fallen.claim.aggregator)
    assert not stage.participant(author)["enrolled"]
    again = stage.propose(stage.aggregate(model_root=digest("right", number), **owed(stage, number).changes))
    proposed = again.event(AggregateProposed)
    assert (proposed.round, proposed.attempt) == (number, 1)
    assert proposed.aggregator != fallen.claim.aggregator
    assert stage.proposals[-1].claim.opening == fallen.claim.opening
    assert stage.proposals[-1].claim.frozen == fallen.claim.frozen
    assert stage.book["resumed"] == 0
    told = len(stage.history)
    whole = owed(stage, PARAMS.rounds)
    ended = finish(stage, **whole.changes)
    assert (ended.reason, ended.rounds) == (EndReason.COMPLETED, PARAMS.rounds)
    opened = next(mined for mined in (again, *stage.history[told:]) if "RoundOpened" in mined.kinds)
    assert ("EpochDrawn" in opened.kinds) == redraw
    assert [made.claim.round for made in stage.proposals] == list(range(1, PARAMS.rounds + 1))
    _pay(stage, whole)


def _close(stage: Stage, rounds: int, fallen: Made) -> None:
    """A task that ended pays what stands, and the rest is its sponsor's: all, where nothing stands any more."""
    if not rounds:
        returned = stage.act(calls.withdraw_remainder(stage.task, genesis(BASE), fallen.claim))
        assert returned.events == (RemainderReturned(Address(stage.sponsor.address), ETHER),)
        return
    stage.settle(rounds)
    _pay(stage, owed(stage, rounds))


def _pay(stage: Stage, due: Owed) -> None:
    for payee, (account, amount) in due.rows.items():
        paid = stage.act(due.claim(stage, payee), stage.sponsor)
        assert paid.events == (RewardClaimed(Address(account), payee, Wei(amount), Wei(amount)),)
    last = stage.proposals[-1]
    returned = stage.act(calls.withdraw_remainder(stage.task, last.before, last.claim), stage.sponsor)
    remainder = ETHER - last.claim.aggregate.payout_total
    assert returned.events == (RemainderReturned(Address(stage.sponsor.address), Wei(remainder)),)
    assert stage.world.balance(stage.task) == 0


def test_whoever_waited_for_a_draw_that_was_called_off_sends_keys(world: World) -> None:
    """The draw's number is not used again: who joined while it was awaited is counted for the next one, and who waited
    for it needs keys of its own."""
    stage = world.create(world.accounts[:7], PARAMS)
    stage.join(0, 1, 2, 3)
    stage.expire()
    stage.draw()
    for _ in range(PENDING):
        stage.play_round(stage.eligible())
        if stage.slot["round"] == PENDING:
            stage.join(4)
    assert stage.phase is Phase.DRAW
    stage.join(5)
    assert (stage.slot["epoch"], stage.slot["ready"], stage.slot["waiting"], stage.slot["committed"]) == (2, 5, 1, 1)
    author = stage.member_of(refute(stage, 2)[0].claim.aggregator)
    assert (stage.slot["epoch"], stage.slot["ready"], stage.slot["waiting"]) == (2, 3, 1)
    stage.advertise(4)
    assert stage.slot["ready"] == 4
    stage.propose()
    assert (stage.phase, stage.slot["epoch"], stage.slot["ready"], stage.slot["waiting"]) == (Phase.DRAW, 3, 5, 0)
    stage.draw()
    assert stage.eligible() == sorted({0, 1, 2, 3, 4, 5} - {author})
    stage.leave(5)
    assert finish(stage).reason is EndReason.COMPLETED


def test_leaving_and_slashes_keep_the_counts_after_a_draw_was_called_off(world: World) -> None:
    stage = world.create(world.accounts[:7], PARAMS)
    stage.join(0, 1, 2, 3)
    stage.expire()
    stage.draw()
    for _ in range(PENDING):
        stage.play_round(stage.eligible())
        if stage.slot["round"] == PENDING:
            stage.join(4)
    stage.join(5, 6)
    refute(stage, 1)
    ready, waiting = stage.slot["ready"], stage.slot["waiting"]
    assert (ready, waiting) == (3, 2)
    stage.leave(4)
    assert (stage.slot["ready"], stage.slot["waiting"]) == (3, 2), "it had no keys that count"
    stage.leave(5)
    assert (stage.slot["ready"], stage.slot["waiting"]) == (3, 1)
    challenger = next(m for m in range(4) if stage.participant(m)["enrolled"])
    stage.convict_member(6, challenger=challenger)
    assert (stage.slot["ready"], stage.slot["waiting"]) == (3, 0)
    assert finish(stage).reason is EndReason.COMPLETED


def test_a_round_comes_back_as_often_as_it_is_refuted(world: World) -> None:
    stage = pending(world, Phase.COMMIT)
    ranks = []
    for _ in range(3):
        made, _ = refute(stage, 2)
        ranks.append(made.claim.rank)
        stage.propose()
    assert len({made.claim.aggregator for made in stage.proposals[1:]}) == 1
    assert stage.proposals[1].claim.opening == 2
    refute(stage, 1)
    stage.propose()
    assert finish(stage).reason is EndReason.COMPLETED


def test_a_round_that_came_back_falls_with_an_older_one(world: World) -> None:
    stage = pending(world, Phase.FREEZE)
    refute(stage, 3)
    assert stage.book["resumed"] == 3
    refute(stage, 1)
    assert (stage.book["resumed"], stage.slot["round"]) == (1, 1)
    assert stage.standing == genesis(BASE)
    stage.propose()
    assert finish(stage).reason is EndReason.COMPLETED


def test_what_is_final_stays_whatever_is_proven_of_it(world: World) -> None:
    stage = pending(world, Phase.AGGREGATE)
    stage.settle(2)
    head, slot = stage.standing, stage.slot
    made, mined = refute(stage, 1)
    assert mined.kinds == ["ParticipantSlashed"]
    assert stage.view("convicted", made.name)
    assert stage.standing == head
    assert {**stage.slot, "ready": 0} == {**slot, "ready": 0}
    refute(stage, 3)
    assert (stage.phase, stage.slot["round"], stage.book["finalRounds"]) == (Phase.AGGREGATE, 3, 2)
    stage.propose()
    assert finish(stage).reason is EndReason.COMPLETED


def test_the_fallen_leave_the_chain_of_names_and_their_followers_are_not_settled(world: World) -> None:
    """So the court, which asks for the heads, convicts nobody of them again."""
    stage = pending(world, Phase.COMMIT)
    followers = stage.proposals[1:]
    made, _ = refute(stage, 1)
    assert stage.view("heads") == (made.before, bytes(32))
    world.advance(PARAMS.attest_seconds)
    for follower in followers:
        with pytest.raises(NotStanding):
            stage.act(calls.settle(stage.task, follower.before, follower.claim, []))


def test_the_round_is_drawn_to_the_aggregators_anew(world: World) -> None:
    """By a block after the refutation, from the next rank on; whoever is seated in the round's domain takes part, who
    took a seat since then too."""
    stage = pending(world, Phase.COMMIT)
    stage.members = world.accounts[:8]
    author = stage.member_of(stage.proposals[2].claim.aggregator)
    leaver, other = (author + 2) % 7, (author + 3) % 7
    stage.leave(leaver)
    stage.join(7)
    made, mined = refute(stage, 3)
    with pytest.raises(BeaconPending) as early:
        stage.act(stage.proposing(), stage.members[other])
    assert early.value.beacon_block == mined.block + 1
    world.mine(2)
    order = stage.ranking()
    assert set(order) == set(range(8)) - {author, leaver}
    for out in (author, leaver):
        with pytest.raises(NotEligible) as refusal:
            stage.act(stage.proposing(), stage.members[out])
        assert refusal.value.account == stage.members[out].address
    late = order[-1]
    with pytest.raises(NotYourTurn) as turn:
        stage.act(stage.proposing(), stage.members[late])
    assert (turn.value.rank, turn.value.next_rank) == (stage.rank(late), made.claim.rank + 1)
    stage.propose(member=7)
    assert stage.proposals[2].claim.position == stage.position(7) < made.claim.domain
    assert finish(stage).reason is EndReason.COMPLETED


def test_what_was_prepared_on_a_proposal_that_fell_is_refused(world: World) -> None:
    """An aggregator of the round after cannot propose its sums for the round that came back."""
    stage = pending(world, Phase.AGGREGATE)
    prepared, fallen = stage.proposing(), stage.standing
    refute(stage, 3)
    world.mine(2)
    with pytest.raises(NotStanding) as refusal:
        stage.act(prepared, stage.members[stage.ranking()[0]])
    assert (refusal.value.have, refusal.value.need) == (fallen, stage.standing)


def test_a_round_that_came_back_and_nobody_aggregates_ends_the_task(world: World) -> None:
    stage = pending(world, Phase.FREEZE)
    made, _ = refute(stage, 2)
    assert stage.expire().kinds == ["TaskEnded"]
    _close(stage, 1, made)


def test_no_reward_is_claimed_under_what_is_not_final(world: World) -> None:
    stage = pending(world, Phase.COMMIT)
    due = owed(stage, 3)
    with pytest.raises(NotFinal) as refusal:
        stage.act(due.claim(stage, 1))
    assert (refusal.value.round, refusal.value.final_rounds) == (3, 0)
    stage.settle(2)
    with pytest.raises(NotFinal):
        stage.act(due.claim(stage, 1))
    assert stage.act(owed(stage, 2).claim(stage, 1, round=2)).event(RewardClaimed).amount == 2000
    assert stage.phase is Phase.COMMIT
