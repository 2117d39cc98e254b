"""The vault, the rewards, the remainder, the factory and the registry: what they hold, pay and refuse."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from foedus.contracts import calls
from foedus.contracts.bindings import checksum, decode_node, encode
from foedus.contracts.calls import Call
from foedus.contracts.refusals import (
    AddressesTooLong,
    BadProof,
    NotATask,
    NotFactory,
    NothingToClaim,
    NotSponsor,
    ParamOutOfRange,
    PeerIdOutOfRange,
    RemainderTaken,
    StakeTooLow,
    TaskIsOver,
    TooManyAddresses,
    TransferFailed,
    WrongPhase,
)
from foedus.protocol import merkle
from foedus.protocol.events import NodeAnnounced, Phase, RemainderReturned
from foedus.protocol.ids import Address, PeerId, Wei
from foedus.protocol.terms import Params
from tests.contracts.actors import BASE, PARAMS, TERMS, Stage, World
from tests.contracts.chain import ETHER


def stake(world: World, account: str) -> tuple[int, int]:
    free, locked = world.view("StakeVault", world.deployment.vault, "stakeOf", account)
    return free, locked


def payouts(rows: list[tuple[Address, Wei]]) -> tuple[list[bytes], dict[str, Any]]:
    hashes = [merkle.leaf_hash(bytes.fromhex(a[2:]) + amount.to_bytes(32, "big")) for a, amount in rows]
    total = Wei(sum(amount for _, amount in rows))
    return hashes, {"payout_root": merkle.root_of_hashes(hashes), "payout_total": total}


def test_stakes_are_deposited_and_withdrawn(world: World) -> None:
    saver, friend = world.accounts[20], world.accounts[21]
    free, locked = stake(world, friend.address)
    world.send(calls.deposit_for(world.deployment, Address(friend.address), Wei(5)), saver)
    assert stake(world, friend.address) == (free + 5, locked)
    world.send(calls.withdraw(world.deployment, Wei(free + 5)), friend)
    assert stake(world, friend.address) == (0, locked)
    with pytest.raises(StakeTooLow):
        world.send(calls.withdraw(world.deployment, Wei(1)), friend)
    world.deposit([friend])


def test_a_locked_stake_stays(stage: Stage) -> None:
    stage.join(0)
    free, _ = stake(stage.world, stage.members[0].address)
    with pytest.raises(StakeTooLow) as refusal:
        stage.world.send(calls.withdraw(stage.world.deployment, Wei(free + 1)), stage.members[0])
    assert (refusal.value.have, refusal.value.need) == (free, free + 1)


@pytest.mark.parametrize("function", ["lock", "release"])
def test_only_tasks_lock_and_release(world: World, function: str) -> None:
    thief = world.accounts[20]
    data = encode("StakeVault", function, (thief.address, 1))
    with pytest.raises(NotATask):
        world.send(Call(world.deployment.vault, data, Wei(0), function), thief)


def test_claims_need_a_proof_under_the_final_root(opened: Stage) -> None:
    rows = [(Address(member.address), Wei(100)) for member in opened.members]
    hashes, changes = payouts(rows)
    account = rows[0][0]
    honest = calls.claim(opened.task, account, Wei(100), 0, 5, merkle.prove(hashes, 0))
    with pytest.raises(BadProof):
        opened.act(honest)
    opened.play_round(range(5), **changes)
    for amount, index, count in ((101, 0, 5), (100, 1, 5), (100, 0, 6)):
        call = calls.claim(opened.task, account, Wei(amount), index, count, merkle.prove(hashes, 0))
        with pytest.raises(BadProof):
            opened.act(call)
    opened.act(honest)
    with pytest.raises(NothingToClaim) as refusal:
        opened.act(honest)
    assert refusal.value.claimed == 100


def test_a_proposed_payout_is_not_yet_owed(frozen: Stage) -> None:
    rows = [(Address(member.address), Wei(100)) for member in frozen.members]
    hashes, changes = payouts(rows)
    frozen.propose(frozen.survivors(range(5)), frozen.aggregate(**changes))
    with pytest.raises(BadProof):
        frozen.act(calls.claim(frozen.task, rows[0][0], Wei(100), 0, 5, merkle.prove(hashes, 0)))


def test_the_remainder_is_the_sponsors_once(world: World) -> None:
    stage = world.create(world.accounts[:5], replace(PARAMS, rounds=1))
    stage.join(0, 1, 2, 3, 4)
    stage.draw()
    rows = [(Address(member.address), Wei(1000)) for member in stage.members]
    hashes, changes = payouts(rows)
    take = calls.withdraw_remainder(stage.task)
    with pytest.raises(WrongPhase) as early:
        stage.act(take, stage.sponsor)
    assert early.value.need is Phase.ENDED
    stage.play_round(range(5), **changes)
    with pytest.raises(NotSponsor):
        stage.act(take, stage.members[0])
    returned = stage.act(take, stage.sponsor).event(RemainderReturned)
    assert returned == RemainderReturned(stage.sponsor.address, Wei(ETHER - 5000))
    assert world.balance(stage.task) == 5000
    with pytest.raises(RemainderTaken):
        stage.act(take, stage.sponsor)
    for index, (account, amount) in enumerate(rows):
        stage.act(calls.claim(stage.task, account, amount, index, 5, merkle.prove(hashes, index)))
    assert world.balance(stage.task) == 0


def test_a_receiver_that_refuses_keeps_its_claim(opened: Stage, harness: dict[str, str]) -> None:
    world = opened.world
    request = {"from": world.accounts[0].address, "data": harness["Refuser"]}
    refuser = checksum(world.receipt(world.rpc("eth_sendTransaction", request))["contractAddress"])
    hashes, changes = payouts([(refuser, Wei(100)), (Address(opened.members[0].address), Wei(1))])
    opened.play_round(range(5), **changes)
    with pytest.raises(TransferFailed) as refusal:
        opened.act(calls.claim(opened.task, refuser, Wei(100), 0, 2, merkle.prove(hashes, 0)))
    assert (refusal.value.account, refusal.value.amount) == (refuser, 100)
    assert opened.view("claimed", refuser) == 0


WRONG_PARAMS = [
    ("rounds", 0),
    ("rounds", 65_536),
    ("min_participants", 1),
    ("min_participants", 6),
    ("max_participants", 1025),
    ("max_participants", 1),
    ("min_survivors", 1),
    ("min_survivors", 6),
    ("epoch_rounds", 0),
    ("max_attempts", 0),
    *((item.name, value) for item in fields(Params) if item.name.endswith("_seconds") for value in (0, 2**30 + 1)),
]


@pytest.mark.parametrize(("name", "value"), WRONG_PARAMS)
def test_parameters_out_of_range_create_nothing(world: World, name: str, value: int) -> None:
    params = replace(PARAMS, **{name: value})
    with pytest.raises(ParamOutOfRange) as refusal:
        world.send(calls.create_task(world.deployment, TERMS, BASE, params, Wei(0)), world.accounts[0])
    words = name.split("_")
    assert refusal.value.name == words[0] + "".join(word.title() for word in words[1:])
    assert refusal.value.value == value


def test_a_clone_carries_its_settings_and_starts_once(world: World) -> None:
    largest = Params(65_535, 1023, 1024, 1022, 65_534, 65_533, *(2**30 - n for n in range(6)), Wei(2**96 - 1))
    stage = world.create((), largest, pool=Wei(12345))
    terms, base, sponsor, pool, params = stage.view("settings")
    assert (terms, base, sponsor, pool) == (TERMS, BASE, stage.sponsor.address, 12345)
    assert Params(*params) == largest
    assert world.view("TaskFactory", world.deployment.factory, "isTask", stage.task)
    with pytest.raises(NotFactory):
        world.send(Call(stage.task, encode("Task", "start"), Wei(0), "start"), stage.sponsor)


def test_the_implementation_itself_is_no_task(world: World) -> None:
    implementation = world.view("TaskFactory", world.deployment.factory, "IMPLEMENTATION")
    assert not world.view("TaskFactory", world.deployment.factory, "isTask", implementation)
    with pytest.raises(TaskIsOver):
        world.send(calls.poke(implementation), world.accounts[0])
    with pytest.raises(TaskIsOver):
        world.send(calls.join(implementation, TERMS, TERMS, TERMS), world.accounts[0])  # type: ignore[arg-type]


def test_contracts_know_each_other(world: World) -> None:
    book = world.deployment
    implementation = world.view("TaskFactory", book.factory, "IMPLEMENTATION")
    assert world.view("StakeVault", book.vault, "TASKS") == book.factory
    assert world.view("Task", implementation, "VAULT") == book.vault
    assert world.view("Task", implementation, "FACTORY") == book.factory


def test_nodes_announce_themselves_within_bounds(world: World) -> None:
    node, addresses = world.accounts[3], [f"/ip4/10.0.0.{n}/tcp/4001" for n in range(16)]
    request = calls.announce(world.deployment, PeerId("12D3KooWnode"), addresses)
    mined = world.rpc(
        "eth_sendTransaction", {"from": node.address, "to": request.to, "data": "0x" + request.data.hex()}
    )
    (log,) = world.receipt(mined)["logs"]
    assert decode_node(log) == NodeAnnounced(node.address, PeerId("12D3KooWnode"), tuple(addresses))
    for peer_id, some, refusal in (
        ("", [], PeerIdOutOfRange),
        ("x" * 129, [], PeerIdOutOfRange),
        ("x", ["/a"] * 17, TooManyAddresses),
        ("x", ["/" + "a" * 1024] * 2, AddressesTooLong),
    ):
        with pytest.raises(refusal):
            world.send(calls.announce(world.deployment, PeerId(peer_id), some), node)


def test_a_stake_of_nothing_is_possible(world: World) -> None:
    stage = world.create(world.accounts[:5], replace(PARAMS, stake=Wei(0)))
    before = stake(world, stage.members[0].address)
    stage.join(0)
    assert stake(world, stage.members[0].address) == before
