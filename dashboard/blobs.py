"""Stores to read from: a folder of blocks that a node may be writing to, an IPFS daemon, and either from a thread."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Protocol

from foedus.network.folder import FolderStore, ReadOnly
from foedus.network.kubo import KuboStore
from foedus.network.kubo_rpc import KuboRpc
from foedus.protocol.ids import Cid
from foedus.protocol.ports import BlobStore


class ClosableStore(BlobStore, Protocol):
    """A store that holds connections or files open."""

    async def close(self) -> None: ...


class Interrupted(RuntimeError):
    """The dashboard is closing: nothing more is fetched."""


class ThreadedStore:
    """A store of one event loop, to be read from another loop in another thread."""

    def __init__(self, store: BlobStore, loop: asyncio.AbstractEventLoop) -> None:
        self._store, self._loop = store, loop
        self._closed = threading.Event()

    def close(self) -> None:
        """Refuse whatever is asked from now on."""
        self._closed.set()

    async def get(self, cid: Cid, limit: int) -> bytes:
        """As the store itself. Raises Interrupted after `close`."""
        if self._closed.is_set():
            raise Interrupted("the dashboard is closing")
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._store.get(cid, limit), self._loop))

    async def put(self, blob: bytes) -> Cid:
        """Raises ReadOnly."""
        raise ReadOnly


def open_store(place: Path | str) -> ClosableStore:
    """A folder of blocks, or, where `place` begins with http, the IPFS daemon at that RPC address."""
    if isinstance(place, str) and place.startswith(("http://", "https://")):
        return KuboStore(KuboRpc(place))
    return FolderStore(Path(place))
