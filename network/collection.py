"""Garbage collection in small steps: what no pinned blob reaches goes, oldest first, and no more than must.

A cycle marks what the pins reach, lists the rest by age, and removes. It can rest after any block: whatever is pinned,
written or read meanwhile is told to it (`touch`, and the disk's own notes of reads) and stays. A crash in the middle
leaves blocks that the next cycle finds again, since only unpinned ones are ever removed.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from itertools import islice

from foedus.network.backing import Blocks
from foedus.network.cid import Part, is_raw
from foedus.network.pins import Pins
from foedus.protocol.ids import Cid
from foedus.protocol.ports import BlobCorrupt, BlobMissing


def reach(disk: Blocks, root: Cid, seen: set[Cid]) -> Iterator[Cid]:
    """The blocks of a blob as far as its nodes are held, but those in `seen`, which grows by them."""
    if root in seen:
        return
    seen.add(root)
    yield root
    if is_raw(root):
        return
    with contextlib.suppress(BlobMissing, BlobCorrupt):
        block = disk.look(root)
        stack = [*Part.root(root, block).children(block)]
        while stack:
            part = stack.pop()
            if part.cid in seen:
                continue
            seen.add(part.cid)
            yield part.cid
            if part.level and disk.has(part.cid):
                with contextlib.suppress(BlobMissing, BlobCorrupt):
                    stack.extend(part.children(disk.look(part.cid)))


class Collection:
    """One cycle. goal: the bytes in use at which it ends, 0 for everything that may go; grace: seconds for which what
    was read, and what is beneath it, stays."""

    def __init__(self, disk: Blocks, pins: Pins, goal: int, grace: float) -> None:
        self._disk, self._pins, self._goal, self._grace = disk, pins, goal, grace
        self._lock = threading.Lock()
        self._touched: set[Cid] = set()
        self._reads = -1
        self._work = self._cycle()
        self.freed = 0

    def touch(self, cid: Cid) -> None:
        """This block stays in this cycle."""
        with self._lock:
            self._touched.add(cid)

    def step(self, blocks: int) -> bool:
        """Look at so many blocks more; False where the cycle has ended."""
        return sum(1 for _ in islice(self._work, blocks)) == blocks

    def finish(self) -> int:
        """Go on to the end; the bytes freed since the cycle began."""
        for _ in self._work:
            pass
        return self.freed

    def _cycle(self) -> Iterator[None]:
        kept: set[Cid] = set()
        for root in self._pins.roots():
            for _ in reach(self._disk, root, kept):
                yield
        found: list[tuple[int, Cid]] = []
        for written, cid in self._disk.ages():
            if cid not in kept:
                found.append((written, cid))
            yield
        for _, cid in sorted(found):
            if self._disk.used <= self._goal:
                return
            self._remove(cid)
            yield

    def _remove(self, cid: Cid) -> None:
        with self._lock:
            if self._grace and self._reads != self._disk.reads.count:
                self._reads = self._disk.reads.count
                for read in self._disk.reads.within(self._grace):
                    for _ in reach(self._disk, read, self._touched):
                        pass
            if cid not in self._touched:
                self.freed += self._disk.delete(cid)
