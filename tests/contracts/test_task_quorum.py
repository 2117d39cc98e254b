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
    NotStanding,
    NotYourTurn,
    PayoutOutOfRange,
    SignaturesMismatch,
    SignersNotAscending,
    SurvivorsOutOfRange,
    TooFewSignatures,
    TooLate,
    WrongFinality,
    WrongPhase,
    WrongSurvivors,
)
from foedus.contracts.signatures import SigningDomain, sign_survivors
from foedus.protocol.bitmap import to_pairs
from foedus.protocol.events import AggregateProposed, Phase, SurvivorsFrozen
from foedus.protocol.ids import Hash32, Position, Wei
from foedus.protocol.terms import Finality
from tests.contracts.actors import PARAMS, Stage, World, digest
from tests.contracts.chain import ETHER

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def test_a_freeze_before_or_after_its_phase_is_refused(opened: Stage) -> None:
    with pytest.raises(WrongPhase) as early:
        opened.freeze(range(5), range(4))
    assert (early.value.have, early.value.need) == (Phase.COMMIT, Phase.FREEZE)
    opened.commit(0, 1, 2, 3, 4)
    deadline = opened.slot["deadline"]
    opened.world.advance(PARAMS.freeze_seconds)
    with pytest.raises(TooLate) as late:
        opened.freeze(range(5))
    assert (late.value.phase, late.value.deadline) == (Phase.FREEZE, deadline)


def test_a_freeze_says_what_was_frozen_and_by_whom(committed: Stage) -> None:
    disputes = to_pairs([(Position(0), Position(3))])
    mined = committed.freeze([0, 1, 2, 4], [0, 2, 3, 4], disputes)
    now = committed.world.now
    frozen = SurvivorsFrozen(1, 1, b"\x17", disputes, b"\x1d", mined.block + 1, now, now + PARAMS.stall_seconds)
    assert mined.events == (frozen,)
    assert committed.words("frozen") == {
        "digest": committed.frozen_digest[:20],
        "beaconBlock": mined.block + 1,
        "aggregateFrom": now,
        "stallAt": now + PARAMS.stall_seconds,
    }
    assert (committed.phase, committed.slot["deadline"]) == (Phase.AGGREGATE, now + PARAMS.stall_seconds)


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
        ([(p, s if p else bytes(65)) for p, s in signed], NotCommitteeMember),
        (committed.freeze_signatures(range(4), survivors, to_pairs([(Position(0), Position(1))])), NotCommitteeMember),
        (committed.freeze_signatures(range(4), b"\x0f"), NotCommitteeMember),
    ):
        with pytest.raises(refusal):
            committed.act(calls.freeze(committed.task, survivors, b"", rows))
    jumbled = [(Position(3 - p), s) for p, s in signed]
    with pytest.raises(SignersNotAscending) as order:
        committed.act(calls.freeze(committed.task, survivors, b"", jumbled))
    assert order.value.seat == 2
    with pytest.raises(SignaturesMismatch) as length:
        committed.act(calls.freeze(committed.task, survivors, b"", [(p, s[:64]) for p, s in signed]))
    assert (length.value.signers, length.value.length) == (3, 256)


def test_the_mirror_image_of_a_signature_is_refused(committed: Stage) -> None:
    survivors = committed.survivors(range(5))
    (seat, one), *others = committed.freeze_signatures(range(4), survivors)
    mirrored = one[:32] + (ORDER - int.from_bytes(one[32:64], "big")).to_bytes(32, "big") + bytes([55 - one[64]])
    with pytest.raises(NotCommitteeMember) as refusal:
        committed.act(calls.freeze(committed.task, survivors, b"", [(seat, mirrored), *others]))
    assert (refusal.value.recovered, refusal.value.index) == ("0x" + "00" * 20, 0)


def test_a_strangers_signature_is_no_members(committed: Stage) -> None:
    survivors = committed.survivors(range(5))
    signed = committed.freeze_signatures(range(3), survivors)
    stranger = sign_survivors(committed.sponsor, committed.domain_of_signatures, committed.place, survivors, b"")
    with pytest.raises(NotCommitteeMember) as refusal:
        committed.act(calls.freeze(committed.task, survivors, b"", [*signed, (Position(3), stranger)]))
    assert (refusal.value.recovered, refusal.value.index) == (committed.sponsor.address, 3)


