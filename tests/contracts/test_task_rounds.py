"""Whole tasks, on both chains: enrolment to payment, and every way out of a round."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest

from foedus.contracts import calls
from foedus.protocol import merkle
from foedus.protocol.bitmap import from_bitmap, to_pairs
from foedus.protocol.events import (
    AbortReason,
    AggregateProposed,
    AttemptAborted,
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
from foedus.protocol.ids import Hash32, Position, Wei
from tests.contracts.actors import BASE, PARAMS, TERMS, Stage, World, digest
from tests.contracts.chain import ETHER


def test_a_task_of_three_rounds_says_all_that_happens(chain: World) -> None:
    stage = chain.create(chain.accounts[:5])
    created, enrolment = stage.created.events
    assert created == TaskCreated(stage.task, stage.sponsor.address, TERMS, BASE, ETHER, PARAMS)
    assert isinstance(enrolment, EnrolmentOpened)
    assert enrolment.target == PARAMS.max_participants
    assert chain.balance(stage.task) == ETHER

    joined = stage.join(0, 1, 2, 3, 4)
    for member, mined in enumerate(joined):
        event = mined.event(ParticipantJoined)
        assert (event.participant, event.position) == (stage.members[member].address, member)
        assert (event.ready_epoch, event.consent) == (1, TERMS)
    scheduled = joined[-1].event(DrawScheduled)
    assert scheduled == DrawScheduled(1, joined[-1].block + 1)

    drawn = stage.draw()
    assert drawn.event(EpochDrawn).domain == 5
    opened = drawn.event(RoundOpened)
    assert (opened.round, opened.attempt, opened.opening, opened.eligible) == (1, 1, 1, 5)

    base = BASE
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
        assert freeze.stall_at - freeze.aggregate_from == PARAMS.stall_seconds
        proposed = mined["propose"].event(AggregateProposed)
        assert proposed.position == stage.position([m.address for m in stage.members].index(proposed.aggregator))
        assert proposed.aggregate.model_root == digest("model", number, 1)
        final = mined["finalize"].event(RoundFinalized)
        assert (final.base_root, final.model_root) == (base, digest("model", number, 1))
        assert final.state_root == digest("state", number, 1)
        base = final.model_root
        assert stage.view("currentModelRoot") == base
    ended = stage.history[-1].event(TaskEnded)
    assert ended == TaskEnded(EndReason.COMPLETED, 3, base, digest("payout", 3, 1), Wei(300))
    assert stage.phase is Phase.ENDED


def test_the_epoch_seed_is_the_documented_hash(chain: World) -> None:
    stage = chain.create(chain.accounts[:5])
    scheduled = stage.join(0, 1, 2, 3, 4)[-1].event(DrawScheduled)
    drawn = stage.draw().event(EpochDrawn)
    block = chain.rpc("eth_getBlockByNumber", hex(scheduled.beacon_block), False)
    beacon = bytes.fromhex(block["hash"][2:])
    assert drawn.seed == sha256(b"foedus/epoch/v1" + beacon + bytes(32) + BASE + TERMS).digest()


def test_an_attempt_with_too_few_commits_aborts_and_the_next_takes_those_with_keys(chain: World) -> None:
    stage = chain.create(chain.accounts[:5])
    stage.join(0, 1, 2, 3, 4)
    stage.draw()
    stage.commit(0, 1)
    stage.advertise(2)
    chain.advance(PARAMS.commit_seconds)
    aborted, opened = stage.act(calls.poke(stage.task)).events
    assert aborted == AttemptAborted(1, 1, AbortReason.TOO_FEW_COMMITS)
    assert isinstance(opened, RoundOpened)
    assert (opened.round, opened.attempt, opened.opening, opened.eligible) == (1, 2, 2, 3)
    stage.play_round([0, 1, 2])
    assert stage.slot["round"] == 2


def test_an_attempt_that_is_not_frozen_in_time_aborts(chain: World) -> None:
    stage = chain.create(chain.accounts[:5])
    stage.join(0, 1, 2, 3, 4)
    stage.draw()
    stage.commit(0, 1, 2, 3, 4)
    chain.advance(PARAMS.freeze_seconds)
    assert stage.act(calls.poke(stage.task)).events[0] == AttemptAborted(1, 1, AbortReason.NOT_FROZEN)
    assert stage.phase is Phase.COMMIT
    assert stage.slot["eligible"] == 5


def test_attempts_run_out(stage: Stage) -> None:
    stage.join(0, 1, 2, 3, 4)
    stage.draw()
    for attempt in (1, 2):
        assert stage.slot["attempt"] == attempt
        stage.commit(0, 1, 2, 3, 4)
        stage.world.advance(PARAMS.freeze_seconds)
        last = stage.act(calls.poke(stage.task))
    assert last.events[1] == TaskEnded(EndReason.EXHAUSTED, 0, BASE, Hash32(bytes(32)), Wei(0))


def test_a_recess_waits_for_the_minimum_and_always_draws_anew(chain: World) -> None:
    stage = chain.create(chain.accounts[:6], replace(PARAMS, max_attempts=5))
    stage.join(0, 1, 2, 3, 4)
    stage.draw()
    stage.commit(0)
    chain.advance(PARAMS.commit_seconds)
    _, recess = stage.act(calls.poke(stage.task)).events
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
    stage.world.advance(PARAMS.enrol_seconds)
    stage.act(calls.poke(stage.task))
    stage.draw()
    stage.join(3, 4)
    stage.commit(0)
    stage.world.advance(PARAMS.commit_seconds)
    events = stage.act(calls.poke(stage.task)).events
    assert [type(event) for event in events] == [AttemptAborted, EnrolmentOpened, DrawScheduled]
    assert stage.draw().event(RoundOpened).eligible == 3


def test_a_dropped_proposal_hands_over_to_the_next_rank(chain: World) -> None:
    stage = chain.create(chain.accounts[:5])
    stage.join(0, 1, 2, 3, 4)
    stage.draw()
    stage.commit(0, 1, 2, 3, 4)
    stage.freeze(range(5))
    survivors = stage.survivors(range(5))
    stall_at = stage.slot["deadline"]
    first = stage.propose(survivors).event(AggregateProposed)
    assert first.rank == 0
    chain.advance(PARAMS.attest_seconds)
    dropped = stage.act(calls.poke(stage.task)).event(ProposalDropped)
    assert (dropped.aggregator, dropped.next_rank) == (first.aggregator, 1)
    assert dropped.aggregate_from == chain.now
    assert (stage.phase, stage.slot["deadline"]) == (Phase.AGGREGATE, stall_at)
    aggregate = stage.aggregate(model_root=digest("another"))
    second = stage.propose(survivors, aggregate).event(AggregateProposed)
    assert second.rank == 1
    stage.finalize(second.aggregator, aggregate)
    assert stage.view("currentModelRoot") == digest("another")


def test_the_turn_goes_round_the_circle(frozen: Stage) -> None:
    survivors = frozen.survivors(range(5))
    last = frozen.propose(survivors, member=frozen.ranking(survivors)[-1]).event(AggregateProposed)
    assert last.rank == 4
    frozen.world.advance(PARAMS.attest_seconds)
    assert frozen.act(calls.poke(frozen.task)).event(ProposalDropped).next_rank == 0


def test_a_round_without_an_attested_aggregate_ends_the_task_on_its_last_model(chain: World) -> None:
    stage = chain.create(chain.accounts[:5])
    stage.join(0, 1, 2, 3, 4)
    stage.draw()
    stage.play_round(range(5), payout_total=Wei(7))
    stage.commit(0, 1, 2, 3, 4)
    stage.freeze(range(5))
    stage.propose(stage.survivors(range(5)), stage.aggregate(payout_total=Wei(9)))
    chain.advance(PARAMS.stall_seconds)
    stage.act(calls.poke(stage.task))
    assert stage.phase is Phase.AGGREGATE, "first the proposal is dropped"
    ended = stage.act(calls.poke(stage.task)).event(TaskEnded)
    assert ended == TaskEnded(EndReason.STALLED, 1, digest("model", 1, 1), digest("payout", 1, 1), Wei(7))


def test_a_base_model_has_one_frozen_set_at_most(frozen: Stage) -> None:
    """After a freeze only finality or the end of the task leads on: no path back to FREEZE on the same round."""
    survivors = frozen.survivors(range(5))
    seen = {(frozen.phase, frozen.slot["round"])}
    for _ in range(2):
        frozen.propose(survivors)
        seen.add((frozen.phase, frozen.slot["round"]))
        frozen.world.advance(PARAMS.attest_seconds)
        frozen.act(calls.poke(frozen.task))
        seen.add((frozen.phase, frozen.slot["round"]))
    frozen.world.advance(PARAMS.stall_seconds)
    frozen.act(calls.poke(frozen.task))
    assert seen == {(Phase.AGGREGATE, 1), (Phase.ATTEST, 1)}
    assert frozen.phase is Phase.ENDED


def test_payouts_are_claimed_by_anyone_for_anyone_and_grow(chain: World) -> None:
    stage = chain.create(chain.accounts[:5])
    stage.join(0, 1, 2, 3, 4)
    stage.draw()
    paid: dict[str, int] = {}
    for number in (1, 2):
        rows = [(member.address, Wei(1000 * number + seat)) for seat, member in enumerate(stage.members)]
        hashes = [merkle.leaf_hash(bytes.fromhex(a[2:]) + amount.to_bytes(32, "big")) for a, amount in rows]
        root, total = merkle.root_of_hashes(hashes), Wei(sum(amount for _, amount in rows))
        stage.play_round(range(5), payout_root=root, payout_total=total)
        for index, (account, amount) in enumerate(rows):
            proof = merkle.prove(hashes, index)
            call = calls.claim(stage.task, account, amount, index, len(rows), proof)
            before = chain.balance(account)
            event = stage.act(call, stage.sponsor).event(RewardClaimed)
            assert event == RewardClaimed(account, Wei(amount - paid.get(account, 0)), amount)
            assert chain.balance(account) - before == event.amount
            assert stage.view("claimed", account) == amount
            paid[account] = amount


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
    with pytest.raises(Exception, match=f"the signature for seat {stage.position(outsider)} is by"):
        stage.act(calls.freeze(stage.task, survivors, b"", signed))
    disputes = to_pairs([(Position(1), Position(9)), (Position(0), Position(35))])
    frozen = stage.freeze(range(36), disputes=disputes).event(SurvivorsFrozen)
    assert frozen.disputes == disputes
    assert from_bitmap(frozen.signers, 36) == {stage.position(m) for m in committee[:22]}
    aggregate = stage.aggregate()
    proposed = stage.propose(survivors, aggregate).event(AggregateProposed)
    stage.finalize(proposed.aggregator, aggregate)
    assert stage.slot["round"] == 2
