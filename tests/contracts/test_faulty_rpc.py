"""Endpoints that stall, limit, lie or differ: the ledger waits, says so, and signs nothing on their word."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from foedus.contracts import calls
from foedus.contracts.deploy import deploy
from foedus.contracts.errors import ChainUnreachable, EndpointsDiffer, HeadImplausible, LogsMissing, WrongChain
from foedus.contracts.ledger import Ledger
from foedus.node.devnet.processes import start_anvil_process, start_chain_process
from foedus.node.follower import Follower
from foedus.protocol.ids import Address, PublicKey, Wei
from tests.contracts.chain import TREASURY, keyring
from tests.contracts.conftest import ANVIL
from tests.contracts.faulty_rpc import FaultyRpc, MethodMissing, a_faulty_rpc
from tests.contracts.remote import SEPOLIA
from tests.protocol.samples import digest, terms

PAYER = keyring(1)[0]
PAYMENT = calls.Call(TREASURY, b"", Wei(5), "pay")
Play = Callable[[FaultyRpc, Ledger], Awaitable[None]]


@pytest.fixture(scope="module")
def embedded_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with start_chain_process(tmp_path_factory.mktemp("chain"), block_time=0) as chain:
        yield chain.url


@pytest.fixture(scope="module")
def testnet() -> Iterator[str]:
    """Anvil under a testnet's chain id: no development chain, as far as the ledger knows."""
    if not ANVIL.exists():
        pytest.skip(f"{ANVIL} is missing: run `make setup-dev`")
    with start_anvil_process(ANVIL, chain_id=SEPOLIA) as chain:
        yield chain.url


