"""What became of a transaction: its receipt, whether it is deep enough, and why it failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from foedus.contracts.bindings import checksum, decode_revert
from foedus.contracts.errors import Reverted, RpcFault, UnknownRevert
from foedus.contracts.rpc import Endpoint
from foedus.protocol.ids import Address, Hash32


@dataclass(frozen=True, slots=True)
class Receipt:
    """A mined transaction: status 1 where it did what it said; `contract` is what it created, if it did."""

    hash: Hash32
    status: int
    gas_used: int
    block: int
    contract: Address | None


async def find_receipt(rpc: Endpoint, hash: Hash32) -> Receipt | None:
    """The receipt of a transaction; None while it is in no block."""
    found: dict[str, Any] | None = await rpc.call("eth_getTransactionReceipt", "0x" + hash.hex())
    if found is None or found.get("blockNumber") is None:
        return None
    made = found.get("contractAddress")
    block, status, gas = (int(found[name], 16) for name in ("blockNumber", "status", "gasUsed"))
    return Receipt(hash, status, gas, block, checksum(made) if made else None)


async def is_known(rpc: Endpoint, hash: Hash32) -> bool:
    """Whether the endpoint has the transaction, mined or waiting."""
    return await rpc.call("eth_getTransactionByHash", "0x" + hash.hex()) is not None


async def refusal(rpc: Endpoint, receipt: Receipt) -> Reverted:
    """Why a mined transaction reverted: found by calling it again on the state before its block."""
    sent = await rpc.call("eth_getTransactionByHash", "0x" + receipt.hash.hex())
    request = {"from": sent["from"], "to": sent["to"], "data": sent["input"], "value": sent["value"]}
    for block in (receipt.block, receipt.block - 1):
        try:
            await rpc.call("eth_call", request, hex(block))
        except RpcFault as fault:
            return decode_revert(fault.data, fault.message)
    return UnknownRevert(b"", f"0x{receipt.hash.hex()} reverted in block {receipt.block}")
