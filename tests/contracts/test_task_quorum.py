"""Freezing, proposing and finalising: what a quorum may do, and what nobody may."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_account.messages import encode_typed_data

from foedus.contracts import calls
from foedus.contracts.refusals import (
    BeaconPending,
    MalformedBitmap,
    MalformedPairs,
    NotCommitteeMember,
    NotEligible,
    NothingToDo,
    NotYourTurn,
    PayoutOutOfRange,
    SignaturesMismatch,
    SignersNotAscending,
    SurvivorsOutOfRange,
    TooFewSignatures,
    TooLate,
    WrongPhase,
    WrongProposal,
    WrongSurvivors,
)
from foedus.contracts.signatures import SigningDomain, proposal_hash, sign_survivors
from foedus.protocol.bitmap import to_pairs
from foedus.protocol.events import AggregateProposed, Phase, SurvivorsFrozen
from foedus.protocol.ids import Attempt, Position, RoundNumber, Wei
from tests.contracts.actors import PARAMS, Stage, World, digest
from tests.contracts.chain import ETHER


def test_a_freeze_before_or_after_its_phase_is_refused(opened: Stage) -> None:
    with pytest.raises(WrongPhase):
        opened.freeze(range(5), range(4))
    opened.commit(0, 1, 2, 3, 4)
    opened.world.advance(PARAMS.freeze_seconds)
    with pytest.raises(TooLate):
        opened.freeze(range(5))


def test_too_few_signatures_freeze_nothing(committed: Stage) -> None:
    with pytest.raises(TooFewSignatures) as refusal:
        committed.freeze(range(5), range(3))
    assert (refusal.value.have, refusal.value.need) == (3, 4)
    assert committed.freeze(range(5), range(5)).event(SurvivorsFrozen).signers == b"\x1f"


def test_a_signature_counts_once_for_its_seat_and_set(committed: Stage) -> None:
    survivors = committed.survivors(range(5))
    signed = committed.freeze_signatures(range(4), survivors)
    twice = [*signed[:3], signed[2]]
    for rows, refusal in (
        (twice, SignersNotAscending),
        ([(Position(4 if p == 3 else p), s) for p, s in signed], NotCommitteeMember),
        ([(p, s if p else bytes(65)) for p, s in signed], NotCommitteeMember),
        (committed.freeze_signatures(range(4), survivors, to_pairs([(Position(0), Position(1))])), NotCommitteeMember),
    ):
        with pytest.raises(refusal):
            committed.act(calls.freeze(committed.task, survivors, b"", rows))
    with pytest.raises(SignaturesMismatch):
        committed.act(calls.freeze(committed.task, survivors, b"", [(p, s[:64]) for p, s in signed]))


def test_the_mirror_image_of_a_signature_is_refused(committed: Stage) -> None:
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    survivors = committed.survivors(range(5))
    (seat, one), *others = committed.freeze_signatures(range(4), survivors)
    mirrored = one[:32] + (order - int.from_bytes(one[32:64], "big")).to_bytes(32, "big") + bytes([55 - one[64]])
    with pytest.raises(NotCommitteeMember):
        committed.act(calls.freeze(committed.task, survivors, b"", [(seat, mirrored), *others]))


def test_a_strangers_signature_is_no_members(committed: Stage) -> None:
    survivors = committed.survivors(range(5))
    signed = committed.freeze_signatures(range(3), survivors)
    marks = (committed.domain_of_signatures, RoundNumber(1), Attempt(1), survivors, b"")
    stranger = sign_survivors(committed.sponsor, *marks)
    with pytest.raises(NotCommitteeMember) as refusal:
        committed.act(calls.freeze(committed.task, survivors, b"", [*signed, (Position(3), stranger)]))
    assert refusal.value.recovered == committed.sponsor.address


def test_the_survivors_must_be_canonical_and_as_many_as_can_be(world: World) -> None:
    stage = world.create(world.accounts[:5], replace(PARAMS, min_survivors=3))
    stage.join(0, 1, 2, 3, 4)
    stage.draw()
    stage.commit(0, 1, 2, 3)
    world.advance(PARAMS.commit_seconds)
    stage.act(calls.poke(stage.task))
    for members in ([0, 1], [0, 1, 2, 3, 4]):
        with pytest.raises(SurvivorsOutOfRange) as refusal:
            stage.freeze(members)
        assert (refusal.value.have, refusal.value.need, refusal.value.most) == (len(members), 3, 4)
    for survivors in (b"", b"\x2f", b"\x0f\x00"):
        with pytest.raises(MalformedBitmap):
            stage.act(calls.freeze(stage.task, survivors, b"", stage.freeze_signatures(range(4), survivors)))
    with pytest.raises(MalformedPairs):
        stage.freeze(range(4), disputes=b"\x00\x01\x00\x00")


def test_signatures_do_not_carry_over_to_another_task_or_round(world: World) -> None:
    one, other = (world.create(world.accounts[:5]) for _ in range(2))
    for stage in (one, other):
        stage.join(0, 1, 2, 3, 4)
        stage.draw()
        stage.commit(0, 1, 2, 3, 4)
    survivors = one.survivors(range(5))
    signed = one.freeze_signatures(range(4), survivors)
    with pytest.raises(NotCommitteeMember):
        other.act(calls.freeze(other.task, survivors, b"", signed))
    one.act(calls.freeze(one.task, survivors, b"", signed))
    aggregate = one.aggregate()
    proposed = one.propose(survivors, aggregate).event(AggregateProposed)
    attested = one.attestations(range(4), proposed.proposal)
    one.act(calls.finalize(one.task, proposed.aggregator, aggregate, attested))
    one.commit(0, 1, 2, 3, 4)
    with pytest.raises(NotCommitteeMember):
        one.act(calls.freeze(one.task, survivors, b"", signed))
    one.freeze(range(5))
    again = one.propose(survivors, aggregate).event(AggregateProposed)
    with pytest.raises(NotCommitteeMember):
        one.act(calls.finalize(one.task, again.aggregator, aggregate, attested))


def test_the_signing_domain_behind_a_clone_is_the_clones_own(committed: Stage) -> None:
    _, name, version, chain_id, contract, _, _ = committed.view("eip712Domain")
    assert (name, version, chain_id, contract) == ("Foedus", "1", committed.world.chain_id, committed.task)
    survivors = committed.survivors(range(5))
    fields = [("round", "uint32"), ("attempt", "uint16"), ("survivors", "bytes"), ("disputes", "bytes")]
    message = encode_typed_data(
        {"name": name, "version": version, "chainId": chain_id, "verifyingContract": contract},
        {"Survivors": [{"name": field, "type": kind} for field, kind in fields]},
        {"round": 1, "attempt": 1, "survivors": survivors, "disputes": b""},
    )
    foreign = [(committed.position(m), bytes(committed.members[m].sign_message(message).signature)) for m in range(4)]
    assert foreign == committed.freeze_signatures(range(4), survivors)
    committed.act(calls.freeze(committed.task, survivors, b"", foreign))


def test_a_proposal_waits_for_the_beacon(committed: Stage) -> None:
    committed.freeze(range(5))
    with pytest.raises(BeaconPending):
        committed.act(calls.propose(committed.task, committed.aggregate(), committed.survivors(range(5))))


def test_ranks_take_turns(frozen: Stage) -> None:
    survivors = frozen.survivors(range(5))
    order = frozen.ranking(survivors)
    call = calls.propose(frozen.task, frozen.aggregate(), survivors)
    with pytest.raises(NotYourTurn) as refusal:
        frozen.act(call, frozen.members[order[1]])
    assert (refusal.value.rank, refusal.value.next_rank, refusal.value.open) == (1, 0, 0)
    frozen.world.advance(PARAMS.rank_seconds)
    with pytest.raises(NotYourTurn):
        frozen.act(call, frozen.members[order[2]])
    proposed = frozen.act(call, frozen.members[order[1]]).event(AggregateProposed)
    assert (proposed.rank, proposed.aggregator) == (1, frozen.members[order[1]].address)
    expected = proposal_hash(RoundNumber(1), Attempt(1), proposed.aggregator, proposed.aggregate)
    assert proposed.proposal == expected == frozen.view("proposal")


def test_a_beacon_that_is_out_of_reach_opens_the_turn_to_all(frozen: Stage) -> None:
    survivors = frozen.survivors(range(5))
    last = frozen.ranking(survivors)[-1]
    if frozen.world.kind == "anvil":
        frozen.world.rpc("anvil_mine", hex(300))
    else:
        frozen.world.mine(300)
    call = calls.propose(frozen.task, frozen.aggregate(), survivors)
    assert frozen.act(call, frozen.members[last]).event(AggregateProposed).rank == 0


def test_only_the_eligible_propose_and_only_what_was_frozen(frozen: Stage) -> None:
    survivors = frozen.survivors(range(5))
    with pytest.raises(NotEligible):
        frozen.act(calls.propose(frozen.task, frozen.aggregate(), survivors), frozen.sponsor)
    with pytest.raises(WrongSurvivors):
        frozen.act(calls.propose(frozen.task, frozen.aggregate(), b"\x0f"))
    with pytest.raises(WrongPhase):
        frozen.finalize(frozen.members[0].address, frozen.aggregate(), range(4))


def test_payouts_stay_within_the_pool_and_never_shrink(opened: Stage) -> None:
    opened.play_round(range(5), payout_total=Wei(50))
    opened.commit(0, 1, 2, 3, 4)
    opened.freeze(range(5))
    survivors = opened.survivors(range(5))
    for total in (49, ETHER + 1):
        with pytest.raises(PayoutOutOfRange) as refusal:
            opened.propose(survivors, opened.aggregate(payout_total=Wei(total)))
        assert (refusal.value.last, refusal.value.pool) == (50, ETHER)
    with pytest.raises(MalformedBitmap):
        opened.propose(survivors, opened.aggregate(payout_total=Wei(50), groups=bytes(129)))
    opened.propose(survivors, opened.aggregate(payout_total=ETHER))
    assert opened.view("payout") == (digest("payout", 1, 1), 50), "a proposal is not yet final"


def test_only_the_pending_proposal_is_finalised(frozen: Stage) -> None:
    aggregate = frozen.aggregate()
    proposed = frozen.propose(frozen.survivors(range(5)), aggregate).event(AggregateProposed)
    with pytest.raises(WrongProposal):
        frozen.finalize(proposed.aggregator, replace(aggregate, model_root=digest("other")))
    with pytest.raises(WrongProposal):
        frozen.finalize(frozen.sponsor.address, aggregate)
    with pytest.raises(TooFewSignatures):
        frozen.finalize(proposed.aggregator, aggregate, range(3))
    with pytest.raises(NothingToDo):
        frozen.act(calls.poke(frozen.task))
    frozen.world.advance(PARAMS.attest_seconds)
    with pytest.raises(TooLate):
        frozen.finalize(proposed.aggregator, aggregate)


def test_a_proposal_after_the_stall_is_refused(frozen: Stage) -> None:
    frozen.world.advance(PARAMS.stall_seconds)
    with pytest.raises(TooLate):
        frozen.act(calls.propose(frozen.task, frozen.aggregate(), frozen.survivors(range(5))))
    frozen.act(calls.poke(frozen.task))
    assert frozen.phase is Phase.ENDED


def test_signatures_of_another_chain_are_worthless(committed: Stage) -> None:
    survivors = committed.survivors(range(5))
    elsewhere = SigningDomain(committed.world.chain_id + 1, committed.task)
    marks = (elsewhere, RoundNumber(1), Attempt(1), survivors, b"")
    rows = [(committed.position(m), sign_survivors(committed.members[m], *marks)) for m in range(4)]
    with pytest.raises(NotCommitteeMember):
        committed.act(calls.freeze(committed.task, survivors, b"", rows))
