"""Blocks in an IPFS daemon, and an index of them on this disk.

Every block is put and pinned by itself, so the daemon's own collector leaves it. Another's pin of a whole blob is not
touched; of a single leaf it is the same pin, since a daemon's pins have no owner.
The index (SQLite) says which blocks are this node's, how large, and when written: quota and collecting count those
alone. What the daemon says is believed in nothing: a block that is read is held against its CID, and one that the
daemon has lost leaves the index and is fetched again.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from foedus.network.backing import Reads, StoreFull
from foedus.network.cid import holds, parse_cid
from foedus.network.kubo_rpc import TIMEOUT_SECONDS, KuboRpc
from foedus.protocol.ids import Cid
from foedus.protocol.ports import BlobCorrupt, BlobMissing

SCHEMA = "CREATE TABLE IF NOT EXISTS blocks (cid TEXT PRIMARY KEY, size INTEGER NOT NULL, written_ns INTEGER NOT NULL)"
TOTAL = "SELECT COALESCE(SUM(size), 0) FROM blocks"


def indexed_bytes(index: Path) -> int:
    """Bytes of the blocks that an index names, which a node may be using."""
    base = sqlite3.connect(f"file:{index}?mode=ro", uri=True)
    try:
        return int(base.execute(TOTAL).fetchone()[0])
    finally:
        base.close()


class KuboBlocks:
    """`backing.Blocks` in the daemon at `url`. index: a file; quota in bytes; timeout in seconds.

    Raises KuboError where no daemon answers there.
    """

    def __init__(self, url: str, index: Path, quota: int, timeout: float = TIMEOUT_SECONDS) -> None:
        self._rpc, self.quota, self.reads = KuboRpc(url, timeout), quota, Reads()
        self._lock, self._staged = threading.Lock(), 0
        self._base = sqlite3.connect(index, isolation_level=None, check_same_thread=False)
        self._base.execute("PRAGMA journal_mode=WAL")
        self._base.execute("PRAGMA synchronous=FULL")
        self._base.execute(SCHEMA)
        self._rpc.version()

    @property
    def used(self) -> int:
        """Bytes of this node's blocks."""
        with self._lock:
            return self._used()

    def ages(self) -> Iterator[tuple[int, Cid]]:
        """When each block was written, in nanoseconds since the epoch."""
        with self._lock:
            rows = self._base.execute("SELECT written_ns, cid FROM blocks").fetchall()
        return iter([(written, Cid(cid)) for written, cid in rows])

    def has(self, cid: Cid) -> bool:
        """Whether the block is held, as far as the index knows."""
        return self._size(parse_cid(cid)) is not None

    def read(self, cid: Cid) -> bytes:
        """The block, noted as in use. Raises BlobMissing, BlobCorrupt, KuboError."""
        self.reads.note(cid)
        return self.look(cid)

    def look(self, cid: Cid) -> bytes:
        """`read`, not noted: for the store's own housekeeping."""
        if not self.has(cid):
            raise BlobMissing(cid)
        try:
            return self._rpc.block(cid)
        except BlobMissing:
            self._forget(cid)
            raise

    def serve(self, cid: Cid, into: bytearray) -> int:
        """`read`: the daemon's bytes are always checked."""
        block = self.read(cid)
        into[: len(block)] = block
        return len(block)

    def stage(self, cid: Cid, pieces: Sequence[bytes | bytearray | memoryview]) -> Callable[[], None] | None:
        """Check a block, and take it into memory; see `Blocks.stage`. What is returned raises KuboError as well."""
        if not holds(cid, *pieces):
            raise BlobCorrupt(cid)
        if self.has(cid):
            return None
        block = b"".join(pieces)
        with self._lock:
            used = self._used() + self._staged
            if used + len(block) > self.quota:
                raise StoreFull(len(block), used, self.quota)
            self._staged += len(block)
        return partial(self._settle, cid, block)

    def _settle(self, cid: Cid, block: bytes) -> None:
        try:
            self._rpc.put_block(cid, block)
            self._run("INSERT OR REPLACE INTO blocks VALUES (?, ?, ?)", (cid, len(block), time.time_ns()))
        finally:
            with self._lock:
                self._staged -= len(block)

    def flush(self) -> None:
        """Nothing: a block that the daemon has acknowledged is its to keep."""

    def delete(self, cid: Cid) -> int:
        """Remove the block; the bytes that it held, 0 where it was absent."""
        size = self._size(cid)
        if size is None:
            return 0
        self._rpc.remove_block(cid)
        self._forget(cid)
        return size

    def close(self) -> None:
        """Close the index and the connections to the daemon."""
        with self._lock:
            self._base.close()
        self._rpc.close()

    def _used(self) -> int:
        return int(self._base.execute(TOTAL).fetchone()[0])

    def _size(self, cid: Cid) -> int | None:
        row = self._row("SELECT size FROM blocks WHERE cid = ?", (cid,))
        return int(row[0]) if row else None

    def _forget(self, cid: Cid) -> None:
        self._run("DELETE FROM blocks WHERE cid = ?", (cid,))

    def _row(self, query: str, values: tuple[object, ...] = ()) -> tuple[int, ...]:
        with self._lock:
            row: tuple[int, ...] | None = self._base.execute(query, values).fetchone()
        return row or ()

    def _run(self, query: str, values: tuple[object, ...]) -> None:
        with self._lock:
            self._base.execute(query, values)
