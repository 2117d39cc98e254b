"""Stakes and bonds: locked once, released by time alone, and never out of reach of a conviction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from eth_abi.abi import decode as abi_decode
from eth_utils.crypto import keccak

from foedus.contracts import calls
from foedus.contracts.bindings import encode
from foedus.contracts.calls import Call
from foedus.contracts.refusals import NotATask, NothingAtStake, NothingToCollect, StakeIsThawing, StakeTooLow
from foedus.protocol.events import AggregateProposed, BondPosted, Fault, ParticipantSlashed, Phase, StakeCollected
from foedus.protocol.ids import Address, Wei
from tests.contracts.actors import BOND, PARAMS, STAKE, Stage, World
from tests.contracts.chain import ETHER, TREASURY, Mined


def collect(stage: Stage, member: int) -> Mined:
    """Anybody collects a member's stake: here the sponsor."""
    return stage.act(calls.collect_stake(stage.task, Address(stage.members[member].address)), stage.sponsor)


def vault_events(mined: Mined) -> list[tuple[str, tuple[Any, ...]]]:
    """The vault's own events: name, and the words that are not indexed."""
    shapes = {
        "StakeLocked(address,address,uint256)": ["uint256"],
        "StakeReleased(address,address,uint256)": ["uint256"],
        "StakeSlashed(address,address,uint256,address,uint256)": ["uint256", "uint256"],
    }
    known = {"0x" + keccak(text=shape).hex(): (shape.split("(")[0], types) for shape, types in shapes.items()}
    found = ((*known[log["topics"][0]], log) for log in mined.logs if log["topics"][0] in known)
    return [(name, abi_decode(types, bytes.fromhex(log["data"][2:]))) for name, types, log in found]


def total(world: World, accounts: Iterable[str]) -> int:
    return sum(sum(world.stake_of(account)) for account in accounts)


def test_joining_locks_the_stake(stage: Stage) -> None:
    free, locked = stage.stakes(0)
    assert vault_events(stage.join(0)[0]) == [("StakeLocked", (STAKE,))]
    assert stage.stakes(0) == (free - STAKE, locked + STAKE)


def test_the_stake_must_be_deposited_first(world: World) -> None:
    stage = world.create(world.accounts[:5], replace(PARAMS, stake=Wei(ETHER * 100)))
    free, _ = stage.stakes(0)
    with pytest.raises(StakeTooLow) as refusal:
        stage.join(0)
    assert (refusal.value.have, refusal.value.need) == (free, ETHER * 100)
    assert "foedus stake deposit" in str(refusal.value)
    assert stage.slot["waiting"] == 0


def test_a_stake_thaws_before_it_is_collected(stage: Stage) -> None:
    with pytest.raises(NothingToCollect):
        collect(stage, 0)
    stage.join(0)
    with pytest.raises(NothingToCollect) as nothing:
        collect(stage, 0)
    assert nothing.value.account == stage.members[0].address
    free, locked = stage.stakes(0)
    stage.leave(0)
    thaw_at = stage.world.now + PARAMS.unbond_seconds
    assert stage.stakes(0) == (free, locked), "leaving releases nothing"
    stage.world.advance(PARAMS.unbond_seconds - 10)
    with pytest.raises(StakeIsThawing) as refusal:
        collect(stage, 0)
    assert (refusal.value.account, refusal.value.thaw_at) == (stage.members[0].address, thaw_at)
    stage.world.advance(10)
    collected = collect(stage, 0)
    assert collected.events == (StakeCollected(Address(stage.members[0].address), STAKE),)
    assert vault_events(collected) == [("StakeReleased", (STAKE,))]
    assert stage.stakes(0) == (free + STAKE, locked - STAKE)
    with pytest.raises(NothingToCollect):
        collect(stage, 0)