def test_the_survivors_must_be_canonical_and_as_many_as_can_be(world: World) -> None:
    stage = world.create(world.accounts[:5], replace(PARAMS, min_survivors=3))
    stage.join(0, 1, 2, 3, 4)
    stage.draw()
    stage.commit(0, 1, 2, 3)
    stage.expire()
    for members in ([0, 1], [0, 1, 2, 3, 4]):
        with pytest.raises(SurvivorsOutOfRange) as refusal:
            stage.freeze(members)
        assert (refusal.value.have, refusal.value.need, refusal.value.most) == (len(members), 3, 4)
    for survivors in (b"", b"\x2f", b"\x0f\x00"):
        with pytest.raises(MalformedBitmap) as malformed:
            stage.act(calls.freeze(stage.task, survivors, b"", stage.freeze_signatures(range(4), survivors)))
        assert (malformed.value.length, malformed.value.domain) == (len(survivors), 5)
    with pytest.raises(MalformedPairs):
        stage.freeze(range(4), disputes=b"\x00\x01\x00\x00")


def test_signatures_do_not_carry_over_to_another_task_round_or_attempt(world: World) -> None:
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
    first = one.propose().event(AggregateProposed)
    attested = one.attestations(range(4), first.proposal)
    one.act(calls.finalize(one.task, attested))
    one.commit(0, 1, 2, 3, 4)
    with pytest.raises(NotCommitteeMember):
        one.act(calls.freeze(one.task, survivors, b"", signed))
    one.freeze(range(5))
    one.propose(first.aggregate)
    with pytest.raises(NotCommitteeMember):
        one.act(calls.finalize(one.task, attested))
    first_attempt = other.freeze_signatures(range(4), survivors)
    other.expire()
    other.commit(0, 1, 2, 3, 4)
    with pytest.raises(NotCommitteeMember):
        other.act(calls.freeze(other.task, survivors, b"", first_attempt))


def test_the_signing_domain_behind_a_clone_is_the_clones_own(committed: Stage) -> None:
    _, name, version, chain_id, contract, _, _ = committed.view("eip712Domain")
    assert (name, version, chain_id, contract) == ("Foedus", "1", committed.world.chain_id, committed.task)
    assert committed.view("domainSeparator") == committed.domain_of_signatures.separator
    survivors = committed.survivors(range(5))
    fields = {"round": "uint32", "attempt": "uint16", "opening": "uint32", "survivors": "bytes", "disputes": "bytes"}
    message = encode_typed_data(
        {"name": name, "version": version, "chainId": chain_id, "verifyingContract": contract},
        {"Survivors": [{"name": field, "type": kind} for field, kind in fields.items()]},
        {"round": 1, "attempt": 1, "opening": 1, "survivors": survivors, "disputes": b""},
    )
    foreign = [(committed.position(m), bytes(committed.members[m].sign_message(message).signature)) for m in range(4)]
    assert foreign == committed.freeze_signatures(range(4), survivors)
    committed.act(calls.freeze(committed.task, survivors, b"", foreign))


def test_a_proposal_waits_for_the_beacon(committed: Stage) -> None:
    beacon_block = committed.freeze(range(5)).event(SurvivorsFrozen).beacon_block
    with pytest.raises(BeaconPending) as refusal:
        committed.act(committed.proposing())
    assert refusal.value.beacon_block == beacon_block


def test_ranks_take_turns(frozen: Stage) -> None:
    order = frozen.ranking()
    call = frozen.proposing()
    with pytest.raises(NotYourTurn) as refusal:
        frozen.act(call, frozen.members[order[1]])
    assert (refusal.value.rank, refusal.value.next_rank, refusal.value.open) == (1, 0, 0)
    frozen.world.advance(PARAMS.rank_seconds)
    with pytest.raises(NotYourTurn):
        frozen.act(call, frozen.members[order[2]])
    proposed = frozen.send_proposal(call, frozen.members[order[1]]).event(AggregateProposed)
    assert (proposed.rank, proposed.aggregator) == (1, frozen.members[order[1]].address)
    assert frozen.slot["nextRank"] == 2


def test_a_beacon_that_is_out_of_reach_opens_the_turn_to_all(frozen: Stage) -> None:
    last = frozen.ranking()[-1]
    if frozen.world.kind == "anvil":
        frozen.world.rpc("anvil_mine", hex(300))
    else:
        frozen.world.mine(300)
    made = frozen.send_proposal(frozen.proposing(), frozen.members[last])
    assert made.event(AggregateProposed).rank == 0


