"""Joins and commits that participants sign and anybody sends: what they need, and where they are worth nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from foedus.contracts.refusals import (
    AlreadyCommitted,
    AlreadyJoined,
    CommitIsClosed,
    NotAdmitted,
    NotEligible,
    SignatureExpired,
    SignaturesMismatch,
    StakeTooLow,
    StaleGeneration,
    WrongNonce,
    WrongPhase,
    WrongSigner,
)
from foedus.contracts.signatures import SigningDomain
from foedus.protocol.events import CommitClosed, EndReason, ParticipantJoined, Phase, UpdateCommitted
from foedus.protocol.ids import Wei
from tests.contracts.actors import OPTIMISTIC, PARAMS, STAKE, Stage, World, digest
from tests.contracts.chain import ETHER
from tests.contracts.endgame import finish
from tests.contracts.wallets import Batch, Joining

MANY = replace(PARAMS, min_participants=3, max_participants=60, commit_seconds=50_000)


def test_anybody_sends_a_join_that_its_participant_signed(stage: Stage) -> None:
    free, locked = stage.stakes(0)
    joined = stage.act(Joining.of(stage, 0).call(stage), stage.sponsor).event(ParticipantJoined)
    assert (joined.participant, joined.position, joined.payee) == (stage.members[0].address, 0, 1)
    assert stage.stakes(0) == (free - STAKE, locked + STAKE), "the participant's own stake"


def test_a_signed_join_needs_what_a_join_needs(world: World) -> None:
    closed = world.create(world.accounts[:5], replace(PARAMS, open=False))
    with pytest.raises(NotAdmitted):
        closed.act(Joining.of(closed, 0).call(closed))
    dear = world.create(world.accounts[:5], replace(PARAMS, stake=Wei(ETHER * 100)))
    with pytest.raises(StakeTooLow):
        dear.act(Joining.of(dear, 0).call(dear))
    stage = world.create(world.accounts[:5])
    stage.join(0)
    with pytest.raises(AlreadyJoined):
        stage.act(Joining.of(stage, 0).call(stage))


def test_a_join_signed_by_another_or_for_other_words_is_refused(stage: Stage) -> None:
    with pytest.raises(WrongSigner) as refusal:
        stage.act(Joining.of(stage, 0, signer=1).call(stage))
    assert (refusal.value.recovered, refusal.value.need) == (stage.members[1].address, stage.members[0].address)
    for joining in (
        Joining.of(stage, 0, consent=digest("other terms")),
        replace(Joining.of(stage, 0), keys=(digest("mask"), digest("box"))),
        replace(Joining.of(stage, 0), deadline=stage.world.now + 5000),
        replace(Joining.of(stage, 0), signature=bytes(65)),
        replace(Joining.of(stage, 0), signature=b""),
    ):
        with pytest.raises(WrongSigner):
            stage.act(joining.call(stage))


def test_a_signed_join_expires_and_counts_once(stage: Stage) -> None:
    late = Joining.of(stage, 0, deadline=stage.world.now - 1)
    with pytest.raises(SignatureExpired) as refusal:
        stage.act(late.call(stage))
    assert refusal.value.deadline == late.deadline
    signed = Joining.of(stage, 0)
    stage.act(signed.call(stage))
    stage.leave(0)
    with pytest.raises(WrongNonce) as replayed:
        stage.act(signed.call(stage))
    assert (replayed.value.have, replayed.value.need) == (0, 1)
    with pytest.raises(WrongNonce):
        stage.act(Joining.of(stage, 0, nonce=2).call(stage))
    stage.act(Joining.of(stage, 0).call(stage))


def test_a_signature_replayed_on_another_chain_task_or_round(world: World) -> None:
    """Neither a join nor a commit counts anywhere but where it was signed for."""
    one, other = (world.create(world.accounts[:5]) for _ in range(2))
    chain, task = SigningDomain(world.chain_id + 1, one.task), SigningDomain(world.chain_id, other.task)
    for domain in (chain, task):
        with pytest.raises(WrongSigner):
            one.act(Joining.of(one, 0, domain=domain).call(one))
    one.join(0, 1, 2, 3, 4)
    one.draw()
    for domain in (chain, task):
        with pytest.raises(NotEligible):
            one.act(Batch.of(one, 0, domain=domain).call(one))
    for place in ((2, 1, 1), (1, 2, 1), (1, 1, 2)):
        with pytest.raises(NotEligible):
            one.act(Batch.of(one, 0, place=place).call(one))
    signed = Batch.of(one, 0)
    one.act(signed.call(one))
    with pytest.raises(AlreadyCommitted):
        one.act(signed.call(one))
    one.commit(1, 2, 3, 4)
    withheld = Batch.of(one, 0)
    one.freeze(range(5))
    one.propose()
    one.finalize()
    assert (one.phase, one.slot["round"]) == (Phase.COMMIT, 2)
    for old in (signed, withheld):
        with pytest.raises(NotEligible):
            one.act(old.call(one))


def test_a_signature_withheld_in_a_round_that_was_brought_back_is_worthless_in_it(world: World) -> None:
    """The round and the attempt come again, the opening does not."""
    stage = world.create(world.accounts[:5], OPTIMISTIC)
    stage.join(0, 1, 2, 3, 4)
    stage.draw()
    stage.play_round(range(5))
    author = stage.member_of(stage.proposals[0].claim.aggregator)
    censored = next(m for m in range(5) if m != author)
    withheld = Batch.of(stage, censored, deadline=stage.world.now + 100_000)
    stage.convict(1, challenger=censored)
    stage.propose()
    stage.advertise(*(m for m in range(5) if m != author))
    stage.draw()
    assert (stage.slot["round"], stage.slot["attempt"], stage.slot["opening"]) == (2, 1, 3)
    assert stage.generation(censored) == 1, "the generation alone would let it pass"
    with pytest.raises(NotEligible):
        stage.act(withheld.call(stage))
    assert finish(stage).reason is EndReason.COMPLETED


@pytest.mark.parametrize("size", [1, 2, 50])
def test_a_relayer_sends_the_commits_of_many_at_once(world: World, size: int) -> None:
    members = world.accounts[: max(size, 3)]
    stage = world.create(members, replace(MANY, max_participants=len(members)))
    stage.join(*range(len(members)))
    stage.draw()
    mined = stage.act(Batch.of(stage, *range(size)).call(stage), stage.sponsor)
    commits = [event for event in mined.events if isinstance(event, UpdateCommitted)]
    assert [event.participant for event in commits] == [member.address for member in members[:size]]
    assert [event.update_root for event in commits] == [digest("update", 1, 1, m) for m in range(size)]
    assert {event.generation for event in commits} == {1}
    if size == len(members):
        assert mined.events[-1] == CommitClosed(1, 1, size, world.now + PARAMS.freeze_seconds)
    else:
        assert (stage.slot["committed"], stage.slot["ready"]) == (size, size)
        stage.commit(*range(size, len(members)))
    assert stage.phase is Phase.FREEZE


def test_a_batch_goes_in_whole_or_not_at_all(opened: Stage) -> None:
    good = Batch.of(opened, 0, 1, 2)
    forged = bytearray(good.signatures)
    forged[70] ^= 1
    opened.commit(3)
    for batch, refusal in (
        (replace(good, signatures=bytes(forged)), (NotEligible, WrongSigner)),  # another's, or nobody's
        (replace(good, signatures=good.signatures[:130] + bytes(65)), WrongSigner),
        (replace(good, signatures=good.signatures[:130]), SignaturesMismatch),
        (replace(good, signatures=good.signatures + bytes(65)), SignaturesMismatch),
        (replace(good, words=good.words[::-1]), NotEligible),
        (Batch.of(opened, 0, 1, 3), AlreadyCommitted),
        (Batch.of(opened, 0, 1, 1), AlreadyCommitted),
        (replace(good, deadline=opened.world.now - 1), SignatureExpired),
    ):
        with pytest.raises(refusal):
            opened.act(batch.call(opened))
        assert (opened.slot["committed"], opened.generation(0)) == (1, 0)
    with pytest.raises(SignaturesMismatch) as length:
        opened.act(replace(good, signatures=b"").call(opened))
    assert (length.value.signers, length.value.length) == (3, 0)
    opened.act(good.call(opened))
    assert opened.slot["committed"] == 4


def test_a_signed_commit_needs_its_generation_and_its_time(opened: Stage) -> None:
    with pytest.raises(StaleGeneration) as refusal:
        opened.act(Batch.of(opened, 0, generation=2).call(opened))
    assert (refusal.value.have, refusal.value.need) == (2, 1)
    with pytest.raises(NotEligible):
        opened.act(replace(Batch.of(opened, 0), words=(opened.commit_words(0, generation=2),)).call(opened))
    opened.play_round(range(5))
    opened.commit(0)
    stale = Batch.of(opened, 1)
    opened.expire()
    with pytest.raises(WrongPhase):
        opened.act(stale.call(opened))


def test_a_batch_after_the_deadline_is_refused(opened: Stage) -> None:
    batch = Batch.of(opened, 0, 1, deadline=opened.world.now + 10_000)
    opened.world.advance(PARAMS.commit_seconds)
    with pytest.raises(CommitIsClosed):
        opened.act(batch.call(opened))


def test_an_empty_batch_commits_nothing(opened: Stage) -> None:
    assert opened.act(Batch.of(opened).call(opened)).events == ()
    assert opened.slot["committed"] == 0


def test_a_participant_censored_by_its_relayer_commits_by_itself(opened: Stage) -> None:
    """Whose commit is missing from the batch sends it itself; where it does not, the round does not wait."""
    signed = Batch.of(opened, 0, 1, 2, 3, 4)
    partial = Batch(signed.words[:3], signed.deadline, signed.signatures[: 3 * 65])
    opened.act(partial.call(opened), opened.sponsor)
    opened.commit(3)
    spent = Batch((signed.words[3],), signed.deadline, signed.signatures[3 * 65 : 4 * 65])
    with pytest.raises(AlreadyCommitted):
        opened.act(spent.call(opened), opened.sponsor)
    closed = opened.expire().event(CommitClosed)
    assert closed.committed == 4
    opened.freeze(range(4))
    opened.propose()
    opened.finalize()
    assert opened.slot["round"] == 2
