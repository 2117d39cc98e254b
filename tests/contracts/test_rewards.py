"""Rewards and the remainder: who is paid what, under which proposal, and how often."""

from __future__ import annotations

from dataclasses import astuple, replace

import pytest

from foedus.contracts import calls
from foedus.contracts.bindings import checksum
from foedus.contracts.calls import Call
from foedus.contracts.refusals import (
    BadProof,
    NotFinal,
    NothingToClaim,
    NotLast,
    NotStanding,
    RemainderTaken,
    TransferFailed,
    WrongPhase,
)
from foedus.protocol.claims import genesis
from foedus.protocol.events import EndReason, Phase, RemainderReturned, RewardClaimed
from foedus.protocol.ids import Address, Wei
from tests.contracts.actors import BASE, OPTIMISTIC, PARAMS, Stage, World, digest
from tests.contracts.chain import ETHER
from tests.contracts.endgame import finish
from tests.contracts.payees import PAYEES, Owed, under


def test_claims_need_a_proof_under_a_final_root(opened: Stage) -> None:
    owed = Owed.to_members(opened, 100)
    opened.play_round(range(5), **owed.changes)
    account, amount = owed.rows[2]
    made, later = under(opened, 1)
    root = made.claim.aggregate.payout_root
    honest = (Address(account), Wei(amount), 2, owed.proof(2))
    for cheat in (
        (Address(account), Wei(amount + 1), 2, owed.proof(2)),
        (Address(opened.members[0].address), Wei(amount), 2, owed.proof(2)),
        (Address(account), Wei(amount), 1, owed.proof(2)),
        (Address(account), Wei(amount), 2 + PAYEES, owed.proof(2)),
        (Address(account), Wei(amount), 2, owed.proof(2)[:-1]),
        (Address(account), Wei(amount), 2, (*owed.proof(2), digest("more"))),
        (Address(account), Wei(amount), 2, owed.proof(3)),
    ):
        with pytest.raises(BadProof) as refusal:
            opened.act(calls.claim(opened.task, *cheat, made.before, made.claim, later))
        assert (refusal.value.account, refusal.value.payout_root) == (cheat[0], root)
    paid = opened.act(calls.claim(opened.task, *honest, made.before, made.claim, later), opened.sponsor)
    assert paid.events == (RewardClaimed(Address(account), 2, Wei(amount), Wei(amount)),)
    with pytest.raises(NothingToClaim) as twice:
        opened.act(calls.claim(opened.task, *honest, made.before, made.claim, later))
    assert (twice.value.account, twice.value.claimed) == (account, amount)


def test_what_is_proposed_is_not_yet_owed(frozen: Stage) -> None:
    """FAST: before the quorum the proposal does not stand."""
    owed = Owed.to_members(frozen, 100)
    frozen.propose(frozen.aggregate(**owed.changes))
    with pytest.raises(NotStanding) as refusal:
        frozen.act(owed.claim(frozen, 1))
    assert (refusal.value.have, refusal.value.need) == (frozen.proposals[0].name, genesis(BASE))
    frozen.finalize()
    frozen.act(owed.claim(frozen, 1))


def test_an_older_proposal_pays_what_it_said_and_no_more(opened: Stage) -> None:
    """Whoever kept an old proof is paid by it, with the digests of the claims since; the newer one pays the rest."""
    old, new = Owed.to_members(opened, 100), Owed.to_members(opened, 250)
    opened.play_round(range(5), **old.changes)
    opened.play_round(range(5), **new.changes)
    account, amount = old.rows[3]
    first = opened.act(old.claim(opened, 3, round=1))
    assert first.events == (RewardClaimed(Address(account), 3, Wei(amount), Wei(amount)),)
    rest = opened.act(new.claim(opened, 3))
    assert rest.events == (RewardClaimed(Address(account), 3, Wei(150), Wei(amount + 150)),)
    with pytest.raises(NothingToClaim):
        opened.act(old.claim(opened, 3, round=1))


def test_only_claims_in_the_tasks_chain_count(opened: Stage) -> None:
    owed = Owed.to_members(opened, 100)
    opened.play_round(range(5), **owed.changes)
    made, _ = under(opened, 1)
    account, amount = owed.rows[1]
    place = (Address(account), Wei(amount), 1, owed.proof(1))
    richer = Owed.to_members(opened, 10**17)
    forged = replace(made.claim, aggregate=replace(made.claim.aggregate, **richer.changes))
    rich = (Address(account), Wei(10**17), 1, richer.proof(1))
    for proof, before, claim, later in (
        (rich, made.before, forged, []),
        (place, made.name, made.claim, []),
        (place, made.before, made.claim, [digest("later")]),
        (place, made.before, replace(made.claim, rank=made.claim.rank + 1), []),
    ):
        with pytest.raises(NotStanding):
            opened.act(calls.claim(opened.task, *proof, before, claim, later))


