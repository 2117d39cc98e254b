"""Blocks as files: sharded by identifier, written whole or not at all, hashed on the way in and on the way out.

Synchronous: threads of asyncio and of trio call it. A file's name is its CID. A write is a temporary file, then
fsync and rename, so a crash leaves a block complete or absent; `flush` fsyncs the folders.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from io import FileIO
from pathlib import Path

from foedus.network.backing import Reads, StoreFull
from foedus.network.cid import BLOCK_LIMIT, InvalidCid, holds, parse_cid
from foedus.protocol.ids import Cid
from foedus.protocol.ports import BlobCorrupt, BlobMissing

CHECKS_NOTED = 1 << 16
"""Blocks of which it is remembered that their files were checked, and when these were last changed."""

_State = tuple[int, int, int]


def _state(of: os.stat_result) -> _State:
    return of.st_ino, of.st_size, of.st_mtime_ns


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Disk:
    """The folder of blocks. Safe to use from many threads of one process."""

    def __init__(self, folder: Path, quota: int) -> None:
        self._blocks, self._temporary, self.quota = folder / "blocks", folder / "tmp", quota
        self._lock, self._flushing = threading.Lock(), threading.Lock()
        self._counter = 0
        self._dirty: set[Path] = set()
        self._checked: OrderedDict[Cid, _State] = OrderedDict()
        self.reads = Reads()
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
        self.reads.note(cid)
        return self.look(cid)

    def serve(self, cid: Cid, into: bytearray) -> int:
        """Read for somebody who checks: not hashed where this process has hashed it and the file has not changed."""
        self.reads.note(cid)
        with self._open(cid) as file:
            state = _state(os.fstat(file.fileno()))
            size = file.readinto(into)
        if self._checked.get(cid) != state:
            if not holds(cid, memoryview(into)[:size]):
                raise BlobCorrupt(cid)
            self._note_checked(cid, state)
        return size

    def _note_checked(self, cid: Cid, state: _State) -> None:
        with self._lock:
            self._checked[cid] = state
            if len(self._checked) > CHECKS_NOTED:
                self._checked.popitem(last=False)

    def look(self, cid: Cid) -> bytes:
        """`read`, not noted: for the store's own housekeeping."""
        with self._open(cid) as file:
            block = file.read(BLOCK_LIMIT + 1)
        if not holds(cid, block):
            raise BlobCorrupt(cid)
        return block

    def _open(self, cid: Cid) -> FileIO:
        try:
            return open(self._path(cid), "rb", buffering=0)
        except FileNotFoundError:
            raise BlobMissing(cid) from None

    def stage(self, cid: Cid, pieces: Sequence[bytes | bytearray | memoryview]) -> Callable[[], None] | None:
        """Check and write a block given in pieces; None where it is held.

        From here on the caller's memory is free. What is returned makes the block durable and gives it its name; until
        then it is not held, and a crash drops it. Both raise StoreFull, the first also BlobCorrupt where the bytes do
        not match the CID.
        """
        if not holds(cid, *pieces):
            raise BlobCorrupt(cid)
        with contextlib.suppress(BlobMissing, BlobCorrupt):
            self.look(cid)
            return None
        size = sum(map(len, pieces))
        self._reserve(size)
        file = self._temporary / f"{os.getpid()}-{self._next()}"
        with self._giving_back(file, size), open(file, "xb", buffering=0) as out:
            if os.writev(out.fileno(), pieces) != size:
                raise OSError(errno.ENOSPC, "written in part")
        return partial(self._settle, cid, file, size)

    def _settle(self, cid: Cid, file: Path, size: int) -> None:
        path = self._path(cid)
        with self._giving_back(file, size):
            with open(file, "rb") as written:
                os.fsync(written.fileno())
                state = _state(os.fstat(written.fileno()))
            with self._lock:  # a second writer of one block, or a corrupt file that this one replaces
                old = path.stat().st_size if path.exists() else 0
                path.parent.mkdir(exist_ok=True)
                os.replace(file, path)
                self.used -= old
                self._dirty.update((path.parent, self._blocks))
        self._note_checked(cid, state)

    def flush(self) -> None:
        """Make the names of all blocks written so far durable: a crash before it can lose blocks, never tear them."""
        with self._flushing:  # who finds nothing to do must not return before it is done
            with self._lock:
                dirty, self._dirty = self._dirty, set()
            try:
                for folder in dirty:
                    _sync(folder)
            except OSError as error:
                with self._lock:
                    self._dirty |= dirty
                raise self._full(0, error) from error

    def delete(self, cid: Cid) -> int:
        """Remove the block; the bytes that it held, 0 where it was absent."""
        path = self._path(cid)
        with self._lock, contextlib.suppress(FileNotFoundError):
            size = path.stat().st_size
            path.unlink()
            self.used -= size
            return size
        return 0

    def close(self) -> None:
        """Nothing is held open."""

    @contextlib.contextmanager
    def _giving_back(self, file: Path, size: int) -> Iterator[None]:
        """Neither quota nor file is kept where the disk fails."""
        try:
            yield
        except OSError as error:
            with self._lock:
                self.used -= size
            with contextlib.suppress(OSError):
                file.unlink(missing_ok=True)
            raise self._full(size, error) from error

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
