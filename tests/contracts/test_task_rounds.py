"""Whole tasks, on both chains: enrolment to payment, and every way out of a round."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest

from foedus.contracts import calls
from foedus.contracts.refusals import NotCommitteeMember
from foedus.protocol.bitmap import from_bitmap, to_pairs
from foedus.protocol.claims import genesis
from foedus.protocol.events import (
    AbortReason,
    AggregateProposed,
    AttemptAborted,
    BondPosted,
    CommitClosed,
    DrawScheduled,
    EndReason,
    EnrolmentOpened,
    EpochDrawn,
    ParticipantJoined,
    Phase,
    ProposalDropped,
    RewardClaimed,
    RoundFinalized,
    RoundOpened,
    SurvivorsFrozen,
    TaskCreated,
    TaskEnded,
    UpdateCommitted,
)
from foedus.protocol.groups import threshold
from foedus.protocol.ids import Address, Position, Wei
from tests.contracts.actors import BASE, BOND, LAW, PARAMS, TERMS, Stage, World, digest, key
from tests.contracts.chain import ETHER
from tests.contracts.payees import Owed

NO_TOKEN = Address("0x" + "00" * 20)


def test_a_task_of_three_rounds_says_all_that_happens(chain: World) -> None:
    stage = chain.create(chain.accounts[:5])
    created, enrolment = stage.created.events
    assert created == TaskCreated(stage.task, stage.sponsor.address, TERMS, LAW, BASE, NO_TOKEN, ETHER, PARAMS)
    assert enrolment == EnrolmentOpened(stage.slot["deadline"], PARAMS.max_participants)
    assert stage.slot["deadline"] == chain.now + PARAMS.enrol_seconds
    assert chain.balance(stage.task) == ETHER

    joined = stage.join(0, 1, 2, 3, 4)
    for member, mined in enumerate(joined):
        keys = (key(member, "mask"), key(member, "box"))
        account = stage.members[member].address
        assert mined.events[0] == ParticipantJoined(account, Position(member), member + 1, 1, *keys, TERMS)
    assert joined[-1].events[1] == DrawScheduled(1, joined[-1].block + 1)

    drawn = stage.draw()
    assert drawn.events == (
        EpochDrawn(1, 5, stage.view("epochSeed")),
        RoundOpened(1, 1, 1, 5, chain.now + PARAMS.commit_seconds),
    )
    bonded: set[str] = set()
    for number in (1, 2, 3):
        if stage.phase is Phase.DRAW:
            again = stage.draw()
            assert again.event(EpochDrawn).epoch == 2
            assert again.event(RoundOpened).opening == number
        mined = stage.play_round(range(5), payout_total=Wei(number * 100))
        update = mined["commit_0"].event(UpdateCommitted)
        assert (update.round, update.generation, update.update_root) == (number, number, digest("update", number, 1, 0))
        assert mined["commit_4"].event(CommitClosed).committed == 5
        freeze = mined["freeze"].event(SurvivorsFrozen)
        assert from_bitmap(freeze.survivors, 5) == set(range(5))
        assert len(from_bitmap(freeze.signers, 5)) == threshold(5) == 4
        assert freeze.beacon_block == mined["freeze"].block + 1
        assert freeze.stall_at - freeze.aggregate_from == PARAMS.stall_seconds
        proposed = mined["propose"].event(AggregateProposed)
        assert proposed.position == stage.position(stage.member_of(proposed.aggregator))
        assert proposed.aggregate == stage.proposals[-1].claim.aggregate
        assert proposed.attest_by == stage.proposals[-1].claim.proposed_at + PARAMS.attest_seconds
        posted = [event for event in mined["propose"].events if isinstance(event, BondPosted)]
        assert posted == [BondPosted(proposed.aggregator, BOND)] * (proposed.aggregator not in bonded)
        bonded.add(proposed.aggregator)
        final = mined["finalize"].events[0]
        assert final == RoundFinalized(number, 1, proposed.proposal, b"\x0f")
        assert stage.view("heads") == (proposed.proposal, bytes(32))
    assert stage.history[-1].events[1] == TaskEnded(EndReason.COMPLETED, 3)
    assert (stage.phase, stage.slot["deadline"]) == (Phase.ENDED, 0)


def test_the_epoch_seed_is_the_documented_hash(chain: World) -> None:
    stage = chain.create(chain.accounts[:5])
    scheduled = stage.join(0, 1, 2, 3, 4)[-1].event(DrawScheduled)
    first = stage.draw().event(EpochDrawn)
    assert first.seed == epoch_seed(chain, scheduled, bytes(32), genesis(BASE))
    stage.play_round(range(5))
    scheduled = stage.play_round(range(5))["finalize"].event(DrawScheduled)
    assert stage.draw().event(EpochDrawn).seed == epoch_seed(chain, scheduled, first.seed, stage.proposals[1].name)


def epoch_seed(chain: World, scheduled: DrawScheduled, last: bytes, head: bytes) -> bytes:
    block = chain.rpc("eth_getBlockByNumber", hex(scheduled.beacon_block), False)
    return sha256(b"foedus/epoch/v1" + bytes.fromhex(block["hash"][2:]) + last + head + TERMS).digest()


def test_an_attempt_with_too_few_commits_aborts_into_a_recess(chain: World) -> None:
    stage = chain.create(chain.accounts[:5])
    stage.join(0, 1, 2, 3, 4)
    stage.draw()
    stage.commit(0, 1)
    chain.advance(PARAMS.commit_seconds)
    aborted, recess = stage.poke().events
    assert aborted == AttemptAborted(1, 1, AbortReason.TOO_FEW_COMMITS)
    assert recess == EnrolmentOpened(chain.now + PARAMS.enrol_seconds, PARAMS.min_participants)
    assert stage.slot["ready"] == 2


def test_an_attempt_that_is_not_frozen_in_time_aborts(chain: World) -> None:
    stage = chain.create(chain.accounts[:5])
    stage.join(0, 1, 2, 3, 4)
    stage.draw()
    stage.commit(0, 1, 2, 3, 4)
    chain.advance(PARAMS.freeze_seconds)
    aborted, opened = stage.poke().events
    assert aborted == AttemptAborted(1, 1, AbortReason.NOT_FROZEN)
    assert opened == RoundOpened(1, 2, 2, 5, chain.now + PARAMS.commit_seconds)
    stage.play_round(range(5))
    assert stage.slot["round"] == 2


def test_attempts_run_out(stage: Stage) -> None:
    stage.join(0, 1, 2, 3, 4)
    stage.draw()
    for attempt in (1, 2):
        assert stage.slot["attempt"] == attempt
        stage.commit(0, 1, 2, 3, 4)
        last = stage.expire()
    assert last.events == (AttemptAborted(1, 2, AbortReason.NOT_FROZEN), TaskEnded(EndReason.EXHAUSTED, 0))


def test_a_recess_waits_for_the_minimum_and_always_draws_anew(chain: World) -> None:
    stage = chain.create(chain.accounts[:6], replace(PARAMS, max_attempts=5))
    stage.join(0, 1, 2, 3, 4)
    stage.draw()
    stage.commit(0)
    _, recess = stage.expire().events
    assert isinstance(recess, EnrolmentOpened)
    assert recess.target == PARAMS.min_participants
    stage.leave(1)
    stage.join(5)
    assert stage.position(5) == 1, "a free seat is given again"
    assert (stage.slot["ready"], stage.slot["waiting"]) == (1, 1)
    scheduled = stage.advertise(2)[0].event(DrawScheduled)
    assert scheduled.epoch == 2
    opened = stage.draw().event(RoundOpened)
    assert (opened.attempt, opened.opening, opened.eligible) == (2, 2, 3)
    stage.play_round([0, 2, 5])


def test_a_recess_that_finds_enough_already_waiting_ends_at_once(stage: Stage) -> None:
    stage.join(0, 1, 2)
    stage.expire()
    stage.draw()
    stage.join(3, 4)
    stage.commit(0)
    assert stage.expire().kinds == ["AttemptAborted", "EnrolmentOpened", "DrawScheduled"]
    assert stage.draw().event(RoundOpened).eligible == 3


def test_a_dropped_proposal_hands_over_to_the_next_rank(chain: World) -> None:
    stage = chain.create(chain.accounts[:5])
    stage.join(0, 1, 2, 3, 4)
    stage.draw()
    stage.play_to_freeze(range(5))
    stall_at = stage.slot["deadline"]
    first = stage.propose().event(AggregateProposed)
    assert first.rank == 0
    chain.advance(PARAMS.attest_seconds)
    dropped = stage.drop().events
    assert dropped == (ProposalDropped(1, 1, 1, chain.now),)
    assert (stage.phase, stage.slot["deadline"]) == (Phase.AGGREGATE, stall_at)
    second = stage.propose(stage.aggregate(model_root=digest("another"))).event(AggregateProposed)
    assert second.rank == 1
    stage.finalize()
    assert stage.standing == second.proposal


def test_an_aggregator_that_goes_silent_is_replaced_by_time_alone(frozen: Stage) -> None:
    """Rank after rank may propose, the circle round; nobody is waited for."""
    order = frozen.ranking()
    begun = frozen.words("frozen")["aggregateFrom"]
    for silent in range(5):
        frozen.world.advance(max(0, begun + silent * PARAMS.rank_seconds - frozen.world.now))
        mark = frozen.world.rpc("evm_snapshot")
        made = frozen.send_proposal(frozen.proposing(), frozen.members[order[silent]]).event(AggregateProposed)
        assert (made.rank, made.aggregator) == (silent, frozen.members[order[silent]].address)
        frozen.proposals.pop()
        frozen.world.bring_back(mark)


def test_the_turn_goes_round_the_circle(frozen: Stage) -> None:
    last = frozen.propose(member=frozen.ranking()[-1]).event(AggregateProposed)
    assert last.rank == 4
    frozen.world.advance(PARAMS.attest_seconds)
    assert frozen.poke().event(ProposalDropped).next_rank == 0


def test_a_round_without_an_attested_aggregate_ends_the_task_on_its_last_proposal(chain: World) -> None:
    stage = chain.create(chain.accounts[:5])
    stage.join(0, 1, 2, 3, 4)
    stage.draw()
    stage.play_round(range(5), payout_total=Wei(7))
    stage.play_to_freeze(range(5))
    stage.propose(stage.aggregate(payout_total=Wei(9)))
    chain.advance(PARAMS.stall_seconds)
    stage.drop()
    assert stage.phase is Phase.AGGREGATE, "first the proposal is dropped"
    assert stage.poke().events == (TaskEnded(EndReason.STALLED, 1),)
    assert stage.standing == stage.proposals[0].name
    assert stage.act(calls.withdraw_remainder(stage.task, stage.proposals[0].before, stage.proposals[0].claim))


def test_a_base_model_has_one_frozen_set_at_most(frozen: Stage) -> None:
    """After a freeze only finality or the end of the task leads on: no path back to FREEZE on the same round."""
    seen = {(frozen.phase, frozen.slot["round"])}
    for _ in range(2):
        frozen.propose()
        seen.add((frozen.phase, frozen.slot["round"]))
        frozen.world.advance(PARAMS.attest_seconds)
        frozen.drop()
        seen.add((frozen.phase, frozen.slot["round"]))
    frozen.expire()
    assert seen == {(Phase.AGGREGATE, 1), (Phase.ATTEST, 1)}
    assert frozen.phase is Phase.ENDED


def test_payouts_are_claimed_by_anyone_for_anyone_and_grow(chain: World) -> None:
    stage = chain.create(chain.accounts[:5])
    stage.join(0, 1, 2, 3, 4)
    stage.draw()
    paid: dict[int, int] = {}
    for number in (1, 2):
        owed = Owed.to_members(stage, 1000 * number)
        stage.play_round(range(5), **owed.changes)
        for payee, (account, amount) in owed.rows.items():
            before = chain.balance(Address(account))
            event = stage.act(owed.claim(stage, payee), stage.sponsor).event(RewardClaimed)
            assert event == RewardClaimed(Address(account), payee, Wei(amount - paid.get(payee, 0)), Wei(amount))
            assert chain.balance(Address(account)) - before == event.amount
            assert stage.view("claimed", payee) == amount
            paid[payee] = amount


def test_a_large_committee_is_drawn_from_the_seats(world: World) -> None:
    members = world.accounts[:36]
    stage = world.create(members, replace(PARAMS, max_participants=36, min_participants=30))
    stage.join(*range(36))
    stage.draw()
    stage.commit(*range(36))
    committee = stage.committee()
    assert len(committee) == 32
    assert stage.quorum == 22
    outsider = next(m for m in range(36) if m not in committee)
    survivors = stage.survivors(range(36))
    signed = stage.freeze_signatures([*committee[:21], outsider], survivors)
    with pytest.raises(NotCommitteeMember) as refusal:
        stage.act(calls.freeze(stage.task, survivors, b"", signed))
    assert refusal.value.recovered == members[outsider].address
    disputes = to_pairs([(Position(1), Position(9)), (Position(0), Position(35))])
    frozen = stage.freeze(range(36), disputes=disputes).event(SurvivorsFrozen)
    assert frozen.disputes == disputes
    assert from_bitmap(frozen.signers, 36) == {stage.position(m) for m in committee[:22]}
    stage.propose()
    stage.finalize()
    assert stage.slot["round"] == 2
