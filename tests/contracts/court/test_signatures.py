"""Signatures that convict whoever made them, and nobody else."""

from __future__ import annotations

from typing import Any

import pytest
from eth_keys.constants import SECPK1_N
from eth_utils.crypto import keccak

from tests.contracts.court.cases import (
    CONFLICTING_SIGNATURES,
    WITHHELD_CHUNK,
    WRONG_ATTESTATION,
    Bench,
    Defendant,
    attestation,
    digest,
    survivors,
)
from tests.contracts.court.stage import Done, Refused, Struct, call_data

MEMBER, CHALLENGER = 6, 5
Words = tuple[int, int, int]
"""Round, attempt, opening."""


def refute_attestation(case: Defendant, signature: bytes, **changes: Any) -> Done:
    """Shows a member's attestation of the claim to the court."""
    words = {"task": case.task, "round": 3, "attempt": 1, "proposal": case.name} | changes
    return case.bench.act("refuteAttestation", *words.values(), signature, sender=CHALLENGER)


def attested(case: Defendant, member: int = MEMBER, round: int = 3, attempt: int = 1) -> bytes:
    """A member's attestation of the claim."""
    return case.signed(member, attestation(round, attempt, case.name))


def ballot(
    case: Defendant, seats: bytes, disputes: bytes = b"", *, member: int = MEMBER, words: Words = (3, 1, 7)
) -> Struct:
    """A member's ballot for (round, attempt, opening), as the court takes it."""
    signature = case.signed(member, survivors(*words, seats, disputes))
    return {"survivors": keccak(seats), "disputes": keccak(disputes), "signature": signature}


def refute_survivors(case: Defendant, one: Struct, other: Struct, words: Words = (3, 1, 7)) -> Done:
    """Shows two ballots to the court."""
    return case.bench.act("refuteSurvivors", case.task, *words, one, other, sender=CHALLENGER)


@pytest.fixture
def convicted(defendant: Defendant) -> Defendant:
    """The task whose claim was refuted."""
    defendant.is_fast(awaits_quorum=True)
    defendant.says("convicted", True, of=[defendant.name])
    return defendant


def test_who_attested_a_refuted_claim_is_convicted(bench: Bench, convicted: Defendant) -> None:
    member, challenger = bench.chain.accounts[MEMBER].address, bench.chain.accounts[CHALLENGER].address
    done = refute_attestation(convicted, attested(convicted))
    expected = call_data("IAccused", "convictMember", member, WRONG_ATTESTATION, challenger)
    assert convicted.orders(done) == [expected]
    assert done.event("MemberSentenced") == {
        "task": convicted.task,
        "account": member,
        "fault": WRONG_ATTESTATION,
        "place": convicted.name,
        "challenger": challenger,
    }


def test_every_signer_is_convicted_and_each_once(bench: Bench, convicted: Defendant) -> None:
    for member in (MEMBER, MEMBER + 1):
        assert convicted.orders(refute_attestation(convicted, attested(convicted, member)))
        with pytest.raises(Refused, match="AlreadySentenced") as caught:
            refute_attestation(convicted, attested(convicted, member))
        assert caught.value.values == (bench.chain.accounts[member].address, WRONG_ATTESTATION, convicted.name)


def test_attesting_what_nobody_refuted_is_no_fault(defendant: Defendant) -> None:
    with pytest.raises(Refused, match="NotRefuted") as caught:
        refute_attestation(defendant, attested(defendant))
    assert caught.value.values == (defendant.name,)


@pytest.mark.parametrize("change", [{"round": 4}, {"attempt": 2}, {"task": None}])
def test_a_signature_for_another_place_is_not_the_members(
    bench: Bench, convicted: Defendant, change: dict[str, Any]
) -> None:
    """Recovered under another digest it names somebody whom nobody knows, never the member."""
    elsewhere = bench.defendant()
    elsewhere.says("convicted", True)
    if "task" in change:
        change = {"task": elsewhere.task}
    try:
        named = refute_attestation(convicted, attested(convicted), **change).event("MemberSentenced")["account"]
    except Refused as refused:
        named = refused.name
    assert named not in {one.address for one in bench.chain.accounts}
    assert named.startswith("0x") or named == "BadSignature"


def test_malformed_and_malleable_signatures_are_nobodys(convicted: Defendant) -> None:
    good = attested(convicted)
    r, s, v = good[:32], int.from_bytes(good[32:64], "big"), good[64]
    flipped = r + (SECPK1_N - s).to_bytes(32, "big") + bytes([55 - v])
    compact = r + ((v - 27) << 255 | s).to_bytes(32, "big")
    forged = [flipped, compact, good[:64] + bytes([v - 27]), good + b"\x00", good[:64], b"", bytes(65)]
    forged.append(bytes(64) + bytes([27]))
    for signature in forged:
        with pytest.raises(Refused, match="BadSignature"):
            refute_attestation(convicted, signature)
    assert convicted.orders(refute_attestation(convicted, good))


