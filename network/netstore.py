"""Blobs from anywhere: this node's disk first, then whoever is connected."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import structlog

from foedus.network import blocks
from foedus.network.blocks import Want
from foedus.network.cid import BlobMalformed, parse_cid
from foedus.network.host import Host
from foedus.network.pulling import pull
from foedus.network.sources import Candidates
from foedus.network.store import FETCH, PUT, BlockStore
from foedus.protocol.ids import Cid, PeerId
from foedus.protocol.ports import BlobCorrupt, BlobMissing

log = structlog.get_logger(__name__)

PATIENCE = 120.0
"""Seconds after which a fetch that has brought nothing new asks nobody else."""

REPAIRS = 8
"""Corrupt blocks of this disk that one fetch replaces before it gives the disk up."""


class NetworkStore:
    """A BlobStore that fetches what it does not hold, and serves what it holds to every connected peer.

    Two gets of one blob are one fetch. A fetch that is cut off keeps its blocks: the next asks for the rest.
    """

    def __init__(self, host: Host, local: BlockStore, patience: float = PATIENCE) -> None:
        self.host, self.local, self._patience = host, local, patience
        self._fetches: dict[tuple[Cid, int], _Fetch] = {}
        host.serve_streams(blocks.PROTOCOL, blocks.Server(local.disk).serve, blocks.STREAMS_PER_PEER)

    async def put(self, blob: bytes, label: str = PUT) -> Cid:
        """Store and pin on this disk, from where peers can fetch it. Raises StoreFull."""
        return await self.local.put(blob, label)

    async def get(self, cid: Cid, limit: int, providers: Sequence[PeerId] = ()) -> bytes:
        """The blob's bytes, fetched where needed and checked block by block.

        Raises InvalidCid, BlobMissing, BlobTooLarge past `limit` bytes, BlobMalformed, StoreFull.
        """
        for _ in range(REPAIRS):
            await self.fetch(cid, limit, providers)
            try:
                return await self.local.get(cid, limit)
            except BlobMalformed:
                raise
            except BlobCorrupt as error:
                log.error("corrupt block dropped", cid=error.cid)
                await self.local.delete_block(error.cid)
            except BlobMissing:
                continue  # collected between the two
        raise BlobCorrupt(cid)

    async def fetch(self, cid: Cid, limit: int, providers: Sequence[PeerId] = ()) -> None:
        """Bring the blob to this disk, without reading it into memory; `providers` are asked first.

        It is not pinned: `local.pin` it before or after. Raises as `get` does.
        """
        key = (parse_cid(cid), limit)
        if key not in self._fetches:
            self._fetches[key] = _Fetch(asyncio.create_task(self._fetch(*key, tuple(providers))))
        fetch = self._fetches[key]
        fetch.waiting += 1
        try:
            await asyncio.shield(fetch.task)
        finally:
            fetch.waiting -= 1
            if not fetch.waiting:
                if self._fetches.get(key) is fetch:
                    del self._fetches[key]
                fetch.task.cancel()

    async def _fetch(self, cid: Cid, limit: int, hints: tuple[PeerId, ...]) -> None:
        if not await self._wants(cid, limit):
            return
        label = f"{FETCH}{limit}"
        await self.local.pin(cid, label)
        try:
            others = [peer for peer in self.host.connected() if peer not in hints]
            random.shuffle(others)
            others.sort(key=self.host.score, reverse=True)  # of those that stand alike, in any order
            candidates = Candidates(peer for peer in (*hints, *others) if peer != self.host.peer_id)
            while wants := await self._wants(cid, limit):
                if not await self.host.on_wire(pull, wants, self.local, candidates, self._patience):
                    raise BlobMissing(cid)
            await asyncio.to_thread(self.local.disk.flush)
        finally:
            await self.local.unpin(cid, label)

    async def _wants(self, cid: Cid, limit: int) -> list[Want]:
        for _ in range(REPAIRS):
            try:
                parts = await asyncio.to_thread(self.local.missing_parts, cid, limit)
                return list(dict.fromkeys(Want.part(part) for part in parts))  # equal chunks are one block
            except BlobMissing as error:
                if error.cid == cid:
                    return [Want(cid)]
            except BlobMalformed:
                raise
            except BlobCorrupt as error:
                log.error("corrupt block dropped", cid=error.cid)
                await self.local.delete_block(error.cid)
        raise BlobCorrupt(cid)


class _Fetch:
    def __init__(self, task: asyncio.Task[None]) -> None:
        self.task, self.waiting = task, 0