def test_an_ended_task_gives_every_stake_back(stage: Stage) -> None:
    before = [stage.stakes(member) for member in range(2)]
    stage.join(0, 1)
    stage.expire()
    assert stage.phase is Phase.ENDED
    for member in range(2):
        stage.leave(member)
    stage.world.advance(PARAMS.unbond_seconds)
    for member in range(2):
        collect(stage, member)
    assert [stage.stakes(member) for member in range(2)] == before


def test_who_joins_again_while_its_stake_thaws_locks_no_second_one(stage: Stage) -> None:
    stage.join(0)
    kept = stage.stakes(0)
    stage.leave(0)
    assert vault_events(stage.join(0)[0]) == []
    assert stage.stakes(0) == kept
    stage.world.advance(PARAMS.unbond_seconds)
    with pytest.raises(NothingToCollect):
        collect(stage, 0)
    stage.leave(0)
    with pytest.raises(StakeIsThawing):
        collect(stage, 0)
    stage.world.advance(PARAMS.unbond_seconds)
    collect(stage, 0)
    stage.join(0)
    assert stage.stakes(0) == kept, "a stake that was collected is locked anew"


def test_a_bond_is_locked_at_the_first_proposal_and_released_with_the_stake(frozen: Stage) -> None:
    first = frozen.ranking()[0]
    free, locked = frozen.stakes(first)
    proposed = frozen.propose(member=first)
    assert proposed.event(BondPosted) == BondPosted(Address(frozen.members[first].address), BOND)
    assert vault_events(proposed) == [("StakeLocked", (BOND,))]
    assert frozen.stakes(first) == (free - BOND, locked + BOND)
    assert frozen.participant(first)["bonded"]
    frozen.world.advance(PARAMS.attest_seconds)
    frozen.drop()
    again = frozen.propose(member=first)
    assert "BondPosted" not in again.kinds
    assert vault_events(again) == []
    frozen.finalize()
    frozen.leave(first)
    assert frozen.participant(first)["bonded"], "a bond thaws with the stake"
    frozen.world.advance(PARAMS.unbond_seconds)
    assert collect(frozen, first).events[0] == StakeCollected(Address(frozen.members[first].address), STAKE + BOND)
    assert frozen.stakes(first) == (free + STAKE, locked - STAKE)
    assert not frozen.participant(first)["bonded"]


def test_a_bond_must_be_free_and_a_bond_of_nothing_is_none(world: World) -> None:
    poor, careless = (world.create(world.accounts[:5], replace(PARAMS, bond=bond)) for bond in (ETHER * 100, Wei(0)))
    for stage in (poor, careless):
        stage.join(0, 1, 2, 3, 4)
        stage.draw()
        stage.play_to_freeze(range(5))
    with pytest.raises(StakeTooLow) as refusal:
        poor.propose()
    assert refusal.value.need == ETHER * 100
    assert poor.phase is Phase.AGGREGATE, "the next rank's turn comes"
    assert careless.propose().kinds == ["AggregateProposed"]


def test_a_stake_of_nothing_is_possible(world: World) -> None:
    stage = world.create(world.accounts[:5], replace(PARAMS, stake=Wei(0)))
    before = stage.stakes(0)
    stage.join(0)
    assert stage.stakes(0) == before
    stage.leave(0)
    world.advance(PARAMS.unbond_seconds)
    assert collect(stage, 0).events == (StakeCollected(Address(stage.members[0].address), Wei(0)),)


