"""This node's own blobs: put, get, pin, collect. Disk and hashing run in threads; asyncio callers only wait."""

from __future__ import annotations

import asyncio
import io
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from foedus.network.backing import Blocks, StoreFull
from foedus.network.cid import Part, blocks_of, parse_cid
from foedus.network.collection import Collection, reach
from foedus.network.disk import Disk
from foedus.network.kubo_blocks import KuboBlocks, indexed_bytes
from foedus.network.pins import Pins
from foedus.protocol.ids import Cid
from foedus.protocol.ports import BlobMissing, BlobTooLarge

__all__ = ["DEFAULT_QUOTA", "BlockStore", "StoreFull"]

DEFAULT_QUOTA = 64 << 30
"""Bytes of blocks that a store holds unless told otherwise."""

PUT = "put"
"""The label under which `put` pins."""

FETCH = "fetch:"
"""Labels that begin so hold a blob while its blocks arrive; a crash's leftovers are given up at the next start."""

INDEX = "blocks.sqlite"
"""The index of blocks that lie in an IPFS daemon."""

TIDY_ABOVE, TIDY_TO = 0.9, 0.8
"""Parts of the quota: in use above the first, unpinned blocks go, oldest first, until the second."""

GRACE_SECONDS = 600.0
"""For so long after a read, neither the block nor what is beneath it goes to make room: a transfer may be under way."""

TIDY_BLOCKS = 256
"""Blocks that one step of tidying looks at."""

REST_SECONDS = 600.0
"""After tidying that could not free enough, before the next."""


def bytes_held(folder: Path) -> int:
    """Bytes of a store's blocks, from the outside: a node may be using it."""
    index, blocks = folder / INDEX, folder / "blocks"
    if index.exists():
        return indexed_bytes(index)
    return sum(path.stat().st_size for path in blocks.glob("*/*")) if blocks.exists() else 0


