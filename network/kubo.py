"""Blobs in an IPFS daemon, which cuts and names them by itself; every block that comes back is checked."""

from __future__ import annotations

import asyncio
import io
from typing import Protocol

from foedus.network.cid import Part, cid_of, parse_cid
from foedus.protocol.ids import Cid
from foedus.protocol.ports import BlobCorrupt, BlobTooLarge


class Rpc(Protocol):
    """How to talk to the daemon: `kubo_rpc.KuboRpc`, or a client of yours as `ipfs_client.ClientRpc`."""

    def add(self, blob: bytes) -> Cid:
        """Have the daemon cut, store and pin a blob; its name there."""

    def block(self, cid: Cid) -> bytes:
        """A block that matches its CID. Raises BlobMissing, BlobCorrupt."""

    def unpin(self, cid: Cid) -> None:
        """Give up what is pinned under the CID."""

    def close(self) -> None:
        """Close the connections to the daemon."""


class KuboStore:
    """A BlobStore in an IPFS daemon."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    async def put(self, blob: bytes) -> Cid:
        """Add and pin. Raises BlobCorrupt where the daemon names the bytes differently, KuboError."""
        want = cid_of(blob)
        if await asyncio.to_thread(self._rpc.add, blob) != want:
            raise BlobCorrupt(want)
        return want

    async def get(self, cid: Cid, limit: int) -> bytes:
        """The blob's bytes, every block checked. Raises as the port says, and InvalidCid, KuboError."""
        return await asyncio.to_thread(self._read, parse_cid(cid), limit)

    async def unpin(self, cid: Cid) -> None:
        """Let the daemon collect the blob when it next does; a blob that is not pinned is left as it is."""
        await asyncio.to_thread(self._rpc.unpin, cid)

    async def close(self) -> None:
        """Close the connections to the daemon."""
        await asyncio.to_thread(self._rpc.close)

    def _read(self, root: Cid, limit: int) -> bytes:
        block = self._rpc.block(root)
        part = Part.root(root, block)
        if part.file_size > limit:
            raise BlobTooLarge(root, part.file_size, limit)
        out = io.BytesIO()
        stack = [part]
        while stack:
            part = stack.pop()
            block = block if part.cid == root else self._rpc.block(part.cid)
            stack.extend(reversed(part.children(block)))
            if part.level == 0:
                out.write(block)
        return out.getvalue()