def test_an_exit_cannot_outrun_a_slash(frozen: Stage) -> None:
    """Who leaves right after its deed loses all until the stake has thawed, whoever asks for it."""
    proposed = frozen.propose().event(AggregateProposed)
    author = frozen.member_of(proposed.aggregator)
    frozen.finalize()
    frozen.leave(author)
    free, locked = frozen.stakes(author)
    frozen.world.advance(PARAMS.unbond_seconds - 20)
    with pytest.raises(StakeIsThawing):
        collect(frozen, author)
    accuser = (author + 1) % 5
    reward = frozen.stakes(accuser)
    slashed = frozen.convict(1, challenger=accuser)
    amount = STAKE + BOND
    share = amount * PARAMS.challenger_share // 10_000
    account, challenger = (Address(frozen.members[m].address) for m in (author, accuser))
    assert slashed.events == (ParticipantSlashed(account, 0, False, Fault.WRONG_AGGREGATE, amount, challenger, share),)
    assert vault_events(slashed) == [("StakeSlashed", (amount, share))]
    assert frozen.stakes(author) == (free, locked - amount)
    assert frozen.stakes(accuser) == (reward[0] + share, reward[1])
    frozen.world.advance(20)
    with pytest.raises(NothingToCollect):
        collect(frozen, author)


def test_what_was_collected_is_out_of_reach(stage: Stage) -> None:
    stage.join(0, 1)
    stage.leave(0)
    stage.world.advance(PARAMS.unbond_seconds)
    collect(stage, 0)
    with pytest.raises(NothingAtStake) as refusal:
        stage.convict_member(0, challenger=1)
    assert refusal.value.account == stage.members[0].address


def test_the_vault_neither_makes_nor_loses_a_wei(world: World) -> None:
    """Through joins, bonds, slashes, thaws and withdrawals the accounts' stakes and the treasury's add up to what was
    paid in, and the vault holds exactly that, beside what is others'."""
    everyone = [*(account.address for account in world.accounts), TREASURY]
    vault = world.deployment.vault
    start = total(world, everyone)
    others = world.balance(vault) - start
    stage = world.create(world.accounts[:5])
    stage.join(0, 1, 2, 3, 4)
    stage.draw()
    stage.play_round(range(5))
    stage.convict(1, challenger=0)
    survivors = [m for m in range(5) if stage.participant(m)["enrolled"]]
    stage.convict_member(survivors[0], challenger=survivors[1])
    stage.leave(survivors[2])
    assert total(world, everyone) == start == world.balance(vault) - others
    world.advance(PARAMS.unbond_seconds)
    collect(stage, survivors[2])
    free, _ = stage.stakes(survivors[2])
    world.send(calls.withdraw(world.deployment, Wei(free)), stage.members[survivors[2]])
    assert total(world, everyone) == start - free == world.balance(vault) - others
    world.deposit([stage.members[survivors[2]]])


def test_stakes_are_deposited_and_withdrawn(world: World) -> None:
    saver, friend = world.accounts[20], world.accounts[21]
    free, locked = world.stake_of(friend.address)
    world.send(calls.deposit_for(world.deployment, Address(friend.address), Wei(5)), saver)
    assert world.stake_of(friend.address) == (free + 5, locked)
    world.send(calls.withdraw(world.deployment, Wei(free + 5)), friend)
    assert world.stake_of(friend.address) == (0, locked)
    with pytest.raises(StakeTooLow):
        world.send(calls.withdraw(world.deployment, Wei(1)), friend)
    world.deposit([friend])


def test_a_locked_stake_stays(stage: Stage) -> None:
    stage.join(0)
    free, _ = stage.stakes(0)
    with pytest.raises(StakeTooLow) as refusal:
        stage.world.send(calls.withdraw(stage.world.deployment, Wei(free + 1)), stage.members[0])
    assert (refusal.value.have, refusal.value.need) == (free, free + 1)


@pytest.mark.parametrize("function", ["lock", "release", "slash"])
def test_only_tasks_move_stakes(world: World, function: str) -> None:
    thief = world.accounts[20]
    more = (thief.address, 1) if function == "slash" else ()
    data = encode("StakeVault", function, (thief.address, 1, *more))
    for caller in (world.deployment.vault, world.implementation):
        assert not world.view("TaskFactory", world.deployment.factory, "isTask", caller)
    with pytest.raises(NotATask) as refusal:
        world.send(Call(world.deployment.vault, data, Wei(0), function), thief)
    assert refusal.value.caller == thief.address
