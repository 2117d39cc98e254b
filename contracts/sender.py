"""Signing, sending and waiting: the half of the ledger that writes."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from eth_account.signers.local import LocalAccount

from foedus.contracts.bindings import checksum, decode_revert
from foedus.contracts.calls import Call
from foedus.contracts.errors import (
    BalanceTooLow,
    ChainUnreachable,
    NonceTaken,
    NotMined,
    Reverted,
    RpcFault,
    UnknownRevert,
)
from foedus.contracts.nonces import NonceBook, SignedCall
from foedus.contracts.rpc import Rpc
from foedus.protocol.ids import Address, Hash32, Wei

POLL_SECONDS = 0.2
_POLLS_A_REBROADCAST = 10
_GAS_MARGIN = 60_000
"""What a call may cost over its estimate because others came first: it may close a phase or schedule a draw."""
_PRIORITY_FEE = 10**9


@dataclass(frozen=True, slots=True)
class Receipt:
    """A mined transaction: status 1 where it did what it said; `contract` is what it created, if it did."""

    hash: Hash32
    status: int
    gas_used: int
    block: int
    contract: Address | None


@dataclass(frozen=True, slots=True)
class Fee:
    """What a unit of gas costs, in wei (EIP-1559): in the next block, at most in a transaction, and of that the tip."""

    expected: Wei
    most: Wei
    tip: Wei


class Sender:
    """Sends one account's transactions. Signing and sending are separate, for journals that write in between."""

    def __init__(self, rpc: Rpc, chain_id: int, signer: LocalAccount, confirmations: int) -> None:
        self.address = Address(signer.address)
        self._rpc, self._chain_id, self._signer, self._confirmations = rpc, chain_id, signer, confirmations
        self._book = NonceBook()
        self._lock = asyncio.Lock()

    async def sign(self, call: Call) -> SignedCall:
        """Sign a call that would succeed now; its nonce is set aside until it is mined, refused or abandoned.

        Raises the contract's refusal if it would not succeed, and BalanceTooLow.
        """
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

        Raises NonceTaken where another transaction has the nonce, ChainUnreachable, or the node's RpcFault; after any
        of them the nonce is free again.
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
            receipt = await self._receipt(hash)
            if receipt is not None and await self._is_confirmed(receipt):
                break
            if time.monotonic() >= deadline:
                raise NotMined(hash, timeout)
            await asyncio.sleep(POLL_SECONDS)
            polls += 1
            if receipt is None and polls % _POLLS_A_REBROADCAST == 0:
                await self._revive(hash)
        if receipt.status != 1:
            raise await self._refusal(hash, receipt)
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
        mined = await self._rpc.number("eth_getTransactionCount", self.address, "latest")
        pending = await self._rpc.number("eth_getTransactionCount", self.address, "pending")
        lost = self._book.sent.get(pending)
        if lost is not None and pending >= mined:
            with suppress(NonceTaken, RpcFault):
                await self._revive(lost.hash)
            pending = await self._rpc.number("eth_getTransactionCount", self.address, "pending")
        return self._book.reserve(mined, pending)

    async def _send(self, signed: SignedCall) -> None:
        try:
            await self._rpc.call("eth_sendRawTransaction", "0x" + signed.raw.hex())
        except RpcFault as fault:
            word = fault.message.lower()
            if "already known" in word or "already imported" in word or await self._is_known(signed.hash):
                return
            if "nonce too low" in word or "underpriced" in word or "nonce is too low" in word:
                raise NonceTaken(signed.nonce, signed.hash) from fault
            raise

    async def _is_known(self, hash: Hash32) -> bool:
        return await self._rpc.call("eth_getTransactionByHash", "0x" + hash.hex()) is not None

    async def _revive(self, hash: Hash32) -> None:
        """Send again a transaction of ours that the node has forgotten."""
        signed = next((signed for signed in self._book.sent.values() if signed.hash == hash), None)
        if signed is not None and not await self._is_known(hash):
            await self.broadcast(signed)

    async def _receipt(self, hash: Hash32) -> Receipt | None:
        found: dict[str, Any] | None = await self._rpc.call("eth_getTransactionReceipt", "0x" + hash.hex())
        if found is None or found.get("blockNumber") is None:
            return None
        made = found.get("contractAddress")
        block, status, gas = (int(found[name], 16) for name in ("blockNumber", "status", "gasUsed"))
        return Receipt(hash, status, gas, block, checksum(made) if made else None)

    async def _is_confirmed(self, receipt: Receipt) -> bool:
        if self._confirmations == 0:
            return True
        return await self._rpc.number("eth_blockNumber") >= receipt.block + self._confirmations

    async def _refusal(self, hash: Hash32, receipt: Receipt) -> Reverted:
        """Why a mined transaction reverted: found by calling it again on the state before its block."""
        sent = await self._rpc.call("eth_getTransactionByHash", "0x" + hash.hex())
        request = {"from": sent["from"], "to": sent["to"], "data": sent["input"], "value": sent["value"]}
        for block in (receipt.block, receipt.block - 1):
            try:
                await self._rpc.call("eth_call", request, hex(block))
            except RpcFault as fault:
                return decode_revert(fault.data, fault.message)
        return UnknownRevert(b"", f"0x{hash.hex()} reverted in block {receipt.block}")
