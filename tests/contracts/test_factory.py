"""The factory, the clones that it makes, and the registry: what they hold, tell and refuse."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_abi.abi import encode as abi_encode
from eth_utils.crypto import keccak

from foedus.contracts import calls
from foedus.contracts.bindings import artifact, decode_node, encode
from foedus.contracts.calls import Call
from foedus.contracts.errors import Reverted
from foedus.contracts.refusals import (
    AddressesTooLong,
    ForeignImplementation,
    NotFactory,
    NoTreasury,
    ParamOutOfRange,
    PeerIdOutOfRange,
    TaskIsOver,
    TooManyAddresses,
)
from foedus.protocol.events import EnrolmentOpened, NodeAnnounced, TaskCreated
from foedus.protocol.ids import PeerId, Wei
from foedus.protocol.terms import Finality, Params
from tests.contracts.actors import BASE, LAW, OPTIMISTIC, PARAMS, TERMS, Stage, World
from tests.contracts.chain import TREASURY, Mined

LONGEST = 2**28
NOBODY = "0x" + "00" * 20

WRONG_PARAMS = [
    ("rounds", 0, 1, 65_535),
    ("rounds", 65_536, 1, 65_535),
    ("max_participants", 1, 2, 1024),
    ("max_participants", 1025, 2, 1024),
    ("min_participants", 1, 2, 5),
    ("min_participants", 6, 2, 5),
    ("min_survivors", 1, 2, 5),
    ("min_survivors", 6, 2, 5),
    ("epoch_rounds", 0, 1, 65_535),
    ("max_attempts", 0, 1, 65_535),
    *(
        (f"{name}_seconds", value, 1, LONGEST)
        for name in ("enrol", "commit", "freeze", "rank", "stall", "attest")
        for value in (0, LONGEST + 1)
    ),
    ("answer_seconds", 0, 1, LONGEST // 160),
    ("answer_seconds", LONGEST // 160 + 1, 1, LONGEST // 160),
    ("unbond_seconds", 999, 1000, 2 * LONGEST),
    ("unbond_seconds", 2 * LONGEST + 1, 1000, 2 * LONGEST),
    ("challenger_share", 9_001, 0, 9_000),
    ("ahead", 1, 0, 0),
]


@pytest.mark.parametrize(("name", "value", "low", "high"), WRONG_PARAMS)
def test_parameters_out_of_range_create_nothing(world: World, name: str, value: int, low: int, high: int) -> None:
    params = replace(PARAMS, **{name: value})  # type: ignore[arg-type]
    with pytest.raises(ParamOutOfRange) as refusal:
        world.send(calls.create_task(world.deployment, TERMS, LAW, BASE, params, Wei(0)), world.accounts[0])
    words = name.split("_")
    told = refusal.value
    assert told.name == words[0] + "".join(word.title() for word in words[1:])
    assert (told.value, told.low, told.high) == (value, low, high)


@pytest.mark.parametrize("ahead", [0, 33])
def test_optimistic_tasks_run_some_rounds_ahead_and_not_many(world: World, ahead: int) -> None:
    params = replace(OPTIMISTIC, ahead=ahead)
    with pytest.raises(ParamOutOfRange) as refusal:
        world.send(calls.create_task(world.deployment, TERMS, LAW, BASE, params, Wei(0)), world.accounts[0])
    assert (refusal.value.name, refusal.value.low, refusal.value.high) == ("ahead", 1, 32)


def test_parameters_at_the_ends_of_their_ranges_are_taken(world: World) -> None:
    seconds = dict.fromkeys(
        ("enrol_seconds", "commit_seconds", "freeze_seconds", "rank_seconds", "stall_seconds", "attest_seconds"), 1
    )
    shortest = replace(
        PARAMS,
        **seconds,  # type: ignore[arg-type]
        answer_seconds=1,
        unbond_seconds=81,
        rounds=1,
        min_participants=2,
        max_participants=2,
        min_survivors=2,
        stake=Wei(0),
        bond=Wei(0),
        challenger_share=0,
    )
    assert world.create((), shortest, pool=Wei(0)).slot["round"] == 1


def longest() -> Params:
    """The largest value of everything, all different where they can be."""
    times = (LONGEST - n for n in range(6))
    return Params(
        65_535,
        1023,
        1024,
        1022,
        65_534,
        65_533,
        *times,
        LONGEST // 160,
        2 * LONGEST,
        Wei(2**96 - 1),
        Wei(2**96 - 2),
        9_000,
        Finality.OPTIMISTIC,
        32,
        False,
    )


def test_a_clone_carries_its_settings_and_starts_once(world: World) -> None:
    largest = longest()
    stage = world.create((), largest, pool=Wei(12345))
    settings = stage.words("settings")
    assert Params(*settings.pop("params")) == largest
    assert settings == {
        "terms": TERMS,
        "law": LAW,
        "baseRoot": BASE,
        "sponsor": stage.sponsor.address,
        "token": NOBODY,
        "pool": 12345,
    }
    assert world.view("TaskFactory", world.deployment.factory, "isTask", stage.task)
    with pytest.raises(NotFactory) as refusal:
        stage.act(stage.call("start"), stage.sponsor)
    assert refusal.value.caller == stage.sponsor.address


def test_a_creation_is_told_in_two_events(world: World) -> None:
    stage = world.create((), longest(), pool=Wei(7))
    created = TaskCreated(stage.task, world.owner.address, TERMS, LAW, BASE, NOBODY, Wei(7), longest())  # type: ignore[arg-type]
    opened = EnrolmentOpened(world.now + LONGEST, 1024)  # type: ignore[arg-type]
    assert stage.created.events == (created, opened)


def test_the_implementation_itself_is_no_task(world: World) -> None:
    assert not world.view("TaskFactory", world.deployment.factory, "isTask", world.implementation)
    for call in (calls.poke(world.implementation), calls.join(world.implementation, TERMS, TERMS, TERMS)):  # type: ignore[arg-type]
        with pytest.raises(TaskIsOver):
            world.send(call, world.accounts[0])


def test_a_task_takes_no_ether_beside_its_pool(stage: Stage) -> None:
    for data in (b"", bytes(4), calls.poke(stage.task).data):
        with pytest.raises(Reverted):
            stage.act(Call(stage.task, data, Wei(1), "pay"))
    with pytest.raises(Reverted):
        stage.act(Call(stage.task, keccak(text="nothing()")[:4], Wei(0), "nothing"))


def test_contracts_know_each_other(world: World) -> None:
    book = world.deployment
    annex = book.contracts["TaskAnnex"].address
    assert world.view("StakeVault", book.vault, "TASKS") == book.factory
    assert world.view("StakeVault", book.vault, "TREASURY") == TREASURY
    assert world.view("TaskFactory", book.factory, "VAULT") == book.vault
    assert world.view("TaskFactory", book.factory, "implementation") == world.implementation
    assert world.view("TaskFactory", book.factory, "guardian") == world.guardian.address
    assert world.view("Task", world.implementation, "ANNEX") == annex
    for part in (world.implementation, annex):
        assert world.view("Task", part, "FACTORY") == book.factory
        assert world.view("Task", part, "VAULT") == book.vault
        assert world.view("Task", part, "COURT") == world.court
        assert world.view("Task", part, "trustedForwarder") == world.forwarder


def told(mined: Mined, event: str) -> list[str]:
    """The addresses in the indexed words of a factory's event."""
    key = "0x" + keccak(text=event).hex()
    return ["0x" + word[-40:] for log in mined.logs if log["topics"][0] == key for word in log["topics"][1:]]


