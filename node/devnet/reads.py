"""JSON-RPC methods that look things up: blocks, transactions, receipts, logs, fees."""

from __future__ import annotations

import time

from eth.vm.forks.prague.blocks import PragueBlockHeader

from foedus.node.devnet.errors import InvalidParams, Refused
from foedus.node.devnet.headers import base_fee, next_base_fee, next_header
from foedus.node.devnet.jsontypes import Json, JsonObject
from foedus.node.devnet.logs import LogFilter
from foedus.node.devnet.params import BlockRef, addresses, block_ref, boolean, octets, quantity, topics
from foedus.node.devnet.records import Block, MinedTransaction
from foedus.node.devnet.view import ChainView
from foedus.node.devnet.wire import (
    block_json,
    log_json,
    mined_transaction_json,
    pending_block_json,
    receipt_json,
    waiting_transaction_json,
)

PRIORITY_FEE = 1_000_000_000
"""wei per gas that the chain suggests as a tip; any tip is mined."""
_MAX_FEE_HISTORY = 1024


def find_block(view: ChainView, ref: BlockRef) -> Block | None:
    """The mined block; for `pending`, the latest."""
    if isinstance(ref, bytes):
        return view.block_by_hash(ref)
    if isinstance(ref, int):
        return view.block_by_number(ref)
    return view.block_by_number(0) if ref == "earliest" else view.head()


def need_block(view: ChainView, ref: BlockRef) -> Block:
    """The mined block. Raises Refused where there is none, as geth does."""
    block = find_block(view, ref)
    if block is None:
        shown = ref.hex() if isinstance(ref, bytes) else ref
        raise Refused(f"header not found: {shown} (the latest block is {view.height()})")
    return block


def pending_header(view: ChainView) -> PragueBlockHeader:
    """The header a block would have now; its state is the latest block's."""
    return next_header(view.head().header, int(time.time()) + view.clock_offset(), bytes(32))


def block_number(view: ChainView, params: list[Json]) -> Json:
    return hex(view.height())


def get_block(view: ChainView, params: list[Json]) -> Json:
    ref = block_ref(params[0])
    full = boolean(params[1], "full transactions") if len(params) > 1 else False
    if ref == "pending":
        return pending_block_json(pending_header(view))
    block = find_block(view, ref)
    return block_json(block, view.transactions_of(block), full) if block else None


def transaction_count_of_block(view: ChainView, params: list[Json]) -> Json:
    block = find_block(view, block_ref(params[0]))
    return hex(len(view.transactions_of(block))) if block else None


def uncle_count(view: ChainView, params: list[Json]) -> Json:
    return "0x0" if find_block(view, block_ref(params[0])) else None


def transaction_at(view: ChainView, params: list[Json]) -> Json:
    block = find_block(view, block_ref(params[0]))
    index = quantity(params[1], "index", 2**32)
    mined = view.transactions_of(block) if block else []
    return mined_transaction_json(mined[index]) if index < len(mined) else None


def get_transaction(view: ChainView, params: list[Json]) -> Json:
    digest = octets(params[0], "transaction hash", 32)
    if mined := view.transaction(digest):
        return mined_transaction_json(mined)
    if waiting := view.waiting(digest):
        return waiting_transaction_json(waiting.transaction, waiting.sender, digest)
    return None


def get_receipt(view: ChainView, params: list[Json]) -> Json:
    mined = view.transaction(octets(params[0], "transaction hash", 32))
    if mined is None:
        return None
    return receipt_json(mined, view.logs_of(mined.block).get(mined.index, []))


def get_block_receipts(view: ChainView, params: list[Json]) -> Json:
    block = find_block(view, block_ref(params[0]))
    if block is None:
        return None
    entries = view.logs_of(block)
    return [receipt_json(mined, entries.get(mined.index, [])) for mined in view.transactions_of(block)]


def get_logs(view: ChainView, params: list[Json]) -> Json:
    given = params[0]
    if not isinstance(given, dict):
        raise InvalidParams("filter: expected an object")
    where, what = addresses(given.get("address")), topics(given.get("topics"))
    if given.get("blockHash") is not None:
        if given.get("fromBlock") is not None or given.get("toBlock") is not None:
            raise InvalidParams("filter: blockHash excludes fromBlock and toBlock")
        block = view.block_by_hash(octets(given["blockHash"], "blockHash", 32))
        if block is None:
            raise Refused("unknown block")
        first = last = block.number
    else:
        height = view.height()
        first = _bound(given.get("fromBlock"), "fromBlock", height)
        last = min(_bound(given.get("toBlock"), "toBlock", height), height)
        if first > last and first <= height:
            raise InvalidParams(f"filter: fromBlock {first} is after toBlock {last}")
    if first > last:
        return []
    return [log_json(entry) for entry in view.logs(LogFilter(first, last, where, what))]


def _bound(value: Json, name: str, height: int) -> int:
    ref = block_ref(value, name)
    if isinstance(ref, bytes):
        raise InvalidParams(f"{name}: expected a block number or tag, got a hash")
    if isinstance(ref, int):
        return ref
    return 0 if ref == "earliest" else height


def gas_price(view: ChainView, params: list[Json]) -> Json:
    return hex(next_base_fee(view.head().header) + PRIORITY_FEE)


def fee_history(view: ChainView, params: list[Json]) -> Json:
    """Base fees, fullness and paid tips (EIP-1559), at most 1,024 blocks back."""
    count = quantity(params[0], "block count", 2**64)
    newest = need_block(view, block_ref(params[1]))
    percentiles = _percentiles(params[2] if len(params) > 2 else None)
    first = max(0, newest.number - min(count, _MAX_FEE_HISTORY) + 1)
    blocks = [need_block(view, number) for number in range(first, newest.number + 1)] if count else []
    fees = [base_fee(block.header) for block in blocks]
    history: JsonObject = {
        "oldestBlock": hex(first),
        "baseFeePerGas": [hex(fee) for fee in [*fees, next_base_fee(newest.header)]],
        "gasUsedRatio": [block.header.gas_used / block.header.gas_limit for block in blocks],
        "baseFeePerBlobGas": ["0x1"] * (len(blocks) + 1),
        "blobGasUsedRatio": [0.0] * len(blocks),
    }
    if percentiles:
        history["reward"] = [_rewards(block, view.transactions_of(block), percentiles) for block in blocks]
    return history


def _percentiles(value: Json) -> list[float]:
    if value is None:
        return []
    numbers = [one for one in value if isinstance(one, int | float)] if isinstance(value, list) else []
    ordered = all(0 <= low <= high <= 100 for low, high in zip(numbers, [*numbers[1:], 100], strict=True))
    if not isinstance(value, list) or len(numbers) != len(value) or len(numbers) > 100 or not ordered:
        raise InvalidParams("reward percentiles: expected up to 100 rising numbers from 0 to 100")
    return [float(one) for one in numbers]


def _rewards(block: Block, mined: list[MinedTransaction], percentiles: list[float]) -> list[Json]:
    """Tips at the given percentiles of the block's gas, in wei per gas."""
    tips = sorted((one.gas_price - base_fee(block.header), one.gas_used) for one in mined)
    rewards: list[Json] = []
    for percentile in percentiles:
        threshold, spent, paid = block.header.gas_used * percentile / 100, 0, 0
        for tip, gas in tips:
            spent, paid = spent + gas, tip
            if spent >= threshold:
                break
        rewards.append(hex(paid))
    return rewards