def test_what_the_task_refuses_can_be_shown_again(bench: Bench, convicted: Defendant) -> None:
    """An account without a stake is not convicted, and is not let off for later."""
    bench.chain.send(convicted.task, call_data("ScriptedTask", "refuse", True))
    with pytest.raises(Refused, match="Refused"):
        refute_attestation(convicted, attested(convicted))
    bench.chain.send(convicted.task, call_data("ScriptedTask", "refuse", False))
    assert convicted.orders(refute_attestation(convicted, attested(convicted)))


def test_withheld_data_convicts_no_attester_until_the_claim_is_found_wrong(bench: Bench, defendant: Defendant) -> None:
    """The quorum had the data; whether the claim was right, the aggregator's silence does not say."""
    defendant.is_fast(awaits_quorum=True)
    bond = bench.bond(2_000)
    asked = bench.act("demandChunk", defendant.case, 0, 1, value=bond).event("ChunkDemanded")["asked"]
    defendant.says("clock", 10_100)
    done = defendant.lapse(asked)
    demander = bench.chain.accounts[0].address
    assert defendant.orders(done) == [defendant.conviction(WITHHELD_CHUNK, demander)]
    defendant.says("convicted", True, of=[defendant.name])
    defendant.says("heads", defendant.before, bytes(32))  # the round was brought back
    with pytest.raises(Refused, match="NotRefuted"):
        refute_attestation(defendant, attested(defendant))

    with pytest.raises(Refused, match="Innocent"):
        bench.act("refute", defendant.case, bench.judge, digest("no proof"))
    done = defendant.refute()
    assert done.event("ClaimRefuted")["proposal"] == defendant.name
    assert defendant.orders(done) == [], "its aggregator is not convicted again"
    assert defendant.orders(refute_attestation(defendant, attested(defendant)))
    with pytest.raises(Refused, match="NotStanding"):
        defendant.refute()


def test_two_ballots_of_one_member_convict_it(bench: Bench, convicted: Defendant) -> None:
    member, challenger = bench.chain.accounts[MEMBER].address, bench.chain.accounts[CHALLENGER].address
    one, other = ballot(convicted, b"\x07"), ballot(convicted, b"\x03")
    done = refute_survivors(convicted, one, other)
    expected = call_data("IAccused", "convictMember", member, CONFLICTING_SIGNATURES, challenger)
    assert convicted.orders(done) == [expected]
    third = ballot(convicted, b"\x03", b"\x00\x00\x00\x01")
    with pytest.raises(Refused, match="AlreadySentenced"):
        refute_survivors(convicted, other, third)


def test_ballots_that_differ_in_disputes_alone_convict(convicted: Defendant) -> None:
    pairs = ballot(convicted, b"\x07", b"\x00\x00\x00\x01")
    assert convicted.orders(refute_survivors(convicted, ballot(convicted, b"\x07"), pairs))


def test_one_ballot_convicts_nobody(convicted: Defendant) -> None:
    with pytest.raises(Refused, match="SameBallot"):
        refute_survivors(convicted, ballot(convicted, b"\x07"), ballot(convicted, b"\x07"))


def test_ballots_of_two_members_convict_nobody(bench: Bench, convicted: Defendant) -> None:
    with pytest.raises(Refused, match="TwoSigners") as caught:
        refute_survivors(convicted, ballot(convicted, b"\x07"), ballot(convicted, b"\x03", member=MEMBER + 1))
    assert set(caught.value.values) == {bench.chain.accounts[MEMBER + n].address for n in (0, 1)}


@pytest.mark.parametrize("words", [(4, 1, 7), (3, 2, 7), (3, 1, 8)])
def test_ballots_for_two_openings_convict_nobody(convicted: Defendant, words: Words) -> None:
    """A round that was brought back is frozen again, under the same numbers and another opening."""
    pair = ballot(convicted, b"\x07"), ballot(convicted, b"\x03", words=words)
    for shown in ((3, 1, 7), words):
        with pytest.raises(Refused, match=r"TwoSigners|BadSignature"):
            refute_survivors(convicted, *pair, shown)


def test_malformed_ballots_convict_nobody(convicted: Defendant) -> None:
    good, bad = ballot(convicted, b"\x07"), ballot(convicted, b"\x03")
    bad["signature"] = bad["signature"][:64]
    for pair in ((good, bad), (bad, good)):
        with pytest.raises(Refused, match="BadSignature"):
            refute_survivors(convicted, *pair)
