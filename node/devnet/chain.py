"""The embedded chain: transactions in, blocks out, everything on disk.

Mining policy. A transaction that can run goes into a block before it is acknowledged; those that arrive together share
a block. `mine` adds an empty block, which the server does where none has come for a while, so that time and block
hashes move on. Timestamps are the machine's clock plus an offset that tests may move, and never run backwards (see
`headers`).

A submission, its block and the block's indexes are one SQLite transaction: what is acknowledged survives `kill -9`.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import structlog
from eth.db.atomic import AtomicDB
from eth.vm.forks.prague.blocks import PragueBlockHeader
from eth_typing import Address

from foedus.node.devnet.database import LOGS_PER_BLOCK, NodeStore, open_reader, open_writer
from foedus.node.devnet.errors import InvalidParams, Refused, RpcError
from foedus.node.devnet.genesis import Genesis, check_same, genesis_header, remember
from foedus.node.devnet.headers import base_fee, next_base_fee, next_header
from foedus.node.devnet.pool import Pool
from foedus.node.devnet.producer import Draft, run_ready, seal, write_block
from foedus.node.devnet.records import Block
from foedus.node.devnet.transactions import check_transaction, decode_transaction, sender_of
from foedus.node.devnet.view import ChainView

log = structlog.get_logger(__name__)

Submission = bytes | Callable[["EmbeddedChain"], bytes]
"""A signed transaction, or a function that signs one against the chain as it finds it."""


class EmbeddedChain:
    """One chain in one folder, with one writer.

    `clock` gives Unix seconds. Methods belong to one thread at a time; `open_view` gives readers their own eyes.
    Raises GenesisMismatch where the folder holds another chain, FormatMismatch where another version wrote it.
    """

    def __init__(self, folder: Path, genesis: Genesis | None = None, clock: Callable[[], float] = time.time) -> None:
        self.folder = folder
        self.genesis = genesis or Genesis()
        self.keys = {account.address: account.key for account in self.genesis.wallets()}
        self._clock = clock
        self._connection = open_writer(folder)
        self._nodes = NodeStore(self._connection)
        self.view = ChainView(self._connection, self.genesis.chain_id, self._nodes)
        self._pool = Pool(self._connection)
        self._snapshots: dict[int, tuple[int, int]] = {}
        self._marks = itertools.count()
        if not check_same(self._connection, folder, self.genesis):
            self._begin()
        self._head = self.view.head()
        self._exact_timestamp: int | None = None
        self._mined_at = clock()

    def close(self) -> None:
        """Close the file; nothing is lost by not calling this."""
        self._connection.close()

    def open_view(self) -> ChainView:
        """A view over a connection of its own, for another thread."""
        return ChainView(open_reader(self.folder), self.genesis.chain_id)

    def now(self) -> int:
        """The chain's clock, Unix seconds."""
        return int(self._clock()) + self.view.clock_offset()

    def age(self) -> float:
        """Seconds since this process mined a block, or opened the chain."""
        return self._clock() - self._mined_at

    def next_header(self) -> PragueBlockHeader:
        """The header a block would have now; its state is the head's."""
        return next_header(self._head.header, self.now(), bytes(32))

    def pending_nonce(self, sender: Address) -> int:
        """The nonce of the next transaction from this address, after those that wait."""
        return self._pool.next_nonce(sender, self.view.evm.state(self._head.header).get_nonce(sender))

    def submit(self, submissions: Sequence[Submission]) -> list[bytes | RpcError]:
        """Accept transactions and mine what can run; for each its hash, or why it was refused.

        An accepted transaction whose nonce is not next waits in the pool, on disk.
        """
        answers: list[bytes | RpcError] = []
        with self._transaction():
            for submission in submissions:
                try:
                    raw = submission if isinstance(submission, bytes) else submission(self)
                    answers.append(self._admit(raw))
                except RpcError as error:
                    answers.append(error)
                except Exception as error:
                    log.exception("submission failed")
                    answers.append(RpcError(-32603, f"the transaction could not be read: {error!r}"))
            dropped = self._mine_ready()
        return [dropped.get(answer, answer) if isinstance(answer, bytes) else answer for answer in answers]

    def mine(self, blocks: int = 1, timestamp: int | None = None) -> None:
        """Mine now; `timestamp` (Unix seconds) sets the first block's time and the clock with it.

        Raises InvalidParams for a time before the latest block's.
        """
        with self._transaction():
            if timestamp is not None:
                self._set_exact(timestamp)
            for _ in range(blocks):
                self._mine_block()
            self._mine_ready()

    def increase_time(self, seconds: int) -> int:
        """Move the chain's clock forward; returns its whole lead over the machine's, in seconds."""
        if seconds < 0:
            raise InvalidParams(f"cannot move the clock by {seconds} s: time does not run backwards")
        with self._transaction():
            return self._set_offset(self.view.clock_offset() + seconds)

    def set_next_timestamp(self, timestamp: int) -> None:
        """Give the next block this time (Unix seconds), and let the clock run on from there.

        Raises InvalidParams for a time before the latest block's.
        """
        self._set_exact(timestamp)

    def snapshot(self) -> int:
        """Mark this point for `revert`; marks last as long as the process."""
        mark = next(self._marks)
        self._snapshots[mark] = (self._head.number, self.view.clock_offset())
        return mark

    def revert(self, mark: int) -> bool:
        """Drop every block after the mark, what waits, and all later marks; False for an unknown mark."""
        if mark not in self._snapshots:
            return False
        number, offset = self._snapshots[mark]
        self._snapshots = {earlier: point for earlier, point in self._snapshots.items() if earlier < mark}
        with self._transaction():
            self._connection.execute("DELETE FROM blocks WHERE number > ?", (number,))
            for table in ("transactions", "logs"):
                self._connection.execute(f"DELETE FROM {table} WHERE id >= ?", ((number + 1) * LOGS_PER_BLOCK,))
            self._pool.clear()
            self._set_offset(offset)
            self._head = self.view.head()
            self._exact_timestamp = None
        return True

    def _begin(self) -> None:
        header = genesis_header(self.genesis, AtomicDB(self._nodes), int(self._clock()))
        with self._transaction():
            remember(self._connection, self.genesis)
            self._nodes.flush()
            write_block(self._connection, header, Draft())

    def _admit(self, raw: bytes) -> bytes:
        transaction = decode_transaction(raw)
        sender = sender_of(transaction)
        head = self._head.header
        check_transaction(transaction, self.genesis.chain_id, head.gas_limit, next_base_fee(head))
        state = self.view.evm.state(head)
        nonce, balance = state.get_nonce(sender), state.get_balance(sender)
        if transaction.nonce < nonce:
            raise Refused(f"nonce too low: next nonce {nonce}, tx nonce {transaction.nonce}")
        if transaction.nonce >= 2**64 - 1:
            raise Refused("nonce has max value")
        cost = transaction.gas * transaction.max_fee_per_gas + transaction.value
        if balance < cost:
            raise Refused(f"insufficient funds for gas * price + value: balance {balance}, tx cost {cost}")
        return self._pool.add(transaction, sender, raw).hash

    def _mine_ready(self) -> dict[bytes, RpcError]:
        """Mine blocks until nothing in the pool can run; what was dropped on the way, by hash."""
        dropped: dict[bytes, RpcError] = {}
        while len(self._pool):
            draft = self._mine_block(only_with_transactions=True)
            dropped |= {entry.hash: Refused(f"transaction dropped: {reason}") for entry, reason in draft.dropped}
            if not draft.executed and not draft.dropped:
                break
        return dropped

    def _mine_block(self, only_with_transactions: bool = False) -> Draft:
        timestamp = self.now() if self._exact_timestamp is None else self._exact_timestamp
        header = next_header(self._head.header, timestamp, os.urandom(32))
        state = self.view.evm.state(header)
        draft = run_ready(state, self._pool.ready(state.get_nonce, base_fee(header)), header.gas_limit)
        for entry, reason in draft.dropped:
            log.warning("transaction dropped", tx=entry.hash.hex(), reason=reason)
            self._pool.remove(entry)
        if draft.executed or not only_with_transactions:
            for done in draft.executed:
                self._pool.remove(done.entry)
            self._head = self._write(seal(header, state, draft), draft)
            self._exact_timestamp = None
            self._mined_at = self._clock()
        return draft

    def _write(self, header: PragueBlockHeader, draft: Draft) -> Block:
        self._nodes.flush()
        return write_block(self._connection, header, draft)

    def _set_exact(self, timestamp: int) -> None:
        if timestamp < self._head.timestamp:
            raise InvalidParams(f"timestamp {timestamp} is before the latest block's {self._head.timestamp}")
        self._exact_timestamp = timestamp
        self._set_offset(timestamp - int(self._clock()))

    def _set_offset(self, seconds: int) -> int:
        self._connection.execute("INSERT OR REPLACE INTO meta VALUES ('clock.offset', ?)", (str(seconds),))
        return seconds

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All of it on disk at the end, or nothing of it here or there."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self._nodes.discard()
            self._pool.reload()
            self._head = self.view.head()
            raise
