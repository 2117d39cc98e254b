"""Following the chain: what a reorganisation took back is forgotten, and the fold is that of the chain as it is."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from eth_account import Account

from foedus.contracts import calls
from foedus.contracts.compile import MODULES
from foedus.contracts.deploy import deploy
from foedus.contracts.errors import LogsIncoherent
from foedus.contracts.ledger import Ledger
from foedus.node.chain import find_task
from foedus.node.devnet.accounts import dev_accounts
from foedus.node.devnet.processes import start_anvil_process, start_chain_process
from foedus.node.follower import Follower
from foedus.protocol.fold import fold
from foedus.protocol.ids import Address, PublicKey, Wei
from tests.contracts.faulty_rpc import a_faulty_rpc
from tests.protocol.samples import digest, terms

ANVIL: Path = MODULES / "@foundry-rs" / "anvil-linux-amd64" / "bin" / "anvil"
KEYS = dev_accounts(count=6)


@pytest.fixture(params=["embedded", "anvil"])
def rpc(request, tmp_path):
    if request.param == "embedded":
        with start_chain_process(tmp_path, block_time=0) as chain:
            yield chain.url
        return
    if not ANVIL.exists():
        pytest.skip(f"{ANVIL} is missing: run `make setup-dev`")
    with start_anvil_process(ANVIL) as chain:
        yield chain.url


def rpc_call(url: str, method: str, *params: object) -> object:
    answer = httpx.post(url, json={"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}).json()
    assert "error" not in answer, answer
    return answer["result"]


def test_a_reorganisation_is_truncated_and_refolded(rpc):
    async def play() -> None:
        signers = [Account.from_key(account.key) for account in KEYS]
        rich, made = signers[0], terms()
        book = await deploy(rpc, rich, Address(rich.address), 31337)
        ledgers = [await Ledger.connect(rpc, book, signer) for signer in signers]
        call = calls.create_task(book, made.digest, digest("law"), digest("model 0"), made.params, Wei(0))
        receipt = await ledgers[0].transact(call)
        task = next(event.task for point, event in await ledgers[0].tasks() if point.block == receipt.block)
        for ledger in ledgers:
            await ledger.transact(calls.deposit(book, made.params.stake))
        point, _ = await find_task(ledgers[0], task)
        follower = Follower(ledgers[0], task, point.block)

        async def join(at: int, name: str) -> None:
            key = PublicKey(digest(name))
            await ledgers[at].transact(calls.join(task, made.digest, key, key))

        await join(1, "one")
        assert len((await follower.poll()).participants) == 1
        mark = rpc_call(rpc, "evm_snapshot")
        await join(2, "two")
        await join(3, "three")
        assert len((await follower.poll()).participants) == 3
        assert rpc_call(rpc, "evm_revert", mark) is True
        after = [await Ledger.connect(rpc, book, signer) for signer in signers]
        for ledger in ledgers:
            await ledger.close()
        ledgers[:] = after
        follower._ledger = after[0]
        await join(4, "four")
        await join(5, "five")
        await join(3, "three again")
        state = await follower.poll()
        assert set(state.participants) == {signers[at].address for at in (1, 4, 5, 3)}
        assert state == fold(await after[0].task_events(task, point.block))
        assert list(follower.entries) == await after[0].task_events(task, point.block)
        for ledger in after:
            await ledger.close()

    asyncio.run(play())


def test_logs_that_were_left_out_are_told_and_read_again(rpc):
    async def play() -> None:
        rich, made = Account.from_key(KEYS[0].key), terms()
        book = await deploy(rpc, rich, Address(rich.address), 31337)
        with a_faulty_rpc(rpc) as proxy:
            async with await Ledger.connect(proxy.url, book, rich) as ledger:
                call = calls.create_task(book, made.digest, digest("law"), digest("model 0"), made.params, Wei(0))
                receipt = await ledger.transact(call)
                (_, event), *_ = await ledger.tasks()
                await ledger.transact(calls.deposit(book, made.params.stake))
                key = PublicKey(digest("one"))
                await ledger.transact(calls.join(event.task, made.digest, key, key))
                follower = Follower(ledger, event.task, receipt.block)
                proxy.twists["eth_getLogs"] = lambda _, honest: honest()[1:]
                with pytest.raises(LogsIncoherent, match=r"make no sense .* before TaskCreated.*another RPC endpoint"):
                    await follower.poll()
                assert (follower.state, follower.entries) == (None, ())
                proxy.twists.clear()
                assert list((await follower.poll()).participants) == [rich.address]

    asyncio.run(play())


def test_confirmations_hold_events_back(rpc):
    async def play() -> None:
        rich, made = Account.from_key(KEYS[0].key), terms()
        book = await deploy(rpc, rich, Address(rich.address), 31337)
        async with await Ledger.connect(rpc, book, rich) as ledger:
            call = calls.create_task(book, made.digest, digest("law"), digest("model 0"), made.params, Wei(0))
            receipt = await ledger.transact(call)
            (_, event), *_ = await ledger.tasks()
            follower = Follower(ledger, event.task, receipt.block, confirmations=2)
            assert await follower.poll() is None
            rpc_call(rpc, "evm_mine")
            assert await follower.poll() is None
            rpc_call(rpc, "evm_mine")
            assert (await follower.poll()).terms == made.digest

    asyncio.run(play())
