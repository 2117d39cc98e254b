"""Where blocks lie: what a store and its server need of a disk (`disk`) or of an IPFS daemon (`kubo_blocks`)."""

from __future__ import annotations

import errno
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile
from typing import Protocol

from foedus.protocol.ids import Cid

READS_NOTED = 4096
"""Reads that are remembered: collecting passes over what was just read."""


class StoreFull(OSError):
    """The store has no room: by its quota, or because the disk under it has none. Sizes in bytes."""

    def __init__(self, need: int, used: int, quota: int, disk: bool = False, pinned: bool = False) -> None:
        where = "the disk is full" if disk else f"the quota is {quota}"
        held = ", all of it pinned or being read" if pinned else ""
        super().__init__(
            errno.ENOSPC,
            f"no room for {need} more bytes with {used} used{held} ({where}): unpin and collect, or raise the quota",
        )
        self.need, self.used, self.quota, self.disk, self.pinned = need, used, quota, disk, pinned


class Reads:
    """The last reads, and how many there were. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: OrderedDict[Cid, float] = OrderedDict()
        self.count = 0

    def note(self, cid: Cid) -> None:
        """This block was read now."""
        with self._lock:
            self.count += 1
            self._last[cid] = time.monotonic()
            self._last.move_to_end(cid)
            if len(self._last) > READS_NOTED:
                self._last.popitem(last=False)

    def within(self, seconds: float) -> tuple[Cid, ...]:
        """What was read so lately, the last first; of very many reads, the last `READS_NOTED`."""
        since = time.monotonic() - seconds
        with self._lock:
            return tuple(takewhile(lambda cid: self._last[cid] >= since, reversed(self._last)))


class Blocks(Protocol):
    """Blocks by their CIDs. Safe to use from many threads of one process."""

    quota: int
    reads: Reads

    @property
    def used(self) -> int:
        """Bytes held."""

    def ages(self) -> Iterator[tuple[int, Cid]]:
        """When each block was written, in nanoseconds since the epoch."""

    def has(self, cid: Cid) -> bool:
        """Whether the block is held (its hash is checked when it is read)."""

    def read(self, cid: Cid) -> bytes:
        """The block, noted as in use. Raises BlobMissing, and BlobCorrupt where its bytes do not match the CID."""

    def look(self, cid: Cid) -> bytes:
        """`read`, not noted: for the store's own housekeeping."""

    def serve(self, cid: Cid, into: bytearray) -> int:
        """`read` for somebody who checks, as little checked as is safe: into `BLOCK_LIMIT` bytes; how many they are."""

    def stage(self, cid: Cid, pieces: Sequence[bytes | bytearray | memoryview]) -> Callable[[], None] | None:
        """Check a block given in pieces and take it over; None where it is held.

        What is returned makes the block durable and gives it its name; until then it is not held, and a crash drops
        it. Both raise StoreFull, the first also BlobCorrupt where the bytes do not match the CID.
        """

    def flush(self) -> None:
        """Make the names of all blocks written so far durable: a crash before it can lose blocks, never tear them."""

    def delete(self, cid: Cid) -> int:
        """Remove the block; the bytes that it held, 0 where it was absent."""

    def close(self) -> None:
        """Let go of files and connections."""