def test_payees_without_a_seat_are_paid_too(opened: Stage) -> None:
    """A participant that left, one that was convicted, and the treasury, which is payee 0."""
    owed = Owed({**Owed.to_members(opened, 100).rows, 0: (opened.world.deployment.parameters["treasury"], 9)})  # type: ignore[dict-item]
    opened.play_round(range(5), **owed.changes)
    opened.leave(4)
    opened.convict_member(3)
    for payee in (5, 4, 0):
        account, amount = owed.rows[payee]
        before = opened.world.balance(Address(account))
        opened.act(owed.claim(opened, payee), opened.sponsor)
        assert opened.world.balance(Address(account)) - before == amount


def test_the_remainder_is_the_sponsors_once_whoever_asks(world: World) -> None:
    stage = world.create(world.accounts[:5], replace(PARAMS, rounds=2))
    stage.join(0, 1, 2, 3, 4)
    stage.draw()
    owed = Owed.to_members(stage, 1000)
    stage.play_round(range(5))
    first = stage.proposals[0]
    with pytest.raises(WrongPhase) as early:
        stage.act(calls.withdraw_remainder(stage.task, first.before, first.claim), stage.sponsor)
    assert (early.value.have, early.value.need) == (Phase.COMMIT, Phase.ENDED)
    stage.play_round(range(5), **owed.changes)
    last = stage.proposals[1]
    take = calls.withdraw_remainder(stage.task, last.before, last.claim)
    with pytest.raises(NotStanding):
        stage.act(calls.withdraw_remainder(stage.task, first.before, first.claim))
    with pytest.raises(NotLast) as older:
        stage.act(_remainder_under_an_older_claim(stage))
    assert older.value.round == 1
    total = sum(amount for _, amount in owed.rows.values())
    returned = stage.act(take, stage.members[0])
    assert returned.events == (RemainderReturned(Address(stage.sponsor.address), Wei(ETHER - total)),)
    assert world.balance(stage.task) == total
    with pytest.raises(RemainderTaken):
        stage.act(take, stage.sponsor)
    for payee in owed.rows:
        stage.act(owed.claim(stage, payee))
    assert world.balance(stage.task) == 0


def _remainder_under_an_older_claim(stage: Stage) -> Call:
    made, later = under(stage, 1)
    return stage.call("withdrawRemainder", made.before, astuple(made.claim), later)


def test_a_task_that_proposed_nothing_returns_its_whole_pool(stage: Stage) -> None:
    stage.join(0)
    stage.expire()
    assert stage.phase is Phase.ENDED
    other = stage.world.create(stage.world.accounts[:5])
    other.join(0, 1, 2, 3, 4)
    other.draw()
    other.play_round(range(5))
    returned = stage.act(calls.withdraw_remainder(stage.task, digest("any"), other.proposals[0].claim))
    assert returned.events == (RemainderReturned(Address(stage.sponsor.address), ETHER),)
    assert stage.world.balance(stage.task) == 0


def test_the_remainder_waits_until_the_last_proposal_is_final(world: World) -> None:
    """OPTIMISTIC: a task may end while proposals still await their windows."""
    stage = world.create(world.accounts[:5], OPTIMISTIC)
    stage.join(0, 1, 2, 3, 4)
    stage.draw()
    stage.play_round(range(5), payout_total=Wei(3))
    stage.play_to_freeze(range(5))
    stage.expire()
    last = stage.proposals[0]
    take = calls.withdraw_remainder(stage.task, last.before, last.claim)
    with pytest.raises(NotFinal) as refusal:
        stage.act(take)
    assert (refusal.value.round, refusal.value.final_rounds) == (1, 0)
    stage.settle(1)
    assert stage.act(take).event(RemainderReturned).amount == ETHER - 3


def test_a_receiver_that_refuses_keeps_its_claim(opened: Stage, harness: dict[str, bytes]) -> None:
    world = opened.world
    made = world.create_contract(harness["Refuser"]).created
    assert made is not None
    refuser = checksum(made)
    owed = Owed({9: (refuser, 100), 1: (opened.members[0].address, 1)})
    opened.play_round(range(5), **owed.changes)
    with pytest.raises(TransferFailed) as refusal:
        opened.act(owed.claim(opened, 9))
    assert (refusal.value.account, refusal.value.amount) == (refuser, 100)
    assert opened.view("claimed", 9) == 0
    opened.act(owed.claim(opened, 1))


def test_nobody_is_paid_from_more_than_the_task_holds(world: World) -> None:
    """A payout root that promises more than its total is a fault that a proof shows; no other task's money pays it."""
    stage = world.create(world.accounts[:5], replace(PARAMS, rounds=1), pool=Wei(1000))
    stage.join(0, 1, 2, 3, 4)
    owed = Owed.to_members(stage, 600)
    ended = finish(stage, **{**owed.changes, "payout_total": Wei(1000)})
    assert ended.reason is EndReason.COMPLETED
    stage.act(owed.claim(stage, 1))
    with pytest.raises(TransferFailed) as refusal:
        stage.act(owed.claim(stage, 2))
    assert refusal.value.amount == 601
