"""Transactions that wait for their turn: accepted, on disk, not yet in a block.

A transaction whose nonce is next goes into a block at once and never rests here; what rests waits for an earlier nonce,
for room in a block, or for the base fee to come down.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from eth.abc import SignedTransactionAPI
from eth_typing import Address

from foedus.node.devnet.errors import Refused
from foedus.node.devnet.transactions import decode_transaction, sender_of

POOL_LIMIT = 4_096
_BUMP_PERCENT = 10


@dataclass(frozen=True, slots=True)
class Waiting:
    """A transaction in the pool; `arrival` orders it among others."""

    arrival: int
    hash: bytes
    sender: Address
    raw: bytes
    transaction: SignedTransactionAPI


class Pool:
    """The waiting transactions, by sender and nonce, with a row on disk for each.

    Writes belong to the caller's transaction; after a rollback, `reload`.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._waiting: dict[Address, dict[int, Waiting]] = {}
        self._by_hash: dict[bytes, Waiting] = {}
        self._arrivals = 0
        self.reload()

    def __len__(self) -> int:
        return len(self._by_hash)

    def reload(self) -> None:
        """Take the pool from disk."""
        self._waiting.clear()
        self._by_hash.clear()
        for arrival, digest, raw in self._connection.execute("SELECT arrival, hash, raw FROM pool ORDER BY arrival"):
            transaction = decode_transaction(raw)
            self._insert(Waiting(arrival, digest, sender_of(transaction), raw, transaction))

    def add(self, transaction: SignedTransactionAPI, sender: Address, raw: bytes) -> Waiting:
        """Accept a transaction, in place of one with the same nonce if it pays 10 % more.

        Raises Refused for one already here, an underpriced replacement, or a full pool.
        """
        digest = bytes(transaction.hash)
        if digest in self._by_hash:
            raise Refused("already known")
        previous = self._waiting.get(sender, {}).get(transaction.nonce)
        if previous is not None:
            self._check_bump(previous.transaction, transaction)
            self.remove(previous)
        elif len(self._by_hash) >= POOL_LIMIT:
            raise Refused(f"txpool is full: {POOL_LIMIT} transactions wait for earlier nonces")
        entry = Waiting(self._arrivals, digest, sender, raw, transaction)
        self._insert(entry)
        self._connection.execute(
            "INSERT INTO pool VALUES (?, ?, ?, ?, ?)", (entry.arrival, digest, sender, transaction.nonce, raw)
        )
        return entry

    def remove(self, entry: Waiting) -> None:
        """Forget a transaction, because a block holds it or none can."""
        del self._by_hash[entry.hash]
        of_sender = self._waiting[entry.sender]
        del of_sender[entry.transaction.nonce]
        if not of_sender:
            del self._waiting[entry.sender]
        self._connection.execute("DELETE FROM pool WHERE arrival = ?", (entry.arrival,))

    def clear(self) -> None:
        """Forget all."""
        self._waiting.clear()
        self._by_hash.clear()
        self._connection.execute("DELETE FROM pool")

    def next_nonce(self, sender: Address, mined: int) -> int:
        """The first nonce from `mined` on that nothing here uses."""
        of_sender = self._waiting.get(sender, {})
        while mined in of_sender:
            mined += 1
        return mined

    def ready(self, nonce_of: Callable[[Address], int], base_fee: int) -> Ready:
        """What a block at this base fee could hold, given each sender's nonce in the state before it."""
        return Ready(self._waiting, nonce_of, base_fee)

    def _insert(self, entry: Waiting) -> None:
        self._waiting.setdefault(entry.sender, {})[entry.transaction.nonce] = entry
        self._by_hash[entry.hash] = entry
        self._arrivals = max(self._arrivals, entry.arrival + 1)

    @staticmethod
    def _check_bump(old: SignedTransactionAPI, new: SignedTransactionAPI) -> None:
        for field in ("max_fee_per_gas", "max_priority_fee_per_gas"):
            have, need = getattr(new, field), getattr(old, field) * (100 + _BUMP_PERCENT) // 100
            if have < need:
                raise Refused(f"replacement transaction underpriced: {field} {have}, needs {need}")


class Ready:
    """Transactions in order of arrival, each sender's in order of nonce.

    A sender's next one is offered only after `follow`: what is passed over holds back the rest of its sender's.
    """

    def __init__(
        self, waiting: Mapping[Address, Mapping[int, Waiting]], nonce_of: Callable[[Address], int], base_fee: int
    ) -> None:
        self._waiting, self._base_fee = waiting, base_fee
        self._heads: list[tuple[int, Address, int]] = []
        for sender in waiting:
            self._offer(sender, nonce_of(sender))

    def take(self) -> Waiting | None:
        """The next candidate, None when there are no more."""
        if not self._heads:
            return None
        _, sender, nonce = heapq.heappop(self._heads)
        return self._waiting[sender][nonce]

    def follow(self, entry: Waiting) -> None:
        """The candidate is in the block: offer its successor."""
        self._offer(entry.sender, entry.transaction.nonce + 1)

    def _offer(self, sender: Address, nonce: int) -> None:
        entry = self._waiting[sender].get(nonce)
        if entry is not None and entry.transaction.max_fee_per_gas >= self._base_fee:
            heapq.heappush(self._heads, (entry.arrival, sender, nonce))