def test_only_the_eligible_propose_and_only_what_was_frozen(frozen: Stage) -> None:
    with pytest.raises(NotEligible) as refusal:
        frozen.act(frozen.proposing(), frozen.sponsor)
    assert refusal.value.account == frozen.sponsor.address
    need = frozen.frozen_digest[:20]
    for survivors, signers in ((b"\x0f", b"\x0f"), (b"\x1f", b"\x1f"), (b"\x0f", b"\x1f")):
        with pytest.raises(WrongSurvivors) as other:
            frozen.act(calls.propose(frozen.task, frozen.aggregate(), survivors, signers, frozen.standing))
        assert other.value.need == need
    with pytest.raises(WrongPhase) as early:
        frozen.act(calls.finalize(frozen.task, frozen.attestations(range(4), digest("none"))))
    assert (early.value.have, early.value.need) == (Phase.AGGREGATE, Phase.ATTEST)


def test_a_proposal_says_what_it_builds_on(frozen: Stage) -> None:
    freeze = frozen.freezes[1]
    for before in (bytes(32), digest("other")):
        call = calls.propose(frozen.task, frozen.aggregate(), freeze.survivors, freeze.signers, Hash32(before))
        with pytest.raises(NotStanding) as refusal:
            frozen.act(call, frozen.members[frozen.ranking()[0]])
        assert (refusal.value.have, refusal.value.need) == (before, frozen.standing)


def test_payouts_stay_within_the_pool(frozen: Stage) -> None:
    with pytest.raises(PayoutOutOfRange) as refusal:
        frozen.propose(frozen.aggregate(payout_total=Wei(ETHER + 1)))
    assert (refusal.value.total, refusal.value.pool) == (ETHER + 1, ETHER)
    frozen.propose(frozen.aggregate(payout_total=ETHER))


def test_bitmaps_of_groups_have_a_longest_length(frozen: Stage) -> None:
    for name in ("groups", "quarantined"):
        with pytest.raises(MalformedBitmap) as refusal:
            frozen.propose(frozen.aggregate(**{name: bytes(129)}))
        assert refusal.value.length >= 129
    frozen.propose(frozen.aggregate(groups=bytes(128), quarantined=bytes(128)))


def test_a_quorum_finalises_the_proposal_that_awaits_it_and_no_other(frozen: Stage) -> None:
    proposed = frozen.propose().event(AggregateProposed)
    assert frozen.view("heads") == (frozen.proposals[0].before, proposed.proposal)
    with pytest.raises(NotCommitteeMember):
        frozen.act(calls.finalize(frozen.task, frozen.attestations(range(4), digest("other"))))
    with pytest.raises(TooFewSignatures) as few:
        frozen.finalize(range(3))
    assert (few.value.have, few.value.need) == (3, 4)
    with pytest.raises(NothingToDo) as patience:
        frozen.poke()
    assert (patience.value.phase, patience.value.until) == (Phase.ATTEST, proposed.attest_by)
    with pytest.raises(WrongFinality) as other:
        frozen.act(frozen.settling(1))
    assert other.value.have is Finality.FAST
    frozen.world.advance(PARAMS.attest_seconds)
    with pytest.raises(TooLate) as late:
        frozen.finalize()
    assert (late.value.phase, late.value.deadline) == (Phase.ATTEST, proposed.attest_by)


def test_a_proposal_after_the_stall_is_refused(frozen: Stage) -> None:
    frozen.world.advance(PARAMS.stall_seconds)
    with pytest.raises(TooLate) as refusal:
        frozen.act(frozen.proposing())
    assert refusal.value.phase is Phase.AGGREGATE
    frozen.poke()
    assert frozen.phase is Phase.ENDED


def test_signatures_of_another_chain_are_worthless(committed: Stage) -> None:
    survivors = committed.survivors(range(5))
    elsewhere = SigningDomain(committed.world.chain_id + 1, committed.task)
    marks = (elsewhere, committed.place, survivors, b"")
    rows = [(committed.position(m), sign_survivors(committed.members[m], *marks)) for m in range(4)]
    with pytest.raises(NotCommitteeMember):
        committed.act(calls.freeze(committed.task, survivors, b"", rows))