def ask(url: str, method: str, *params: object) -> Any:
    answer = httpx.post(url, json={"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}).json()
    assert "error" not in answer, answer
    return answer["result"]


def unsupported(params: list[Any], honest: Callable[[], Any]) -> Any:
    raise MethodMissing


def sent(url: str) -> int:
    return int(ask(url, "eth_getTransactionCount", PAYER.address, "latest"), 16)


def through_a_proxy(url: str, play: Play, timeout: float = 30) -> None:
    async def run() -> None:
        with a_faulty_rpc(url) as rpc:
            async with await Ledger.connect(rpc.url, signer=PAYER, timeout=timeout) as ledger:
                await play(rpc, ledger)

    asyncio.run(run())


def test_an_endpoint_that_stalls_is_given_up_in_time(embedded_url: str) -> None:
    async def play(rpc: FaultyRpc, ledger: Ledger) -> None:
        rpc.stall = 60
        began = time.monotonic()
        with pytest.raises(ChainUnreachable, match="TimeoutError"):
            await ledger.head()
        assert time.monotonic() - began < 3

    through_a_proxy(embedded_url, play, timeout=1)


def test_an_endpoint_that_is_asked_too_often_is_asked_again_when_it_says(embedded_url: str) -> None:
    async def play(rpc: FaultyRpc, ledger: Ledger) -> None:
        rpc.refusals = [(429, {"Retry-After": "1"}), (503, {"Retry-After": "1"}), (429, {})]
        began, asked = time.monotonic(), rpc.asked["eth_getBlockByNumber"]
        assert (await ledger.head()).number >= 0
        assert 2 <= time.monotonic() - began < 10
        assert rpc.asked["eth_getBlockByNumber"] == asked + 4
        rpc.refusals = [(429, {"Retry-After": "3600"})]
        with pytest.raises(ChainUnreachable, match="HTTP status 429"):
            await ledger.head()
        rpc.refusals = [(503, {})]
        with pytest.raises(ChainUnreachable, match="HTTP status 503"):
            await ledger.head()

    through_a_proxy(embedded_url, play)


@pytest.mark.parametrize(
    ("method", "answer", "words"),
    [
        ("eth_chainId", "0x1", "the chain id is 1, but"),
        ("eth_getBlockByNumber", {"hash": "0x" + "ab" * 32}, "the genesis block is 0xabab"),
    ],
)
def test_an_endpoint_that_changes_chains_in_flight_gets_no_signature(
    embedded_url: str, method: str, answer: Any, words: str
) -> None:
    async def play(rpc: FaultyRpc, ledger: Ledger) -> None:
        await ledger.transact(PAYMENT)
        before = sent(embedded_url)

        def lie(params: list[Any], honest: Callable[[], Any]) -> Any:
            return answer if params in ([], ["0x0", False]) else honest()

        rpc.twists[method] = lie
        with pytest.raises(WrongChain, match=words):
            await ledger.transact(PAYMENT)
        assert sent(embedded_url) == before
        assert ask(embedded_url, "eth_getTransactionCount", PAYER.address, "pending") == hex(before)
        del rpc.twists[method]
        await ledger.transact(PAYMENT)
        assert sent(embedded_url) == before + 1

    through_a_proxy(embedded_url, play)


def test_a_head_from_the_future_is_not_believed_but_on_a_development_chain(embedded_url: str, testnet: str) -> None:
    def ahead(params: list[Any], honest: Callable[[], Any]) -> Any:
        block = honest()
        return block | {"timestamp": hex(int(time.time()) + 600)} if params[0] == "latest" else block

    async def testnet_play(rpc: FaultyRpc, ledger: Ledger) -> None:
        rpc.twists["eth_getBlockByNumber"] = ahead
        with pytest.raises(HeadImplausible, match="correct this machine's clock"):
            await ledger.head()

    async def devnet_play(rpc: FaultyRpc, ledger: Ledger) -> None:
        rpc.twists["eth_getBlockByNumber"] = ahead
        assert (await ledger.head()).timestamp > time.time() + 300

    through_a_proxy(testnet, testnet_play)
    through_a_proxy(embedded_url, devnet_play)


async def a_task(url: str, chain_id: int) -> tuple[Any, Address, int]:
    """The contracts, and a task with one participant: (address book, task, its block)."""
    made = terms()
    book = await deploy(url, PAYER, Address(PAYER.address), chain_id)
    async with await Ledger.connect(url, book, PAYER) as ledger:
        create = calls.create_task(book, made.digest, digest("law"), digest("model 0"), made.params, Wei(0))
        block = (await ledger.transact(create)).block
        _, event = (await ledger.tasks())[-1]
        await ledger.transact(calls.deposit(book, made.params.stake))
    return book, event.task, block


async def join(url: str, book: Any, task: Address) -> None:
    key = PublicKey(digest("a key"))
    async with await Ledger.connect(url, book, PAYER) as ledger:
        await ledger.transact(calls.join(task, terms().digest, key, key))


def test_logs_that_an_endpoint_leaves_out_are_missed_by_the_blocks_bloom(testnet: str) -> None:
    async def play() -> None:
        book, task, block = await a_task(testnet, SEPOLIA)
        with a_faulty_rpc(testnet) as rpc:
            async with await Ledger.connect(rpc.url, book) as ledger:
                follower = Follower(ledger, task, block, confirmations=1)
                await follower.poll()
                await join(testnet, book, task)
                ask(testnet, "evm_mine")
                rpc.twists["eth_getLogs"] = lambda params, honest: []
                with pytest.raises(LogsMissing, match=r"gave 0 logs of .* but the block holds 1"):
                    await follower.poll()
                assert not follower.state.participants

                def by_block_only(params: list[Any], honest: Callable[[], Any]) -> Any:
                    return honest() if "blockHash" in params[0] else []

                rpc.twists = {"eth_getLogs": by_block_only, "eth_getBlockReceipts": unsupported}
                with pytest.raises(LogsMissing, match="but the block holds 1"):
                    await follower.poll()
                rpc.twists.clear()
                assert len((await follower.poll()).participants) == 1

    asyncio.run(play())


def test_a_head_that_goes_back_is_waited_for_and_nothing_is_forgotten(embedded_url: str) -> None:
    async def play() -> None:
        book, task, block = await a_task(embedded_url, 31337)
        await join(embedded_url, book, task)
        with a_faulty_rpc(embedded_url) as rpc:
            async with await Ledger.connect(rpc.url, book) as ledger:
                follower = Follower(ledger, task, block)
                assert len((await follower.poll()).participants) == 1

                def behind(params: list[Any], honest: Callable[[], Any]) -> Any:
                    asked = hex(block) if params[0] == "latest" else params[0]
                    return ask(embedded_url, "eth_getBlockByNumber", asked, False) if int(asked, 16) <= block else None

                rpc.twists["eth_getBlockByNumber"] = behind
                for _ in range(2):
                    with pytest.raises(HeadImplausible, match="the endpoint is behind"):
                        await follower.poll()
                assert len(follower.entries) == 3
                rpc.twists.clear()
                assert len((await follower.poll()).participants) == 1

    asyncio.run(play())


def test_only_what_is_final_counts_unless_a_depth_is_given(testnet: str) -> None:
    async def play() -> None:
        book, task, block = await a_task(testnet, SEPOLIA)
        async with await Ledger.connect(testnet, book) as ledger:
            final, shallow = Follower(ledger, task, block), Follower(ledger, task, block, confirmations=2)
            assert await final.poll() is None
            ask(testnet, "anvil_mine", "0x2")
            assert await final.poll() is None
            assert await shallow.poll() is not None
            ask(testnet, "anvil_mine", "0x60")
            head, settled = await ledger.head(), ask(testnet, "eth_getBlockByNumber", "finalized", False)
            assert await final.poll() is not None
            assert block <= int(settled["number"], 16) < head.number
            assert (await ledger.settled(head, 0)).hash.hex() == settled["hash"][2:]

    asyncio.run(play())


def test_two_endpoints_that_differ_are_named_and_nothing_is_signed(embedded_url: str) -> None:
    async def play() -> None:
        book, task, block = await a_task(embedded_url, 31337)
        with a_faulty_rpc(embedded_url) as first, a_faulty_rpc(embedded_url) as second:
            async with await Ledger.connect([first.url, second.url], book, PAYER) as ledger:
                follower = Follower(ledger, task, block)
                assert (await follower.poll()).phase is not None
                before = sent(embedded_url)

                def other_hash(params: list[Any], honest: Callable[[], Any]) -> Any:
                    found = honest()
                    return found if params[0] in ("0x0", "latest") else found | {"hash": "0x" + "cd" * 32}

                second.twists["eth_getBlockByNumber"] = other_hash
                with pytest.raises(EndpointsDiffer, match=rf"at {first.url}, but 0x(cd)+ at {second.url}"):
                    await ledger.transact(PAYMENT)
                second.twists = {"eth_blockNumber": lambda params, honest: hex(int(honest(), 16) + 6)}
                with pytest.raises(EndpointsDiffer, match="the number of the head"):
                    await ledger.sign(PAYMENT)
                second.twists = {"eth_chainId": lambda params, honest: "0x1"}
                with pytest.raises(EndpointsDiffer, match="the chain id"):
                    await ledger.sign(PAYMENT)
                assert sent(embedded_url) == before
                await join(embedded_url, book, task)
                second.twists = {"eth_getLogs": lambda params, honest: []}
                with pytest.raises(EndpointsDiffer, match=r"is 1 logs with digest .* but 0 logs"):
                    await follower.poll()
                second.twists = {}
                assert len((await follower.poll()).participants) == 1
                await ledger.transact(PAYMENT)

    asyncio.run(play())


def test_where_one_endpoint_is_down_the_other_serves_with_a_warning(embedded_url: str) -> None:
    async def play() -> None:
        with a_faulty_rpc(embedded_url) as first, a_faulty_rpc(embedded_url) as second:
            urls = [first.url, second.url]
            async with await Ledger.connect(urls, signer=PAYER, timeout=1) as ledger:
                before = sent(embedded_url)
                first.stall = 60
                with capture_logs() as warned:
                    await ledger.transact(PAYMENT)
                assert sent(embedded_url) == before + 1
                assert [(line["log_level"], line["rpc"]) for line in warned] == [("warning", first.url)]
                second.stall = 60
                with pytest.raises(ChainUnreachable, match=f"no chain answers at {first.url} and {second.url}"):
                    await ledger.head()

    asyncio.run(play())


def test_more_than_two_endpoints_are_refused() -> None:
    with pytest.raises(ValueError, match="3 RPC endpoints"):
        asyncio.run(Ledger.connect(["http://127.0.0.1:9"] * 3))
