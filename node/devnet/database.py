"""The chain's SQLite file: tables, connections, and the trie nodes as py-evm wants them.

One file holds everything, in WAL mode: a block, its transactions, receipts, logs and trie nodes are written in one
transaction, so that a killed process leaves either all of a block or nothing of it. Readers have connections of their
own and never wait for the writer.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from pathlib import Path

from eth.db.backends.base import BaseDB

from foedus.node.devnet.errors import FormatMismatch

FORMAT = 1
FILE_NAME = "chain.sqlite"
LOGS_PER_BLOCK = 1 << 20
"""Log ids are block number x this + log index, so that row order is chain order (30M gas pays for 80,000 logs)."""

_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE nodes (hash BLOB PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE blocks (
    number INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, timestamp INTEGER NOT NULL, size INTEGER NOT NULL,
    header BLOB NOT NULL
);
CREATE TABLE transactions (
    id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, sender BLOB NOT NULL, raw BLOB NOT NULL,
    status INTEGER NOT NULL, gas_used INTEGER NOT NULL, cumulative_gas INTEGER NOT NULL,
    gas_price INTEGER NOT NULL, contract BLOB, bloom BLOB NOT NULL
);
CREATE TABLE logs (
    id INTEGER PRIMARY KEY, position INTEGER NOT NULL, address BLOB NOT NULL,
    topic0 BLOB, topic1 BLOB, topic2 BLOB, topic3 BLOB, data BLOB NOT NULL
);
CREATE INDEX logs_by_address ON logs (address);
CREATE INDEX logs_by_topic0 ON logs (topic0) WHERE topic0 IS NOT NULL;
CREATE INDEX logs_by_topic1 ON logs (topic1) WHERE topic1 IS NOT NULL;
CREATE INDEX logs_by_topic2 ON logs (topic2) WHERE topic2 IS NOT NULL;
CREATE INDEX logs_by_topic3 ON logs (topic3) WHERE topic3 IS NOT NULL;
CREATE TABLE pool (
    arrival INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, sender BLOB NOT NULL, nonce INTEGER NOT NULL,
    raw BLOB NOT NULL, UNIQUE (sender, nonce)
);
"""


def open_writer(folder: Path) -> sqlite3.Connection:
    """The one connection that writes; makes the folder and the tables where they are missing.

    Raises FormatMismatch for a file of another version. Commits reach the disk before they return
    (synchronous = FULL), so that an acknowledged transaction outlives a power cut as well as a kill.
    """
    folder.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(folder / FILE_NAME, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == 0:
        connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {FORMAT}; COMMIT;")
    elif version != FORMAT:
        connection.close()
        raise FormatMismatch(folder, version, FORMAT)
    return connection


def open_reader(folder: Path) -> sqlite3.Connection:
    """A read-only connection to a chain that a writer has opened."""
    uri = f"{(folder / FILE_NAME).absolute().as_uri()}?mode=ro"
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)


class NodeStore(BaseDB):
    """Trie nodes and contract code by hash, for py-evm.

    Writes wait in memory until `flush`, which the writer calls inside its transaction. Nodes are named by their
    content and shared by all states since the first block, so nothing is ever deleted.
    """

    def __init__(self, connection: sqlite3.Connection, cached: int = 20_000) -> None:
        self._connection = connection
        self._pending: dict[bytes, bytes] = {}
        self._cache: OrderedDict[bytes, bytes] = OrderedDict()
        self._cached = cached

    def __getitem__(self, key: bytes) -> bytes:
        body = self._pending.get(key)
        if body is not None:
            return body
        body = self._cache.get(key)
        if body is not None:
            self._cache.move_to_end(key)
            return body
        row = self._connection.execute("SELECT body FROM nodes WHERE hash = ?", (key,)).fetchone()
        if row is None:
            raise KeyError(key)
        self._remember(key, row[0])
        return bytes(row[0])

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self._pending[key] = value

    def __delitem__(self, key: bytes) -> None:
        raise TypeError(f"trie node {key.hex()} is shared by earlier states and stays")

    def _exists(self, key: bytes) -> bool:
        try:
            self[key]
        except KeyError:
            return False
        return True

    def flush(self) -> None:
        """Write what waits, within the caller's transaction."""
        self._connection.executemany("INSERT OR IGNORE INTO nodes VALUES (?, ?)", self._pending.items())
        for key, body in self._pending.items():
            self._remember(key, body)
        self._pending.clear()

    def discard(self) -> None:
        """Forget what waits, and what was cached from a transaction that was rolled back."""
        self._pending.clear()
        self._cache.clear()

    def _remember(self, key: bytes, body: bytes) -> None:
        self._cache[key] = body
        if len(self._cache) > self._cached:
            self._cache.popitem(last=False)
