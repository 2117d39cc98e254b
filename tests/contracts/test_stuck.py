"""Transactions that do not get mined: replaced for a higher fee, under the same nonce, and mined once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes

from foedus.contracts.calls import Call
from foedus.contracts.errors import FeeCapReached, NonceTaken
from foedus.contracts.fees import Fee, FeeRules
from foedus.contracts.ledger import Ledger
from foedus.node.devnet.processes import start_anvil_process
from foedus.node.journal import Journal
from foedus.node.outbox import Outbox
from foedus.protocol.ids import Wei
from tests.contracts.chain import TREASURY, keyring
from tests.contracts.conftest import ANVIL
from tests.contracts.faulty_rpc import a_faulty_rpc

GWEI = 10**9
HASTY = FeeRules(seconds=1, blocks=2, most=Wei(10**15))
PAYMENT = Call(TREASURY, b"", Wei(5), "pay")
PAYER = keyring(1)[0]
TASK = TREASURY


@dataclass
class Slow:
    """Anvil that mines when told to."""

    url: str

    def rpc(self, method: str, *params: object) -> Any:
        answer = httpx.post(self.url, json={"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}).json()
        assert "error" not in answer, answer
        return answer["result"]

    def mine(self, base: int) -> None:
        """A block with this base fee, in wei."""
        self.rpc("anvil_setNextBlockBaseFeePerGas", hex(base))
        self.rpc("evm_mine")

    def paid(self) -> tuple[int, int]:
        """What the payments brought, and how many of the payer's transactions were mined."""
        count = self.rpc("eth_getTransactionCount", PAYER.address, "latest")
        return int(self.rpc("eth_getBalance", TREASURY, "latest"), 16), int(count, 16)

    async def mine_until(self, waiting: asyncio.Task[Any], base: int) -> None:
        """Blocks at this base fee until somebody's waiting ends."""
        for _ in range(60):
            self.mine(base)
            if (await asyncio.wait([waiting], timeout=0.25))[0]:
                return
        raise AssertionError("still waiting")


@pytest.fixture
def slow() -> Iterator[Slow]:
    if not ANVIL.exists():
        pytest.skip(f"{ANVIL} is missing: run `make setup-dev`")
    with start_anvil_process(ANVIL) as chain:
        made = Slow(chain.url)
        made.rpc("evm_setAutomine", False)
        yield made


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "journal", bytes(PAYER.key))
    yield made
    made.close()


async def until(happened: Callable[[], bool]) -> None:
    """Wait for something, 20 s at most."""
    for _ in range(400):
        if happened():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not happen")


def fees_of(raw: bytes) -> dict[str, Any]:
    return TypedTransaction.from_bytes(HexBytes(raw)).as_dict()


def test_a_stuck_transaction_is_sent_again_for_more_under_its_nonce_and_mined_once(slow: Slow, journal: Journal):
    async def play() -> None:
        async with await Ledger.connect(slow.url, signer=PAYER, fees=HASTY) as ledger:
            sending = asyncio.create_task(Outbox(ledger, journal, TASK).send("pay", PAYMENT))
            await until(lambda: slow.rpc("txpool_status")["pending"] != "0x0")
            first = journal.sent(TASK, "pay")
            await slow.mine_until(sending, 20 * GWEI)
            receipt, last = sending.result(), journal.sent(TASK, "pay")
            assert receipt.hash == last.hash != first.hash
            assert last.nonce == first.nonce
            assert journal.sent(TASK, "pay~0") == first, "the version that was replaced is still known"
            old, new = fees_of(first.raw), fees_of(last.raw)
            for fee in ("maxFeePerGas", "maxPriorityFeePerGas"):
                assert new[fee] * 8 >= old[fee] * 9
            assert [new[name] for name in ("to", "data", "value", "gas", "nonce", "chainId")] == [
                old[name] for name in ("to", "data", "value", "gas", "nonce", "chainId")
            ]
            assert slow.paid() == (5, 1)

    asyncio.run(play())


