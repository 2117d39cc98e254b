"""The async client on both chains: reading, sending, and what it makes of failures."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

import pytest
from eth_account import Account

from foedus.contracts import calls
from foedus.contracts.deploy import deploy
from foedus.contracts.deployment import Deployment
from foedus.contracts.errors import (
    BalanceTooLow,
    ChainUnreachable,
    NonceTaken,
    NoSigner,
    NotMined,
    WrongChain,
)
from foedus.contracts.ledger import Ledger
from foedus.contracts.refusals import BeaconPending, StakeTooLow
from foedus.protocol.events import EnrolmentOpened, ParticipantJoined, TaskCreated
from foedus.protocol.ids import Address, Hash32, PeerId, Wei
from tests.contracts.actors import PARAMS, TERMS, World, key
from tests.contracts.chain import ETHER, TREASURY

T = TypeVar("T")
NOBODY = "http://127.0.0.1:9"


def using(world: World, account: int, play: Callable[[Ledger], Awaitable[T]], confirmations: int = 0) -> T:
    """Run `play` on a ledger of one of the world's accounts."""

    async def run() -> T:
        signer = world.accounts[account]
        async with await Ledger.connect(world.url, world.deployment, signer, confirmations) as ledger:
            return await play(ledger)

    return asyncio.run(run())


def test_a_task_is_read_back_with_its_places_in_the_chain(chain: World) -> None:
    stage = chain.create(chain.accounts[:5])
    stage.join(0, 1)

    async def play(ledger: Ledger) -> None:
        head = await ledger.head()
        logged = await ledger.task_events(stage.task, ledger.deployment.block)
        kinds = [type(entry.event) for entry in logged]
        assert kinds == [TaskCreated, EnrolmentOpened, ParticipantJoined, ParticipantJoined]
        assert [entry.point for entry in logged] == sorted(entry.point for entry in logged)
        for entry in logged:
            assert entry.point.block_hash == await ledger.block_hash(entry.point.block)
            assert 0 < entry.point.timestamp <= head.timestamp
        assert await ledger.task_events(stage.task, 0, logged[1].point.block) == logged[:2]
        ledger._logs.page = 3
        assert await ledger.task_events(stage.task, max(0, head.number - 10), head.number) == logged
        assert (logged[0].point, logged[0].event) in await ledger.tasks()
        assert await ledger.claimed(stage.task, 1) == 0
        with pytest.raises(LookupError):
            await ledger.block_hash(head.number + 1000)

    using(chain, 0, play)


def test_transactions_are_signed_sent_and_awaited(chain: World) -> None:
    async def play(ledger: Ledger) -> None:
        before = await ledger.stake(ledger.address)
        funds = await ledger.balance(ledger.address)
        receipt = await ledger.transact(calls.deposit(ledger.deployment, Wei(77)))
        assert receipt.status == 1
        assert receipt.gas_used > 21_000
        assert (await ledger.stake(ledger.address)).free == before.free + 77
        assert await ledger.balance(ledger.address) < funds - 77

    using(chain, 10, play)


def test_a_call_that_would_revert_is_refused_before_it_is_signed(chain: World) -> None:
    stage = chain.create(chain.accounts[:5], replace(PARAMS, stake=Wei(ETHER * 50)))
    stage_call = calls.join(stage.task, TERMS, key("mask"), key("box"))

    async def play(ledger: Ledger) -> None:
        with pytest.raises(StakeTooLow) as refusal:
            await ledger.sign(stage_call)
        assert refusal.value.need == ETHER * 50
        with pytest.raises(BalanceTooLow):
            await ledger.sign(calls.deposit(ledger.deployment, Wei(10**30)))
        receipt = await ledger.transact(calls.deposit(ledger.deployment, Wei(1)))
        assert receipt.status == 1, "a refused call takes no nonce"

    using(chain, 10, play)


def test_a_transaction_that_reverts_when_mined_raises_the_decoded_reason(chain: World) -> None:
    async def play(ledger: Ledger) -> None:
        free = (await ledger.stake(ledger.address)).free
        everything = calls.withdraw(ledger.deployment, free)
        first, second = await ledger.sign(everything), await ledger.sign(everything)
        await ledger.broadcast(first)
        await ledger.broadcast(second)
        await ledger.wait(first.hash)
        with pytest.raises(StakeTooLow) as refusal:
            await ledger.wait(second.hash)
        assert (refusal.value.have, refusal.value.need) == (0, free)
        await ledger.transact(calls.deposit(ledger.deployment, ETHER))

    using(chain, 11, play)


