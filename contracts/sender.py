"""Signing, sending and waiting: the half of the ledger that writes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

from eth_account.signers.local import LocalAccount
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes

from foedus.contracts.bindings import decode_revert
from foedus.contracts.calls import Call
from foedus.contracts.delivery import Delivery
from foedus.contracts.errors import (
    BalanceTooLow,
    ChainUnreachable,
    FeeCapReached,
    FeeTooLow,
    NonceTaken,
    NotMined,
    RpcFault,
)
from foedus.contracts.fees import Fee, FeeRules
from foedus.contracts.nonces import NonceBook, SignedCall
from foedus.contracts.receipts import Receipt, find_receipt, is_known, refusal
from foedus.contracts.rpc import Endpoint
from foedus.protocol.ids import Address, Hash32, Wei

__all__ = ["Receipt", "Sender"]

POLL_SECONDS = 0.2
POLLS_A_REBROADCAST = 10
_GAS_MARGIN = 60_000
"""What a call may cost over its estimate because others came first: it may close a phase or schedule a draw."""
_PRIORITY_FEE = 10**9
_FEE_TOO_LOW = ("underpriced", "less than block base fee", "feetoolow", "fee too low")
"""What geth, anvil, Nethermind and the embedded chain say of an offer that no block would take."""


class Sender:
    """Sends one account's transactions. Signing and sending are separate, for journals that write in between."""

    def __init__(
        self,
        rpc: Endpoint,
        chain_id: int,
        signer: LocalAccount,
        confirmations: int,
        may_sign: Callable[[], Awaitable[None]],
        rules: FeeRules | None = None,
    ) -> None:
        """may_sign: raises where nothing may be signed now."""
        self.address = Address(signer.address)
        self.rules = rules or FeeRules()
        self._rpc, self._chain_id, self._signer, self._confirmations = rpc, chain_id, signer, confirmations
        self._may_sign = may_sign
        self._book = NonceBook()
        self._lock = asyncio.Lock()

    async def sign(self, call: Call) -> SignedCall:
        """Sign a call that would succeed now; its nonce is set aside until it is mined, refused or abandoned.

        Raises the contract's refusal if it would not succeed, BalanceTooLow, WrongChain, EndpointsDiffer.
        """
        await self._may_sign()
        gas = await self._estimate(call) * 5 // 4 + _GAS_MARGIN
        block = await self._rpc.call("eth_getBlockByNumber", "latest", False)
        fee = await self._fee_after(block)
        gas = min(gas, int(block["gasLimit"], 16))
        have, need = Wei(await self._rpc.number("eth_getBalance", self.address, "latest")), gas * fee.most + call.value
        if have < need:
            raise BalanceTooLow(self.address, have, Wei(need))
        async with self._lock:
            nonce = await self._reserve()
            try:
                fields = self._fields(call, fee) | {"nonce": nonce, "gas": gas}
                signed = self._signer.sign_transaction(fields)
            except BaseException:
                self._book.free(nonce)
                raise
        return SignedCall(bytes(signed.raw_transaction), Hash32(bytes(signed.hash)), nonce, call.label)

    async def fee(self) -> Fee:
        """The price of gas now."""
        return await self._fee_after(await self._rpc.call("eth_getBlockByNumber", "latest", False))

    async def broadcast(self, signed: SignedCall) -> None:
        """Send the bytes; sending them again changes nothing.

        Raises NonceTaken where another transaction has the nonce, ChainUnreachable, or the node's RpcFault (FeeTooLow
        where it offers too little for gas); after any of them the nonce is free again.
        """
        self._book.note(signed)
        try:
            await self._send(signed)
        except (NonceTaken, ChainUnreachable, RpcFault):
            self._book.release(signed)
            raise

    def abandon(self, signed: SignedCall) -> None:
        """Give up a signed call that was never broadcast."""
        self._book.release(signed)

    async def wait(self, hash: Hash32, timeout: float = 120) -> Receipt:
        """The receipt, once it has the ledger's confirmations. A transaction that the node dropped is sent again.

        Raises the contract's refusal where the transaction reverted, NotMined after `timeout` seconds, NonceTaken.
        """
        deadline = time.monotonic() + timeout
        polls = 0
        while True:
            receipt = await find_receipt(self._rpc, hash)
            if receipt is not None and await self._is_confirmed(receipt):
                return await self._judged(receipt)
            if time.monotonic() >= deadline:
                raise NotMined(hash, timeout)
            await asyncio.sleep(POLL_SECONDS)
            polls += 1
            if receipt is None and polls % POLLS_A_REBROADCAST == 0:
                await self._revive(hash)

    async def see_through(
        self, versions: Sequence[SignedCall], keep: Callable[[SignedCall], None], timeout: float = 120
    ) -> Receipt:
        """Send the last of one call's versions and await whichever is mined; raise the fee where it is stuck.

        versions: the same call under the same nonce, oldest first; keep: writes a new version down before it is sent.
        The receipt is given whatever its status. Raises as `broadcast` does, NotMined, and FeeCapReached or
        BalanceTooLow where a stuck one may not offer more.
        """
        return await Delivery(self, self._rpc, versions, keep).run(timeout)

    async def replacement(self, signed: SignedCall) -> SignedCall:
        """The same call under the same nonce for a higher fee; not sent. Raises FeeCapReached and BalanceTooLow."""
        await self._may_sign()
        before = TypedTransaction.from_bytes(HexBytes(signed.raw)).as_dict()
        now = await self.fee()
        most, tip = self.rules.raised(before["maxFeePerGas"], before["maxPriorityFeePerGas"], now)
        if most > self.rules.cap(now):
            raise FeeCapReached(signed.hash, before["maxFeePerGas"], most, self.rules.cap(now))
        have = Wei(await self._rpc.number("eth_getBalance", self.address, "latest"))
        need = Wei(before["gas"] * most + before["value"])
        if have < need:
            raise BalanceTooLow(self.address, have, need)
        fields = {name: value for name, value in before.items() if name not in ("v", "r", "s", "yParity")}
        fields |= {"maxFeePerGas": most, "maxPriorityFeePerGas": tip}
        made = self._signer.sign_transaction(fields)
        return SignedCall(bytes(made.raw_transaction), Hash32(bytes(made.hash)), signed.nonce, signed.label)

    async def replace(self, signed: SignedCall) -> None:
        """Send a replacement. Whatever comes of it, the nonce stays set aside. Raises as `broadcast` does."""
        await self._send(signed)
        self._book.note(signed)

    def hold(self, signed: SignedCall) -> bool:
        """Set aside the nonce of a call that the chain's node does not hold; False where another call has it."""
        return self._book.hold(signed)

    async def mined(self, versions: Sequence[SignedCall]) -> tuple[Receipt | None, bool]:
        """The receipt of whichever version is mined, and whether it has the ledger's confirmations."""
        for version in reversed(versions):
            receipt = await find_receipt(self._rpc, version.hash)
            if receipt is not None:
                return receipt, await self._is_confirmed(receipt)
        return None, False

    async def next_nonce(self, block: str = "latest") -> int:
        """How many of the account's transactions are mined; with those that wait, for the block `pending`."""
        return await self._rpc.number("eth_getTransactionCount", self.address, block)

    async def _judged(self, receipt: Receipt) -> Receipt:
        if receipt.status != 1:
            raise await refusal(self._rpc, receipt)
        return receipt

    def _fields(self, call: Call, fee: Fee) -> dict[str, Any]:
        fees = {"type": 2, "chainId": self._chain_id, "maxFeePerGas": fee.most, "maxPriorityFeePerGas": fee.tip}
        return fees | {"value": call.value, "data": call.data} | ({} if call.to is None else {"to": call.to})

    async def _estimate(self, call: Call) -> int:
        request: dict[str, str] = {"from": self.address, "data": "0x" + call.data.hex(), "value": hex(call.value)}
        if call.to is not None:
            request["to"] = call.to
        try:
            return await self._rpc.number("eth_estimateGas", request)
        except RpcFault as fault:
            have = Wei(await self._rpc.number("eth_getBalance", self.address, "latest"))
            if have < call.value:
                raise BalanceTooLow(self.address, have, call.value) from fault
            if fault.data or "revert" in fault.message:
                raise decode_revert(fault.data, fault.message) from fault
            raise

    async def _fee_after(self, block: dict[str, Any]) -> Fee:
        base = int(block.get("baseFeePerGas", "0x0"), 16)
        try:
            tip = await self._rpc.number("eth_maxPriorityFeePerGas")
        except RpcFault:
            tip = _PRIORITY_FEE
        return Fee(Wei(base + tip), Wei(2 * base + tip), Wei(tip))

    async def _reserve(self) -> int:
        mined, pending = await self.next_nonce(), await self.next_nonce("pending")
        lost = self._book.sent.get(pending)
        if lost is not None and pending >= mined:
            with suppress(NonceTaken, RpcFault):
                await self._revive(lost.hash)
            pending = await self.next_nonce("pending")
        return self._book.reserve(mined, pending)

    async def _send(self, signed: SignedCall) -> None:
        try:
            await self._rpc.call("eth_sendRawTransaction", "0x" + signed.raw.hex())
        except RpcFault as fault:
            word = fault.message.lower()
            if "already known" in word or "already imported" in word or await is_known(self._rpc, signed.hash):
                return
            if "nonce too low" in word or "nonce is too low" in word or "replacement" in word:
                raise NonceTaken(signed.nonce, signed.hash) from fault
            if any(too_little in word for too_little in _FEE_TOO_LOW):
                raise FeeTooLow(fault, signed.hash) from fault
            raise

    async def _revive(self, hash: Hash32) -> None:
        """Send again a transaction of ours that the node has forgotten."""
        signed = next((signed for signed in self._book.sent.values() if signed.hash == hash), None)
        if signed is not None and not await is_known(self._rpc, hash):
            await self.broadcast(signed)

    async def _is_confirmed(self, receipt: Receipt) -> bool:
        if self._confirmations == 0:
            return True
        return await self._rpc.number("eth_blockNumber") >= receipt.block + self._confirmations
