"""Reads what is on the disk before anybody needs it: a flipped bit is found while others still have the block."""

from __future__ import annotations

from foedus.network.backing import Blocks
from foedus.network.cid import BlobMalformed, Part, parse_cid
from foedus.protocol.ids import Cid
from foedus.protocol.ports import BlobCorrupt, BlobMissing


def drop_corrupt(disk: Blocks, cid: Cid) -> int:
    """Read every held block of a blob and remove those that are not what their names say; how many there were.

    One block is in memory at a time. Raises InvalidCid, BlobMalformed.
    """
    root, dropped = parse_cid(cid), 0
    stack: list[Part | None] = [None]
    while stack:
        part = stack.pop()
        name = root if part is None else part.cid
        try:
            block = disk.look(name)
            part = Part.root(root, block) if part is None else part
            stack.extend(part.children(block))
        except BlobMissing:
            continue
        except BlobMalformed:
            raise
        except BlobCorrupt:
            disk.delete(name)
            dropped += 1
    return dropped