def test_signatures_made_at_once_get_nonces_of_their_own(chain: World) -> None:
    async def play(ledger: Ledger) -> None:
        call = calls.deposit(ledger.deployment, Wei(1))
        signed = await asyncio.gather(*(ledger.sign(call) for _ in range(8)))
        nonces = sorted(one.nonce for one in signed)
        assert nonces == list(range(nonces[0], nonces[0] + 8))
        for one in signed:
            await ledger.broadcast(one)
        receipts = await asyncio.gather(*(ledger.wait(one.hash) for one in signed))
        assert [receipt.status for receipt in receipts] == [1] * 8

    using(chain, 12, play)


def test_broadcasting_the_same_bytes_again_changes_nothing(chain: World) -> None:
    async def sign_and_send(ledger: Ledger) -> None:
        signed = await ledger.sign(calls.deposit(ledger.deployment, Wei(1)))
        for _ in range(2):
            await ledger.broadcast(signed)
        await ledger.wait(signed.hash)
        await ledger.broadcast(signed)
        before = await ledger.stake(ledger.address)

        async def after_a_restart(other: Ledger) -> None:
            await other.broadcast(signed)
            await other.wait(signed.hash)
            assert await other.stake(other.address) == before
            assert (await other.sign(calls.deposit(other.deployment, Wei(1)))).nonce == signed.nonce + 1

        async with await Ledger.connect(chain.url, chain.deployment, chain.accounts[13]) as other:
            await after_a_restart(other)

    using(chain, 13, sign_and_send)


def test_a_nonce_that_went_to_another_transaction_is_noticed_and_not_lost(chain: World) -> None:
    async def play(ledger: Ledger) -> None:
        signed = await ledger.sign(calls.deposit(ledger.deployment, Wei(1)))
        async with await Ledger.connect(chain.url, chain.deployment, chain.accounts[14]) as rival:
            await rival.transact(calls.deposit(rival.deployment, Wei(2)))
        with pytest.raises(NonceTaken) as refusal:
            await ledger.broadcast(signed)
        assert refusal.value.nonce == signed.nonce
        assert (await ledger.transact(calls.deposit(ledger.deployment, Wei(1)))).status == 1

    using(chain, 14, play)


def test_an_abandoned_nonce_is_used_again(chain: World) -> None:
    async def play(ledger: Ledger) -> None:
        call = calls.deposit(ledger.deployment, Wei(1))
        signed = await ledger.sign(call)
        ledger.abandon(signed)
        assert (await ledger.sign(call)).nonce == signed.nonce

    using(chain, 15, play)


def test_a_broadcast_that_reaches_nobody_frees_the_nonce(world: World) -> None:
    async def play(ledger: Ledger) -> None:
        call = calls.deposit(ledger.deployment, Wei(1))
        signed = await ledger.sign(call)
        sender = ledger._writer
        link, sender._rpc = sender._rpc, type(sender._rpc)(NOBODY)
        with pytest.raises(ChainUnreachable):
            await ledger.broadcast(signed)
        await sender._rpc.close()
        sender._rpc = link
        assert (await ledger.sign(call)).nonce == signed.nonce

    using(world, 15, play)


def test_a_dropped_transaction_is_sent_again(anvil: World) -> None:
    async def play(ledger: Ledger) -> None:
        call = calls.deposit(ledger.deployment, Wei(1))
        anvil.rpc("evm_setAutomine", False)
        try:
            first = await ledger.sign(call)
            await ledger.broadcast(first)
            anvil.rpc("anvil_dropTransaction", "0x" + first.hash.hex())
            second = await ledger.sign(call)
            assert second.nonce == first.nonce + 1, "signing brings the dropped one back first"
            await ledger.broadcast(second)
            with pytest.raises(NotMined):
                await ledger.wait(first.hash, timeout=0.3)
            anvil.rpc("anvil_dropTransaction", "0x" + first.hash.hex())
            waiting = asyncio.create_task(ledger.wait(first.hash, timeout=20))
            await asyncio.sleep(3)
        finally:
            anvil.rpc("evm_setAutomine", True)
        anvil.mine()
        assert (await waiting).status == 1
        assert (await ledger.wait(second.hash)).status == 1

    using(anvil, 16, play)


def test_confirmations_are_blocks_that_follow(world: World) -> None:
    async def play(ledger: Ledger) -> None:
        signed = await ledger.sign(calls.deposit(ledger.deployment, Wei(1)))
        await ledger.broadcast(signed)
        with pytest.raises(NotMined):
            await ledger.wait(signed.hash, timeout=0.3)
        world.mine(2)
        receipt = await ledger.wait(signed.hash)
        assert (await ledger.head()).number >= receipt.block + 2

    using(world, 17, play, confirmations=2)


