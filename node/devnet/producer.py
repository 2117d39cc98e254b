"""Making one block: run what is ready, seal the header, and lay out the rows to write."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from typing import cast

import rlp
from eth._utils.address import generate_contract_address
from eth.abc import ReceiptAPI
from eth.db.trie import make_trie_root_and_nodes
from eth.vm.forks.prague.blocks import PragueBlock, PragueBlockHeader
from eth.vm.forks.prague.state import PragueState
from eth_utils.exceptions import ValidationError

from foedus.node.devnet.database import LOGS_PER_BLOCK
from foedus.node.devnet.evm import gas_used
from foedus.node.devnet.headers import base_fee
from foedus.node.devnet.pool import Ready, Waiting
from foedus.node.devnet.records import Block


@dataclass(frozen=True, slots=True)
class Executed:
    """A transaction that is in the block; `gas` is what it used, `contract` the address it created."""

    entry: Waiting
    receipt: ReceiptAPI
    gas: int
    status: int
    contract: bytes | None


@dataclass(slots=True)
class Draft:
    """A block in the making; `dropped` holds what no block can hold, with the reason."""

    executed: list[Executed] = field(default_factory=list)
    dropped: list[tuple[Waiting, str]] = field(default_factory=list)
    gas: int = 0


def run_ready(state: PragueState, ready: Ready, gas_limit: int) -> Draft:
    """Execute the candidates that fit, in order; a reverted transaction is in the block with status 0.

    One that fails outside the EVM's rules (its sender has become too poor, or py-evm fails) is dropped without a trace
    in the state, so that it cannot hold up the others.
    """
    draft = Draft()
    while (entry := ready.take()) is not None:
        transaction = entry.transaction
        if draft.gas + transaction.gas > gas_limit:
            continue
        state.lock_changes()
        before = state.snapshot()
        try:
            computation = state.apply_transaction(transaction)
        except ValidationError as error:
            state.revert(before)
            draft.dropped.append((entry, str(error)))
            continue
        except Exception as error:
            state.revert(before)
            draft.dropped.append((entry, f"py-evm failed: {error!r}"))
            continue
        state.commit(before)
        gas = gas_used(transaction, computation)
        draft.gas += gas
        status = 0 if computation.is_error else 1
        receipt = transaction.make_receipt(bytes([1] * status), draft.gas, computation.get_log_entries())
        contract = None
        if not transaction.to and status:
            contract = bytes(generate_contract_address(entry.sender, transaction.nonce))
        draft.executed.append(Executed(entry, receipt, gas, status, contract))
        ready.follow(entry)
    return draft


def seal(header: PragueBlockHeader, state: PragueState, draft: Draft) -> PragueBlockHeader:
    """The finished header, with its roots; the state's nodes go to the database behind it."""
    if not draft.executed:
        return header
    state.persist()
    bloom = 0
    for done in draft.executed:
        bloom |= int(done.receipt.bloom)
    transaction_root, _ = make_trie_root_and_nodes([done.entry.transaction for done in draft.executed])
    receipt_root, _ = make_trie_root_and_nodes([done.receipt for done in draft.executed])
    return cast(
        PragueBlockHeader,
        header.copy(
            state_root=state.state_root,
            transaction_root=transaction_root,
            receipt_root=receipt_root,
            bloom=bloom,
            gas_used=draft.gas,
        ),
    )


def write_block(connection: sqlite3.Connection, header: PragueBlockHeader, draft: Draft) -> Block:
    """Write the block and its indexes, within the caller's transaction."""
    transactions = [done.entry.transaction for done in draft.executed]
    size = len(rlp.encode(PragueBlock(header=header, transactions=transactions, uncles=[], withdrawals=[])))
    number = int(header.block_number)
    block = Block(number, bytes(header.hash), header.timestamp, size, header)
    connection.execute(
        "INSERT INTO blocks VALUES (?, ?, ?, ?, ?)", (number, block.hash, block.timestamp, size, rlp.encode(header))
    )
    first = number * LOGS_PER_BLOCK
    rows: list[tuple[object, ...]] = []
    logs: list[tuple[object, ...]] = []
    for position, done in enumerate(draft.executed):
        price = _paid_price(done.entry, base_fee(header))
        bloom = int(done.receipt.bloom).to_bytes(256, "big")
        rows.append(
            (first + position, done.entry.hash, done.entry.sender, done.entry.raw, done.status, done.gas,
             done.receipt.gas_used, price, done.contract, bloom)
        )  # fmt: skip
        for log in done.receipt.logs:
            topics = [topic.to_bytes(32, "big") for topic in log.topics]
            padded = topics + [None] * (4 - len(topics))
            logs.append((first + len(logs), position, log.address, *padded, log.data))
    connection.executemany("INSERT INTO transactions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    connection.executemany("INSERT INTO logs VALUES (?, ?, ?, ?, ?, ?, ?, ?)", logs)
    return block


def _paid_price(entry: Waiting, fee: int) -> int:
    """wei per gas that the transaction pays in a block with this base fee (EIP-1559)."""
    transaction = entry.transaction
    return int(min(transaction.max_fee_per_gas, fee + transaction.max_priority_fee_per_gas))
