"""A node's store folder, read without touching it."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

from foedus.network.cid import BLOCK_LIMIT, Part, holds, parse_cid
from foedus.protocol.ids import Cid
from foedus.protocol.ports import BlobCorrupt, BlobMissing, BlobTooLarge


class ReadOnly(TypeError):
    """Somebody asked a store that only reads to keep something."""

    def __init__(self) -> None:
        super().__init__("this store only reads: put blobs through a node")


class FolderStore:
    """The blocks in a node's store folder, read without touching it: the node that owns it may be running.

    `BlockStore` cannot be used for this: to open it is to clear what its owner is just writing.
    """

    def __init__(self, folder: Path) -> None:
        """Raises NotADirectoryError where the folder holds no store."""
        self._blocks = folder / "blocks"
        if not self._blocks.is_dir():
            raise NotADirectoryError(f"{folder} is no store: name the folder that holds a node's blocks/")

    async def get(self, cid: Cid, limit: int) -> bytes:
        """The blob's bytes, every block checked. Raises as the port says, and InvalidCid."""
        return await asyncio.to_thread(self._read, cid, limit)

    async def put(self, blob: bytes) -> Cid:
        """Raises ReadOnly."""
        raise ReadOnly

    async def close(self) -> None:
        """Nothing is held open."""

    def _read(self, cid: Cid, limit: int) -> bytes:
        root = Part.root(parse_cid(cid), self._block(cid))
        if root.file_size > limit:
            raise BlobTooLarge(cid, root.file_size, limit)
        out, stack = io.BytesIO(), [root]
        while stack:
            part = stack.pop()
            block = self._block(part.cid)
            stack.extend(reversed(part.children(block)))
            if part.level == 0:
                out.write(block)
        return out.getvalue()

    def _block(self, cid: Cid) -> bytes:
        try:
            with open(self._blocks / cid[-2:] / parse_cid(cid), "rb") as file:
                block = file.read(BLOCK_LIMIT + 1)
        except FileNotFoundError:
            raise BlobMissing(cid) from None
        if not holds(cid, block):
            raise BlobCorrupt(cid)
        return block