def test_the_last_announcement_of_a_node_counts(chain: World) -> None:
    async def play(ledger: Ledger) -> None:
        book = ledger.deployment
        await ledger.transact(calls.announce(book, PeerId("12D3KooWone"), ["/ip4/10.0.0.1/tcp/1"]))
        await ledger.transact(
            calls.announce(book, PeerId("12D3KooWtwo"), ["/ip4/10.0.0.2/tcp/2", "/ip4/10.0.0.3/tcp/3"])
        )
        node = (await ledger.nodes())[ledger.address]
        assert (node.peer_id, node.addresses) == ("12D3KooWtwo", ("/ip4/10.0.0.2/tcp/2", "/ip4/10.0.0.3/tcp/3"))
        garbled = calls.announce(book, PeerId("12D3KooWxx"), [])
        await ledger.transact(replace(garbled, data=garbled.data.replace(b"xx", b"\xff\xfe")))
        assert ledger.address not in await ledger.nodes(), "text that is no UTF-8 is no announcement"

    using(chain, 18, play)


def _elsewhere(book: Deployment, **changes: str) -> Deployment:
    """The book with a change in where, or what, the vault is."""
    return replace(book, contracts={**book.contracts, "StakeVault": replace(book.contracts["StakeVault"], **changes)})


def test_the_wrong_chain_is_refused_with_both_values(chain: World) -> None:
    book = chain.deployment
    wrong = [
        (replace(book, chain_id=1), "the chain id is 31337, but the deployment is on 1"),
        (replace(book, genesis="0x" + "00" * 32), "the genesis block is 0x"),
        (_elsewhere(book, address=TREASURY), f"the StakeVault {TREASURY} is without code"),
        (_elsewhere(book, code_hash="0x" + "00" * 32), f"the hash of the code of the StakeVault {book.vault} is 0x"),
    ]

    async def connect() -> None:
        for other, words in wrong:
            with pytest.raises(WrongChain, match=words):
                await Ledger.connect(chain.url, other)
        with pytest.raises(WrongChain):
            await deploy(chain.url, chain.accounts[0], TREASURY, chain_id=1)

    asyncio.run(connect())


def test_nobody_at_the_address_is_said_so() -> None:
    with pytest.raises(ChainUnreachable, match="no chain answers at") as failure:
        asyncio.run(Ledger.connect("http://user:password@127.0.0.1:9/v3/secret"))
    assert failure.value.rpc == NOBODY, "what may be a provider's key is not shown"


def test_a_ledger_without_an_account_only_reads(world: World) -> None:
    async def play() -> None:
        async with await Ledger.connect(world.url, world.deployment) as ledger:
            assert (await ledger.stake(Address(world.accounts[0].address))).free > 0
            with pytest.raises(NoSigner):
                await ledger.sign(calls.deposit(world.deployment, Wei(1)))
        async with await Ledger.connect(world.url) as ledger:
            with pytest.raises(LookupError):
                await ledger.tasks()

    asyncio.run(play())


def test_an_account_without_funds_is_told(chain: World) -> None:
    async def play() -> None:
        poor = Account.from_key("0x" + "11" * 32)
        async with await Ledger.connect(chain.url, chain.deployment, poor) as ledger:
            with pytest.raises(BalanceTooLow, match="fund the account"):
                await ledger.transact(calls.deposit(ledger.deployment, Wei(1)))
            with pytest.raises(BalanceTooLow, match="fund the account"):
                await ledger.transact(calls.announce(ledger.deployment, PeerId("12D3KooWpoor"), []))

    asyncio.run(play())


def test_awaiting_an_unknown_transaction_ends(world: World) -> None:
    async def play(ledger: Ledger) -> None:
        with pytest.raises(NotMined):
            await ledger.wait(Hash32(bytes(32)), timeout=0.2)

    using(world, 10, play)


def test_a_propose_before_its_block_names_the_block(world: World) -> None:
    stage = world.create(world.accounts[:5])
    stage.join(0, 1, 2, 3, 4)
    stage.draw()
    stage.commit(0, 1, 2, 3, 4)
    stage.freeze(range(5))
    call = stage.proposing()

    async def play(ledger: Ledger) -> None:
        with pytest.raises(BeaconPending):
            await ledger.sign(call)

    using(world, 0, play)
