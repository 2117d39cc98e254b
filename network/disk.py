"""Blocks as files: sharded by identifier, written whole or not at all, hashed on the way in and on the way out.

Synchronous: `store` calls it from asyncio's threads, `blocks` from trio's. A file's name is its CID; a write is a
temporary file, fsync and rename, so a crash leaves a block complete or absent; `flush` fsyncs the folders.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

from foedus.network.cid import BLOCK_LIMIT, InvalidCid, holds, parse_cid
from foedus.protocol.ids import Cid
from foedus.protocol.ports import BlobCorrupt, BlobMissing

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


class Disk:
    """The folder of blocks. Safe to use from many threads of one process."""

    def __init__(self, folder: Path, quota: int) -> None:
        self._blocks, self._temporary, self.quota = folder / "blocks", folder / "tmp", quota
        self._lock = threading.Lock()
        self._counter = 0
        self._dirty: set[Path] = set()
        self._reads: OrderedDict[Cid, float] = OrderedDict()
        self.reads = 0
        self._blocks.mkdir(parents=True, exist_ok=True)
        self._temporary.mkdir(exist_ok=True)
        for torn in self._temporary.iterdir():
            torn.unlink()
        self.used = sum(size for _, size in self.list())

    def list(self) -> Iterator[tuple[Cid, int]]:
        """Every block held and its size in bytes; files that are not blocks are passed over."""
        for shard in os.scandir(self._blocks):
            if not shard.is_dir():
                continue
            for entry in os.scandir(shard):
                with contextlib.suppress(InvalidCid, FileNotFoundError):
                    yield parse_cid(entry.name), entry.stat().st_size

    def ages(self) -> Iterator[tuple[int, Cid]]:
        """When each block was written, in nanoseconds since the epoch."""
        for cid, _ in self.list():
            with contextlib.suppress(FileNotFoundError):
                yield self._path(cid).stat().st_mtime_ns, cid

    def has(self, cid: Cid) -> bool:
        """Whether the block is held (its hash is checked when it is read)."""
        return self._path(cid).exists()

    def read(self, cid: Cid) -> bytes:
        """The block, noted as in use. Raises BlobMissing, and BlobCorrupt where its bytes do not match the CID."""
        with self._lock:
            self.reads += 1
            self._reads[cid] = time.monotonic()
            self._reads.move_to_end(cid)
            if len(self._reads) > READS_NOTED:
                self._reads.popitem(last=False)
        return self.look(cid)

    def read_within(self, seconds: float) -> tuple[Cid, ...]:
        """What was read so lately, the last first; of very many reads, the last `READS_NOTED`."""
        since = time.monotonic() - seconds
        with self._lock:
            return tuple(takewhile(lambda cid: self._reads[cid] >= since, reversed(self._reads)))

    def look(self, cid: Cid) -> bytes:
        """`read`, not noted: for the store's own housekeeping."""
        try:
            with open(self._path(cid), "rb") as file:
                block = file.read(BLOCK_LIMIT + 1)
        except FileNotFoundError:
            raise BlobMissing(cid) from None
        if not holds(cid, block):
            raise BlobCorrupt(cid)
        return block

    def write(self, cid: Cid, block: bytes | bytearray | memoryview) -> bool:
        """Store the block; False where it was held. Raises BlobCorrupt where the bytes do not match, StoreFull."""
        if not holds(cid, block):
            raise BlobCorrupt(cid)
        path = self._path(cid)
        with contextlib.suppress(BlobMissing, BlobCorrupt):
            self.look(cid)
            return False
        self._reserve(len(block))
        temporary = self._temporary / f"{os.getpid()}-{self._next()}"
        try:
            with open(temporary, "xb") as file:
                file.write(block)
                file.flush()
                os.fsync(file.fileno())
            with self._lock:  # a second writer of one block, or a corrupt file that this one replaces
                old = path.stat().st_size if path.exists() else 0
                path.parent.mkdir(exist_ok=True)
                os.replace(temporary, path)
                self.used -= old
                self._dirty.update((path.parent, self._blocks))
        except OSError as error:
            with self._lock:
                self.used -= len(block)
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise self._full(len(block), error) from error
        return True

    def flush(self) -> None:
        """Make the names of all blocks written so far durable: a crash before it can lose blocks, never tear them."""
        with self._lock:
            dirty, self._dirty = self._dirty, set()
        for folder in dirty:
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            except OSError as error:
                raise self._full(0, error) from error
            finally:
                os.close(descriptor)

    def delete(self, cid: Cid) -> int:
        """Remove the block; the bytes that it held, 0 where it was absent."""
        path = self._path(cid)
        with self._lock, contextlib.suppress(FileNotFoundError):
            size = path.stat().st_size
            path.unlink()
            self.used -= size
            return size
        return 0

    def _full(self, need: int, error: OSError) -> OSError:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return StoreFull(need, self.used, self.quota, disk=True)
        return error

    def _reserve(self, size: int) -> None:
        with self._lock:
            if self.used + size > self.quota:
                raise StoreFull(size, self.used, self.quota)
            self.used += size

    def _next(self) -> int:
        with self._lock:
            self._counter += 1
            return self._counter

    def _path(self, cid: Cid) -> Path:
        return self._blocks / cid[-2:] / parse_cid(cid)
