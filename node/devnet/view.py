"""Reading the chain: blocks, receipts, logs and states, over a connection of the reader's own.

Anything committed is visible to the next call. A view belongs to one thread at a time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from eth.constants import MAX_PREV_HEADER_DEPTH
from eth.db.atomic import AtomicDB
from eth_typing import Address, Hash32

from foedus.node.devnet.database import LOGS_PER_BLOCK, NodeStore
from foedus.node.devnet.evm import Evm
from foedus.node.devnet.headers import decode_header
from foedus.node.devnet.logs import LogFilter, find_logs, logs_of
from foedus.node.devnet.pool import Waiting
from foedus.node.devnet.records import Block, LogEntry, MinedTransaction
from foedus.node.devnet.transactions import decode_transaction, sender_of

_BLOCK = "SELECT number, hash, timestamp, size, header FROM blocks"
_TRANSACTION = (
    "SELECT id, hash, sender, raw, status, gas_used, cumulative_gas, gas_price, contract, bloom FROM transactions"
)
_TransactionRow = tuple[int, bytes, bytes, bytes, int, int, int, int, bytes | None, bytes]


class ChainView:
    """The chain as a reader sees it."""

    def __init__(self, connection: sqlite3.Connection, chain_id: int, nodes: NodeStore | None = None) -> None:
        self._connection = connection
        self.chain_id = chain_id
        self.evm = Evm(chain_id, AtomicDB(NodeStore(connection) if nodes is None else nodes), self._ancestors)
        self._last_block: Block | None = None

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def height(self) -> int:
        """The number of the latest block."""
        (number,) = self._connection.execute("SELECT max(number) FROM blocks").fetchone()
        return int(number)

    def head(self) -> Block:
        """The latest block."""
        row = self._connection.execute(f"{_BLOCK} ORDER BY number DESC LIMIT 1").fetchone()
        return self._block(row)

    def block_by_number(self, number: int) -> Block | None:
        """The block with this number, if there is one."""
        row = self._connection.execute(f"{_BLOCK} WHERE number = ?", (number,)).fetchone()
        return self._block(row) if row else None

    def block_by_hash(self, block_hash: bytes) -> Block | None:
        """The block with this hash, if there is one."""
        row = self._connection.execute(f"{_BLOCK} WHERE hash = ?", (block_hash,)).fetchone()
        return self._block(row) if row else None

    def transactions_of(self, block: Block) -> list[MinedTransaction]:
        """The block's transactions in order."""
        rows = self._connection.execute(f"{_TRANSACTION} WHERE id BETWEEN ? AND ? ORDER BY id", _ids(block.number))
        return [_mined(row, block) for row in rows]

    def transaction(self, transaction_hash: bytes) -> MinedTransaction | None:
        """The mined transaction with this hash, if there is one."""
        row = self._connection.execute(f"{_TRANSACTION} WHERE hash = ?", (transaction_hash,)).fetchone()
        if row is None:
            return None
        block = self.block_by_number(row[0] // LOGS_PER_BLOCK)
        return _mined(row, block) if block else None

    def waiting(self, transaction_hash: bytes) -> Waiting | None:
        """The transaction with this hash, if it waits in the pool."""
        row = self._connection.execute(
            "SELECT arrival, raw FROM pool WHERE hash = ?", (transaction_hash,)
        ).fetchone()  # fmt: skip
        if row is None:
            return None
        transaction = decode_transaction(row[1])
        return Waiting(row[0], transaction_hash, sender_of(transaction), row[1], transaction)

    def pending_nonce(self, sender: Address, mined: int) -> int:
        """The next nonce a wallet should sign: `mined` and what waits in an unbroken row after it."""
        rows = self._connection.execute("SELECT nonce FROM pool WHERE sender = ? AND nonce >= ?", (sender, mined))
        nonces = {nonce for (nonce,) in rows}
        while mined in nonces:
            mined += 1
        return mined

    def logs(self, wanted: LogFilter) -> list[LogEntry]:
        """Matching logs in chain order. Raises TooMuch beyond the bound on one answer."""
        return find_logs(self._connection, wanted)

    def logs_of(self, block: Block) -> dict[int, list[LogEntry]]:
        """The block's logs by the index of their transaction."""
        by_transaction: dict[int, list[LogEntry]] = {}
        for entry in logs_of(self._connection, block.number):
            by_transaction.setdefault(entry.transaction_index, []).append(entry)
        return by_transaction

    def clock_offset(self) -> int:
        """Seconds by which the chain's clock is ahead of the machine's."""
        row = self._connection.execute("SELECT value FROM meta WHERE name = 'clock.offset'").fetchone()
        return int(row[0]) if row else 0

    def _block(self, row: tuple[int, bytes, int, int, bytes]) -> Block:
        last = self._last_block
        if last is None or last.hash != row[1]:
            last = self._last_block = Block(row[0], row[1], row[2], row[3], decode_header(row[4]))
        return last

    def _ancestors(self, number: int) -> Iterator[Hash32]:
        rows = self._connection.execute(
            "SELECT hash FROM blocks WHERE number < ? ORDER BY number DESC LIMIT ?", (number, MAX_PREV_HEADER_DEPTH)
        ).fetchall()
        yield from (Hash32(row[0]) for row in rows)


def _ids(block_number: int) -> tuple[int, int]:
    return block_number * LOGS_PER_BLOCK, (block_number + 1) * LOGS_PER_BLOCK - 1


def _mined(row: _TransactionRow, block: Block) -> MinedTransaction:
    return MinedTransaction(block, row[0] % LOGS_PER_BLOCK, *row[1:])