class BlockStore:
    """A BlobStore on this machine's disk, or with its blocks in the IPFS daemon at the RPC address `ipfs`.

    `folder` belongs to it alone; `quota` is in bytes.
    A blob is pinned by labels and kept while any label holds it. Blocks that no pinned blob reaches stay as long as
    there is room: `tidy` removes the oldest, a step at a time; a write that finds the store full does so at once,
    before it raises StoreFull; and `gc` removes all of them.
    """

    def __init__(self, folder: Path, quota: int = DEFAULT_QUOTA, ipfs: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.disk: Blocks = KuboBlocks(ipfs, folder / INDEX, quota) if ipfs else Disk(folder, quota)
        self.pins = Pins(folder / "pins.sqlite")
        self.pins.remove_labels(FETCH)
        self._collecting = threading.Lock()
        self._cycle: Collection | None = None  # while one is under way: it is told what others need
        self._tidy_at = 0.0

    async def get(self, cid: Cid, limit: int) -> bytes:
        """The blob's bytes, from this disk alone.

        Raises InvalidCid, BlobMissing, BlobCorrupt (names the bad block), BlobTooLarge past `limit` bytes.
        """
        return await asyncio.to_thread(self.read_blob, cid, limit)

    async def put(self, blob: bytes, label: str = PUT) -> Cid:
        """Store `blob` and pin it under `label`, both or neither. Raises StoreFull."""
        return await asyncio.to_thread(self.write_blob, blob, label)

    async def has(self, cid: Cid) -> bool:
        """Whether every block of the blob is held."""
        return not await self.missing_blocks(cid)

    async def missing_blocks(self, cid: Cid) -> tuple[Cid, ...]:
        """Blocks of the blob that are not held; what lies beneath a missing node is not known and not listed."""

        def missing() -> tuple[Cid, ...]:
            try:
                return tuple(part.cid for part in self.missing_parts(cid))
            except BlobMissing:
                return (cid,)

        return await asyncio.to_thread(missing)

    async def get_block(self, cid: Cid) -> bytes:
        """One block by its CID. Raises InvalidCid, BlobMissing, BlobCorrupt."""
        return await asyncio.to_thread(self.disk.read, cid)

    async def put_block(self, cid: Cid, block: bytes) -> None:
        """Store one block, unpinned. Raises InvalidCid, BlobCorrupt where it does not match, StoreFull."""
        await asyncio.to_thread(self.write_block, cid, block)
        await asyncio.to_thread(self.disk.flush)

    async def delete_block(self, cid: Cid) -> None:
        """Remove one block, pinned or not: the cure for a corrupt one, which can then be fetched again."""
        await asyncio.to_thread(self.disk.delete, cid)

    async def pin(self, cid: Cid, label: str) -> None:
        """Keep the blob, whole or still to come, until `unpin` of the same label. Raises InvalidCid."""
        await asyncio.to_thread(self.keep, cid, label)

    async def unpin(self, cid: Cid, label: str = PUT) -> None:
        """Give up one label; the blocks go at the next `gc` if no other label holds them."""
        await asyncio.to_thread(self.pins.remove, cid, label)

    async def gc(self) -> int:
        """Remove every block that no pinned blob reaches; the bytes freed."""
        return await asyncio.to_thread(self.collect)

    async def close(self) -> None:
        """Close the store's database, and the connections to its daemon."""
        await asyncio.to_thread(self.pins.close)
        await asyncio.to_thread(self.disk.close)

    def read_blob(self, cid: Cid, limit: int) -> bytes:
        """`get`, in the caller's thread."""
        root = parse_cid(cid)
        out = io.BytesIO()
        for part, block in self._walk(Part.root(root, self.disk.read(root)), limit):
            if part.level == 0:
                out.write(block)
        return out.getvalue()

    def write_blob(self, blob: bytes, label: str = PUT) -> Cid:
        """`put`, in the caller's thread."""
        blocks = list(blocks_of(blob))
        root = blocks[-1][0]
        try:
            ours = self.pins.add(root, label)
        except sqlite3.OperationalError as error:  # no room for a row
            raise StoreFull(len(blob), self.disk.used, self.disk.quota, disk=True) from error
        written: list[Cid] = []
        try:
            for cid, block in reversed(blocks):  # parents first, so that a collection under way sees their children
                if self.write_block(cid, block):
                    written.append(cid)
            self.disk.flush()
        except OSError:
            alone = {root} if ours and self.pins.labels(root) == {label} else set()
            self._take_back(written, self.pins.roots() - alone)
            if ours:
                with suppress(sqlite3.OperationalError):  # a pin without blocks is what a crash leaves as well
                    self.pins.remove(root, label)
            raise
        return root

    def _take_back(self, written: Sequence[Cid], roots: frozenset[Cid]) -> None:
        """Remove what was written of a blob, but what these blobs have as well."""
        with self._collecting:
            kept: set[Cid] = set()
            for root in roots:
                for _ in reach(self.disk, root, kept):
                    pass
            for cid in set(written) - kept:
                self.disk.delete(cid)

    def keep(self, cid: Cid, label: str) -> None:
        """`pin`, in the caller's thread."""
        with self._collecting:
            self.pins.add(parse_cid(cid), label)
            if self._cycle is not None:
                for held in reach(self.disk, cid, set()):
                    self._cycle.touch(held)

    def write_block(self, cid: Cid, block: bytes | bytearray | memoryview) -> bool:
        """`put_block`, in the caller's thread; False where the block was held."""
        settle = self.stage_block(cid, [block])
        if settle is not None:
            settle()
        return settle is not None

    def stage_block(self, cid: Cid, pieces: Sequence[bytes | bytearray | memoryview]) -> Callable[[], None] | None:
        """`Blocks.stage`, making room once where there is none."""
        self._touch(cid)
        try:
            return self.disk.stage(cid, pieces)
        except StoreFull as full:
            used = self.disk.used
            goal = min(int(TIDY_TO * self.disk.quota), used - max(full.need, used // 16))
            self._collect(max(0, goal), GRACE_SECONDS, cid)
        try:
            return self.disk.stage(cid, pieces)
        except StoreFull as full:
            raise StoreFull(full.need, full.used, full.quota, full.disk, pinned=True) from None

    def missing_parts(self, cid: Cid, limit: int | None = None) -> Sequence[Part]:
        """Where the held DAG has gaps, in file order.

        Raises BlobMissing where the root itself is absent, BlobTooLarge where it promises more than `limit` bytes,
        BlobCorrupt.
        """
        root = parse_cid(cid)
        self._touch(root)
        block = self.disk.read(root)
        part = Part.root(root, block)
        if limit is not None and part.file_size > limit:
            raise BlobTooLarge(root, part.file_size, limit)
        missing: list[Part] = []
        stack = list(reversed(part.children(block)))
        while stack:
            part = stack.pop()
            self._touch(part.cid)
            if not self.disk.has(part.cid):
                missing.append(part)
            elif part.level:
                stack.extend(reversed(part.children(self.disk.read(part.cid))))
        return missing

    def collect(self) -> int:
        """`gc`, in the caller's thread."""
        return self._collect(0, 0.0)

    def tidy(self, blocks: int = TIDY_BLOCKS) -> bool:
        """One bounded step of collecting, in the caller's thread, where more than `TIDY_ABOVE` of the quota is used;
        whether there is more to do now."""
        with self._collecting:
            if self._cycle is None:
                if self.disk.used <= TIDY_ABOVE * self.disk.quota or time.monotonic() < self._tidy_at:
                    return False
                self._cycle = Collection(self.disk, self.pins, int(TIDY_TO * self.disk.quota), GRACE_SECONDS)
            if self._cycle.step(blocks):
                return True
            self._cycle = None
            self._tidy_at = time.monotonic() + REST_SECONDS
            return False

    def _collect(self, goal: int, grace: float, *needed: Cid) -> int:
        """A whole cycle at once; one that was under way in steps is given up."""
        with self._collecting:
            self._cycle = cycle = Collection(self.disk, self.pins, goal, grace)
            for cid in needed:
                cycle.touch(cid)
            try:
                return cycle.finish()
            finally:
                self._cycle = None

    def _touch(self, cid: Cid) -> None:
        cycle = self._cycle
        if cycle is not None:
            cycle.touch(cid)

    def _walk(self, root: Part, limit: int) -> Iterator[tuple[Part, bytes]]:
        if root.file_size > limit:
            raise BlobTooLarge(root.cid, root.file_size, limit)
        stack = [root]
        while stack:
            part = stack.pop()
            block = self.disk.read(part.cid)
            stack.extend(reversed(part.children(block)))
            yield part, block
