"""Pools in ERC-20 tokens: which, how they get into a task, and how they get out."""

from __future__ import annotations

from dataclasses import astuple, replace

import pytest
from eth_abi.abi import decode as abi_decode
from eth_abi.abi import encode as abi_encode
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from foedus.contracts import calls
from foedus.contracts.bindings import decode_revert, encode
from foedus.contracts.calls import Call
from foedus.contracts.errors import Reverted, UnknownRevert
from foedus.contracts.refusals import NothingToClaim, ParamOutOfRange, PoolMismatch, RemainderTaken, TokenNotAllowed
from foedus.protocol.events import EndReason, RemainderReturned, RewardClaimed, TaskCreated
from foedus.protocol.ids import Address, Wei
from foedus.protocol.terms import Params
from tests.contracts.actors import BASE, LAW, PARAMS, TERMS, Stage, World
from tests.contracts.bench import creation_codes
from tests.contracts.chain import Mined, invocation
from tests.contracts.endgame import finish
from tests.contracts.payees import Owed

POOL = Wei(10**18)
ONE_ROUND = replace(PARAMS, rounds=1)
SHORT_OF_ALLOWANCE = keccak(text="ERC20InsufficientAllowance(address,uint256,uint256)")[:4]
"""OpenZeppelin's ERC-20 says so (ERC-6093)."""
PERMIT = [
    {"name": name, "type": kind}
    for name, kind in (
        ("owner", "address"),
        ("spender", "address"),
        ("value", "uint256"),
        ("nonce", "uint256"),
        ("deadline", "uint256"),
    )
]


def token(world: World, name: str, allowed: bool = True) -> Address:
    """A token that the sponsor owns all of."""
    code = creation_codes("Tokens")[name] + (b"" if name == "Air" else abi_encode(["address"], [world.owner.address]))
    made = world.create_contract(code).created
    assert made is not None
    if allowed:
        allow(world, made, True)
    return made


def allow(world: World, made: Address, allowed: bool) -> Mined:
    data = encode("TaskFactory", "allowToken", (made, allowed))
    return world.send(Call(world.deployment.factory, data, Wei(0), "allowToken"), world.owner)


def create(world: World, made: Address, permit: bytes = b"", params: Params = ONE_ROUND) -> Call:
    arguments = (TERMS, LAW, BASE, astuple(params), made, POOL, permit)
    data = encode("TaskFactory", "createTaskWithToken", arguments)
    return Call(world.deployment.factory, data, Wei(0), "createTaskWithToken")


def approve(world: World, made: Address, amount: int = POOL) -> None:
    world.send(invocation(made, "approve", ["address", "uint256"], world.deployment.factory, amount), world.owner)


def balance(world: World, made: Address, account: str) -> int:
    call = invocation(made, "balanceOf", ["address"], account)
    return int(world.rpc("eth_call", {"to": made, "data": "0x" + call.data.hex()}, "latest"), 16)


def staged(world: World, made: Address, call: Call | None = None) -> Stage:
    """A task paid in a token, of five members."""
    mined = world.send(call or create(world, made), world.owner)
    task = mined.event(TaskCreated).task
    return Stage(world, task, ONE_ROUND, world.accounts[:5], world.owner, created=mined)


