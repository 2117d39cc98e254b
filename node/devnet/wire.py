"""Blocks, transactions, receipts and logs as geth's JSON-RPC writes them (ethereum/execution-apis)."""

from __future__ import annotations

from eth.abc import SignedTransactionAPI
from eth.vm.forks.prague.blocks import PragueBlockHeader

from foedus.node.devnet.headers import base_fee
from foedus.node.devnet.jsontypes import Json, JsonObject, hex_bytes
from foedus.node.devnet.records import Block, LogEntry, MinedTransaction
from foedus.node.devnet.transactions import decode_transaction

_LEGACY, _ACCESS_LIST, _SET_CODE = 0, 1, 4


def header_json(header: PragueBlockHeader) -> JsonObject:
    """The fields of a block that its hash covers."""
    return {
        "parentHash": hex_bytes(header.parent_hash),
        "sha3Uncles": hex_bytes(header.uncles_hash),
        "miner": hex_bytes(header.coinbase),
        "stateRoot": hex_bytes(header.state_root),
        "transactionsRoot": hex_bytes(header.transaction_root),
        "receiptsRoot": hex_bytes(header.receipt_root),
        "logsBloom": hex_bytes(int(header.bloom).to_bytes(256, "big")),
        "difficulty": hex(header.difficulty),
        "number": hex(header.block_number),
        "gasLimit": hex(header.gas_limit),
        "gasUsed": hex(header.gas_used),
        "timestamp": hex(header.timestamp),
        "extraData": hex_bytes(header.extra_data),
        "mixHash": hex_bytes(header.mix_hash),
        "nonce": hex_bytes(header.nonce),
        "baseFeePerGas": hex(base_fee(header)),
        "withdrawalsRoot": hex_bytes(header.withdrawals_root or b""),
        "blobGasUsed": hex(header.blob_gas_used),
        "excessBlobGas": hex(header.excess_blob_gas),
        "parentBeaconBlockRoot": hex_bytes(header.parent_beacon_block_root or b""),
        "requestsHash": hex_bytes(header.requests_hash),
    }


def block_json(block: Block, transactions: list[MinedTransaction], full: bool) -> JsonObject:
    """A block with its transactions in full, or their hashes."""
    listed: list[Json] = [mined_transaction_json(t) if full else hex_bytes(t.hash) for t in transactions]
    return {
        "hash": hex_bytes(block.hash),
        **header_json(block.header),
        "totalDifficulty": "0x0",
        "size": hex(block.size),
        "uncles": [],
        "transactions": listed,
        "withdrawals": [],
    }


def pending_block_json(header: PragueBlockHeader) -> JsonObject:
    """The block that would come next, without hash, nonce and transactions."""
    return {
        **header_json(header),
        "hash": None,
        "nonce": None,
        "miner": None,
        "totalDifficulty": "0x0",
        "size": "0x0",
        "uncles": [],
        "transactions": [],
        "withdrawals": [],
    }


def mined_transaction_json(mined: MinedTransaction) -> JsonObject:
    """A transaction in a block; `gasPrice` is what it paid."""
    return {
        **_signed_json(decode_transaction(mined.raw), mined.sender, mined.hash),
        "gasPrice": hex(mined.gas_price),
        "blockHash": hex_bytes(mined.block.hash),
        "blockNumber": hex(mined.block.number),
        "transactionIndex": hex(mined.index),
        "blockTimestamp": hex(mined.block.timestamp),
    }


def waiting_transaction_json(transaction: SignedTransactionAPI, sender: bytes, transaction_hash: bytes) -> JsonObject:
    """A transaction in the pool; `gasPrice` is the most it would pay."""
    return {
        **_signed_json(transaction, sender, transaction_hash),
        "gasPrice": hex(transaction.max_fee_per_gas),
        "blockHash": None,
        "blockNumber": None,
        "transactionIndex": None,
        "blockTimestamp": None,
    }


def receipt_json(mined: MinedTransaction, logs: list[LogEntry]) -> JsonObject:
    """A receipt; `logs` are the transaction's."""
    transaction = decode_transaction(mined.raw)
    return {
        "type": hex(transaction.type_id or _LEGACY),
        "status": hex(mined.status),
        "cumulativeGasUsed": hex(mined.cumulative_gas),
        "logs": [log_json(entry) for entry in logs],
        "logsBloom": hex_bytes(mined.bloom),
        "transactionHash": hex_bytes(mined.hash),
        "transactionIndex": hex(mined.index),
        "blockHash": hex_bytes(mined.block.hash),
        "blockNumber": hex(mined.block.number),
        "gasUsed": hex(mined.gas_used),
        "effectiveGasPrice": hex(mined.gas_price),
        "from": hex_bytes(mined.sender),
        "to": hex_bytes(transaction.to) if transaction.to else None,
        "contractAddress": hex_bytes(mined.contract) if mined.contract else None,
    }


def log_json(entry: LogEntry) -> JsonObject:
    """One event."""
    return {
        "address": hex_bytes(entry.address),
        "topics": [hex_bytes(topic) for topic in entry.topics],
        "data": hex_bytes(entry.data),
        "blockHash": hex_bytes(entry.block_hash),
        "blockNumber": hex(entry.block_number),
        "blockTimestamp": hex(entry.block_timestamp),
        "transactionHash": hex_bytes(entry.transaction_hash),
        "transactionIndex": hex(entry.transaction_index),
        "logIndex": hex(entry.index),
        "removed": False,
    }


def _signed_json(transaction: SignedTransactionAPI, sender: bytes, transaction_hash: bytes) -> JsonObject:
    kind = transaction.type_id or _LEGACY
    fields: JsonObject = {
        "type": hex(kind),
        "hash": hex_bytes(transaction_hash),
        "from": hex_bytes(sender),
        "nonce": hex(transaction.nonce),
        "gas": hex(transaction.gas),
        "to": hex_bytes(transaction.to) if transaction.to else None,
        "value": hex(transaction.value),
        "input": hex_bytes(transaction.data),
        "r": hex(transaction.r),
        "s": hex(transaction.s),
    }
    if kind == _LEGACY:
        fields["v"] = hex(transaction.v)  # type: ignore[attr-defined]  # only the legacy kind has it
        if transaction.chain_id is not None:
            fields["chainId"] = hex(transaction.chain_id)
        return fields
    fields |= {
        "chainId": hex(transaction.chain_id or 0),
        "v": hex(transaction.y_parity),
        "yParity": hex(transaction.y_parity),
        "accessList": [
            {"address": hex_bytes(place), "storageKeys": [f"{slot:#066x}" for slot in slots]}
            for place, slots in transaction.access_list
        ],
    }
    if kind != _ACCESS_LIST:
        fields["maxFeePerGas"] = hex(transaction.max_fee_per_gas)
        fields["maxPriorityFeePerGas"] = hex(transaction.max_priority_fee_per_gas)
    if kind == _SET_CODE:
        fields["authorizationList"] = [
            {
                "chainId": hex(one.chain_id), "address": hex_bytes(one.address), "nonce": hex(one.nonce),
                "yParity": hex(one.y_parity), "r": hex(one.r), "s": hex(one.s),
            }
            for one in transaction.authorization_list
        ]  # fmt: skip
    return fields