def test_the_owner_says_what_future_tasks_are_clones_of(world: World) -> None:
    """Tasks that exist stay what they are."""
    factory, old = world.deployment.factory, world.implementation
    kept = world.create(world.accounts[:5])
    creation = artifact("Task")["bytecode"]
    core = [factory, world.deployment.vault, world.court, world.forwarder, NOBODY]
    made = world.create_contract(bytes.fromhex(creation[2:]) + abi_encode(["address"] * 5, core)).created
    name = Call(factory, encode("TaskFactory", "setImplementation", [made]), Wei(0), "setImplementation")
    with pytest.raises(Reverted, match="OwnableUnauthorizedAccount"):
        world.send(name, world.accounts[0])
    changed = world.send(name, world.owner)
    assert made is not None
    assert told(changed, "ImplementationChanged(address)") == [made.lower()]
    try:
        fresh = world.create(world.accounts[:5])
        assert world.view("Task", fresh.task, "ANNEX") == NOBODY
        assert world.view("Task", kept.task, "ANNEX") != NOBODY
    finally:
        world.send(replace(name, data=encode("TaskFactory", "setImplementation", [old])), world.owner)


def test_an_implementation_of_another_factory_is_refused(world: World) -> None:
    creation = artifact("TaskFactory")["bytecode"]
    people = [TREASURY, world.owner.address, world.guardian.address]
    other = world.create_contract(bytes.fromhex(creation[2:]) + abi_encode(["address"] * 3, people)).created
    assert other is not None
    name = encode("TaskFactory", "setImplementation", [world.implementation])
    with pytest.raises(ForeignImplementation) as refusal:
        world.send(Call(other, name, Wei(0), "setImplementation"), world.owner)
    assert (refusal.value.implementation, refusal.value.factory) == (world.implementation, world.deployment.factory)


def test_a_factory_needs_a_treasury(world: World) -> None:
    creation = artifact("TaskFactory")["bytecode"]
    people = [NOBODY, world.owner.address, world.guardian.address]
    with pytest.raises(NoTreasury):
        world.create_contract(bytes.fromhex(creation[2:]) + abi_encode(["address"] * 3, people))


def test_only_the_owner_appoints_the_guardian(world: World) -> None:
    appoint = encode("TaskFactory", "setGuardian", [world.guardian.address])
    with pytest.raises(Reverted, match="OwnableUnauthorizedAccount"):
        world.send(Call(world.deployment.factory, appoint, Wei(0), "setGuardian"), world.guardian)
    changed = world.send(Call(world.deployment.factory, appoint, Wei(0), "setGuardian"), world.owner)
    assert told(changed, "GuardianChanged(address)") == [world.guardian.address.lower()]


def test_nodes_announce_themselves_within_bounds(world: World) -> None:
    node, addresses = world.accounts[3], [f"/ip4/10.0.0.{n}/tcp/4001" for n in range(16)]
    (log,) = world.send(calls.announce(world.deployment, PeerId("12D3KooWnode"), addresses), node).logs
    assert decode_node(log) == NodeAnnounced(node.address, PeerId("12D3KooWnode"), tuple(addresses))
    for peer_id, some, refusal in (
        ("", [], PeerIdOutOfRange),
        ("x" * 129, [], PeerIdOutOfRange),
        ("x", ["/a"] * 17, TooManyAddresses),
        ("x", ["/" + "a" * 1024] * 2, AddressesTooLong),
    ):
        with pytest.raises(refusal):
            world.send(calls.announce(world.deployment, PeerId(peer_id), some), node)