def permit(world: World, made: Address, owner: LocalAccount, value: int = POOL, spender: str = "") -> bytes:
    """A permit for the factory to take the pool (ERC-2612), as createTaskWithToken takes it."""
    deadline = world.now + 1000
    nonce = int(
        world.rpc("eth_call", {"to": made, "data": "0x7ecebe00" + owner.address[2:].lower().rjust(64, "0")}, "latest"),
        16,
    )
    domain = {"name": "Coin", "version": "1", "chainId": world.chain_id, "verifyingContract": made}
    message = {
        "owner": owner.address,
        "spender": spender or world.deployment.factory,
        "value": value,
        "nonce": nonce,
        "deadline": deadline,
    }
    signed = owner.sign_message(encode_typed_data(domain, {"Permit": PERMIT}, message))
    words = (deadline, signed.v, signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big"))
    return abi_encode(["uint256", "uint8", "bytes32", "bytes32"], words)


def test_only_the_owner_allows_tokens(world: World) -> None:
    made = token(world, "Coin", allowed=False)
    data = encode("TaskFactory", "allowToken", (made, True))
    with pytest.raises(Reverted, match="OwnableUnauthorizedAccount"):
        world.send(Call(world.deployment.factory, data, Wei(0), "allowToken"), world.accounts[0])
    approve(world, made)
    with pytest.raises(TokenNotAllowed) as refusal:
        world.send(create(world, made), world.owner)
    assert refusal.value.token == made
    allow(world, made, True)
    assert world.view("TaskFactory", world.deployment.factory, "isTokenAllowed", made)
    staged(world, made)
    allow(world, made, False)
    with pytest.raises(TokenNotAllowed):
        world.send(create(world, made), world.owner)


def test_a_task_is_created_with_an_approved_pool(world: World) -> None:
    made = token(world, "Coin")
    approve(world, made)
    before = balance(world, made, world.owner.address)
    stage = staged(world, made)
    created = stage.created.event(TaskCreated)
    assert created == TaskCreated(stage.task, Address(world.owner.address), TERMS, LAW, BASE, made, POOL, ONE_ROUND)
    assert balance(world, made, stage.task) == POOL
    assert balance(world, made, world.owner.address) == before - POOL
    assert world.balance(stage.task) == 0
    terms = stage.words("settings")
    assert (terms["token"], terms["pool"], terms["sponsor"]) == (made, POOL, world.owner.address)


def test_a_task_is_created_with_a_permit_and_no_approval(world: World) -> None:
    made = token(world, "Coin")
    stage = staged(world, made, create(world, made, permit(world, made, world.owner)))
    assert balance(world, made, stage.task) == POOL


def test_a_permit_that_was_spent_by_whoever_saw_it_still_works(world: World) -> None:
    """Front-running a permit sets the very allowance that the creation needs."""
    made = token(world, "Coin")
    signed = permit(world, made, world.owner)
    words = abi_decode(["uint256", "uint8", "bytes32", "bytes32"], signed)
    types = ["address", "address", "uint256", "uint256", "uint8", "bytes32", "bytes32"]
    seen = invocation(made, "permit", types, world.owner.address, world.deployment.factory, POOL, *words)
    world.send(seen, world.accounts[7])
    stage = staged(world, made, create(world, made, signed))
    assert balance(world, made, stage.task) == POOL


def test_a_permit_of_another_or_for_another_amount_moves_nothing(world: World) -> None:
    made = token(world, "Coin")
    for wrong in (
        permit(world, made, world.accounts[0]),
        permit(world, made, world.owner, value=POOL - 1),
        permit(world, made, world.owner, spender=world.deployment.vault),
    ):
        with pytest.raises(UnknownRevert) as refusal:
            world.send(create(world, made, wrong), world.owner)
        assert refusal.value.data[:4] == SHORT_OF_ALLOWANCE


def test_a_pool_that_is_not_there_creates_nothing(world: World) -> None:
    made = token(world, "Coin")
    with pytest.raises(UnknownRevert) as refusal:
        world.send(create(world, made), world.owner)
    assert refusal.value.data[:4] == SHORT_OF_ALLOWANCE
    approve(world, made)
    with pytest.raises(ParamOutOfRange):
        world.send(create(world, made, params=replace(ONE_ROUND, rounds=0)), world.owner)


def test_a_token_that_keeps_a_fee_is_refused(world: World) -> None:
    made = token(world, "Tax")
    approve(world, made)
    with pytest.raises(PoolMismatch) as refusal:
        world.send(create(world, made), world.owner)
    assert (refusal.value.have, refusal.value.need) == (POOL * 99 // 100, POOL)


def test_a_token_that_moves_nothing_is_refused(world: World) -> None:
    made = token(world, "Air")
    with pytest.raises(PoolMismatch) as refusal:
        world.send(create(world, made), world.owner)
    assert (refusal.value.have, refusal.value.need) == (0, POOL)


def test_an_address_without_code_is_no_token(world: World) -> None:
    nobody = Address(world.accounts[9].address)
    allow(world, nobody, True)
    with pytest.raises(Reverted):
        world.send(create(world, nobody), world.owner)


def test_rewards_and_remainder_are_paid_in_the_token(world: World) -> None:
    made = token(world, "Coin")
    approve(world, made)
    stage = staged(world, made)
    stage.join(0, 1, 2, 3, 4)
    owed = Owed.to_members(stage, 1000)
    assert finish(stage, **owed.changes).reason is EndReason.COMPLETED
    last = stage.proposals[-1]
    before = balance(world, made, world.owner.address)
    returned = stage.act(calls.withdraw_remainder(stage.task, last.before, last.claim), stage.members[0])
    remainder = Wei(POOL - last.claim.aggregate.payout_total)
    assert returned.events == (RemainderReturned(Address(world.owner.address), remainder),)
    assert balance(world, made, world.owner.address) == before + remainder
    for payee, (account, amount) in owed.rows.items():
        paid = stage.act(owed.claim(stage, payee), stage.sponsor)
        assert paid.events == (RewardClaimed(Address(account), payee, Wei(amount), Wei(amount)),)
        assert balance(world, made, account) == amount
    assert balance(world, made, stage.task) == 0


def armed(world: World, intruder: Address, target: Address, call: Call) -> None:
    world.send(invocation(intruder, "arm", ["address", "bytes"], target, call.data), world.owner)


def answered(world: World, intruder: Address) -> bytes:
    """What the call in the middle of a payment came to: `done`, or its revert data."""
    data = "0x" + keccak(text="answer()")[:4].hex()
    (answer,) = abi_decode(
        ["bytes"], bytes.fromhex(world.rpc("eth_call", {"to": intruder, "data": data}, "latest")[2:])
    )
    return bytes(answer)


def test_reentering_through_a_token_is_paid_once(world: World) -> None:
    made = token(world, "Spy")
    approve(world, made)
    stage = staged(world, made)
    stage.join(0, 1, 2, 3, 4)
    owed = Owed.to_members(stage, 1000)
    finish(stage, **owed.changes)
    account, amount = owed.rows[1]
    armed(world, made, stage.task, owed.claim(stage, 1))
    stage.act(owed.claim(stage, 1))
    assert isinstance(decode_revert(answered(world, made)), NothingToClaim)
    assert balance(world, made, account) == amount
    last = stage.proposals[-1]
    take = calls.withdraw_remainder(stage.task, last.before, last.claim)
    armed(world, made, stage.task, take)
    stage.act(take)
    assert isinstance(decode_revert(answered(world, made)), RemainderTaken)
    assert balance(world, made, stage.task) == sum(a for _, a in owed.rows.values()) - amount


def test_reentering_a_creation_through_its_token_takes_nothing_of_the_sponsors(world: World) -> None:
    """The creation in between is the token's own, and so would be its pool."""
    made = token(world, "Spy")
    approve(world, made, 2 * POOL)
    armed(world, made, world.deployment.factory, create(world, made))
    before = balance(world, made, world.owner.address)
    stage = staged(world, made)
    assert answered(world, made)[:4] == SHORT_OF_ALLOWANCE
    assert balance(world, made, stage.task) == POOL
    assert balance(world, made, world.owner.address) == before - POOL


def test_reentering_through_a_receiver_is_paid_once(world: World) -> None:
    greedy = world.create_contract(creation_codes("Tokens")["Greedy"]).created
    assert greedy is not None
    stage = world.create(world.accounts[:5], ONE_ROUND)
    stage.join(0, 1, 2, 3, 4)
    owed = Owed({6: (greedy, 1000), 1: (stage.members[0].address, 5)})
    finish(stage, **owed.changes)
    armed(world, greedy, stage.task, owed.claim(stage, 6))
    stage.act(owed.claim(stage, 6))
    assert isinstance(decode_revert(answered(world, greedy)), NothingToClaim)
    assert world.balance(greedy) == 1000
    assert world.balance(stage.task) == POOL - 1000