def test_an_old_version_that_is_mined_after_all_is_the_payment(slow: Slow, journal: Journal):
    async def play() -> None:
        with a_faulty_rpc(slow.url) as rpc:
            async with await Ledger.connect(rpc.url, signer=PAYER, fees=HASTY) as ledger:
                sending = asyncio.create_task(Outbox(ledger, journal, TASK).send("pay", PAYMENT))
                await until(lambda: slow.rpc("txpool_status")["pending"] != "0x0")
                first = journal.sent(TASK, "pay")
                rpc.twists["eth_sendRawTransaction"] = lambda params, honest: "0x" + "00" * 32
                for _ in range(60):
                    slow.mine(20 * GWEI)
                    await asyncio.sleep(0.25)
                    if journal.sent(TASK, "pay") != first:
                        break
                assert journal.sent(TASK, "pay") != first
                slow.rpc("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
                slow.rpc("eth_sendRawTransaction", "0x" + first.raw.hex())  # some node of the network still has it
                slow.rpc("evm_mine")
                assert (await asyncio.wait_for(sending, 20)).hash == first.hash
        assert slow.paid() == (5, 1)

    asyncio.run(play())


def test_a_crash_between_writing_a_replacement_and_sending_it_pays_once(slow: Slow, journal: Journal):
    async def crashed() -> None:
        async with await Ledger.connect(slow.url, signer=PAYER, fees=HASTY) as ledger:
            signed = await ledger.sign(PAYMENT)
            outbox = Outbox(ledger, journal, TASK)
            outbox._keep("pay", signed)
            await ledger.broadcast(signed)
            made = await ledger._writer.replacement(signed)
            outbox._keep("pay~0", signed)
            outbox._keep("pay", made)

    async def restarted() -> None:
        async with await Ledger.connect(slow.url, signer=PAYER, fees=HASTY) as ledger:
            for _ in range(2):
                receipt = await Outbox(ledger, journal, TASK).send("pay", PAYMENT)
                assert receipt.hash == journal.sent(TASK, "pay~0").hash

    asyncio.run(crashed())
    slow.mine(GWEI)
    asyncio.run(restarted())
    assert slow.paid() == (5, 1)


def test_bytes_that_no_block_would_take_any_more_are_replaced_at_once(slow: Slow, journal: Journal):
    async def play() -> None:
        async with await Ledger.connect(slow.url, signer=PAYER) as ledger:
            signed = await ledger.sign(PAYMENT)
            Outbox(ledger, journal, TASK)._keep("pay", signed)
        slow.mine(50 * GWEI)
        async with await Ledger.connect(slow.url, signer=PAYER) as ledger:
            sending = asyncio.create_task(Outbox(ledger, journal, TASK).send("pay", PAYMENT))
            await slow.mine_until(sending, 50 * GWEI)
            last = journal.sent(TASK, "pay")
            assert sending.result().hash == last.hash
            assert last.nonce == signed.nonce
            assert journal.sent(TASK, "pay~0").hash == signed.hash
        assert slow.paid() == (5, 1)

    asyncio.run(play())


def test_a_fee_past_the_cap_is_not_offered_and_the_error_says_so(slow: Slow, journal: Journal):
    async def play() -> None:
        thrifty = FeeRules(seconds=1, blocks=2, most=Wei(GWEI))
        async with await Ledger.connect(slow.url, signer=PAYER, fees=thrifty) as ledger:
            outbox = Outbox(ledger, journal, TASK, seconds=5)
            sending = asyncio.create_task(outbox.send("pay", PAYMENT))
            await until(lambda: slow.rpc("txpool_status")["pending"] != "0x0")
            first = journal.sent(TASK, "pay")
            await slow.mine_until(sending, 20 * GWEI)
            with pytest.raises(FeeCapReached, match=f"is stuck at .* would have to offer .* > {GWEI}") as refusal:
                sending.result()
            assert refusal.value.transaction == first.hash
            assert journal.sent(TASK, "pay") == first
            again = asyncio.create_task(outbox.send("pay", PAYMENT))
            slow.mine(GWEI // 2)
            await slow.mine_until(again, GWEI // 2)
            assert again.result().hash == first.hash
        assert slow.paid() == (5, 1)

    asyncio.run(play())


def test_another_programs_transaction_is_never_pushed_out(slow: Slow):
    async def play() -> None:
        async with await Ledger.connect(slow.url, signer=PAYER, fees=HASTY) as ledger:
            mine = await ledger.sign(PAYMENT)
            slow.mine(50 * GWEI)
            async with await Ledger.connect(slow.url, signer=PAYER) as other:
                theirs = await other.sign(Call(TREASURY, b"", Wei(700), "pay"))
                assert theirs.nonce == mine.nonce
                await other.broadcast(theirs)
            with pytest.raises(NonceTaken):
                await ledger.see_through([mine], lambda _: None, 10)
            sending = asyncio.create_task(ledger.transact(PAYMENT))
            await slow.mine_until(sending, 50 * GWEI)
        assert slow.paid() == (705, 2)

    asyncio.run(play())


def test_every_version_is_in_the_journal_before_it_is_sent(slow: Slow, journal: Journal):
    async def play() -> None:
        with a_faulty_rpc(slow.url) as rpc:
            seen: list[bool] = []

            def look(params: list[Any], honest: Callable[[], Any]) -> Any:
                seen.append(params[0] == "0x" + journal.sent(TASK, "pay").raw.hex())
                return honest()

            rpc.twists["eth_sendRawTransaction"] = look
            async with await Ledger.connect(rpc.url, signer=PAYER, fees=HASTY) as ledger:
                sending = asyncio.create_task(Outbox(ledger, journal, TASK).send("pay", PAYMENT))
                await until(lambda: slow.rpc("txpool_status")["pending"] != "0x0")
                await slow.mine_until(sending, 20 * GWEI)
            assert len(seen) >= 2
            assert all(seen)

    asyncio.run(play())


def test_a_gap_that_a_crash_left_is_filled_by_what_is_signed_next(slow: Slow, journal: Journal):
    async def crashed() -> None:
        async with await Ledger.connect(slow.url, signer=PAYER) as ledger:
            await ledger.sign(PAYMENT)
            second = await ledger.sign(PAYMENT)
            await ledger.broadcast(second)
            assert second.nonce == 1

    async def restarted() -> None:
        async with await Ledger.connect(slow.url, signer=PAYER) as ledger:
            sending = asyncio.create_task(Outbox(ledger, journal, TASK).send("pay", PAYMENT))
            await slow.mine_until(sending, GWEI)
            assert journal.sent(TASK, "pay").nonce == 0

    asyncio.run(crashed())
    asyncio.run(restarted())
    slow.mine(GWEI)
    assert slow.paid() == (10, 2)


def test_a_replacement_offers_an_eighth_more_and_at_least_the_price_of_gas():
    now = Fee(Wei(100), Wei(190), Wei(10))
    assert FeeRules(most=Wei(10**6)).raised(Wei(80), Wei(8), now) == (190, 10)
    assert FeeRules(most=Wei(10**6)).raised(Wei(800), Wei(80), now) == (901, 91)
    assert FeeRules(most=Wei(150)).raised(Wei(80), Wei(8), now) == (150, 10)
    assert FeeRules(times_price=10, most=Wei(10**6)).cap(now) == 1000
    assert FeeRules(times_price=10, most=Wei(500)).cap(now) == 500
