"""Opening what commands need: a ledger of the home's account, and a store that can reach the network."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from eth_account.signers.local import LocalAccount

from foedus.contracts.deployment import Deployment
from foedus.contracts.ledger import Ledger
from foedus.network.discovery import bootstrap
from foedus.network.host import Host
from foedus.network.netstore import NetworkStore
from foedus.network.store import BlockStore
from foedus.node.cli.context import Cli
from foedus.node.peers import PeerBook
from foedus.protocol.ids import Address, Cid
from foedus.protocol.ports import BlobMissing

CONNECT_SECONDS = 5.0
"""How long a command waits for the first of the registry's peers to answer."""
LOOK_SECONDS = 0.05


@asynccontextmanager
async def open_ledger(cli: Cli, signer: LocalAccount | None = None) -> AsyncIterator[Ledger]:
    """The home's chain. Raises ChainUnreachable, WrongChain."""
    config = cli.config()
    deployment = Deployment.load(cli.home.deployment)
    async with await Ledger.connect(config.rpc, deployment, signer) as ledger:
        yield ledger


class HomeStore:
    """The home's blobs; what it lacks is asked of the registry's peers, under a peer id of the moment."""

    def __init__(self, cli: Cli, ledger: Ledger, stack: AsyncExitStack) -> None:
        self._config, self._ledger, self._stack = cli.config(), ledger, stack
        self._local = BlockStore(cli.home.store, self._config.store_bytes, self._config.ipfs)
        self._network: NetworkStore | None = None
        stack.push_async_callback(self._local.close)

    async def get(self, cid: Cid, limit: int) -> bytes:
        """See BlobStore."""
        try:
            return await self._local.get(cid, limit)
        except BlobMissing:
            network = await self._reach()
        give_up = time.monotonic() + CONNECT_SECONDS
        while True:  # who answered first may not be who holds it
            try:
                return await network.get(cid, limit)
            except BlobMissing:
                if time.monotonic() >= give_up:
                    raise
            await asyncio.sleep(4 * LOOK_SECONDS)

    async def put(self, blob: bytes) -> Cid:
        """See BlobStore: stored and pinned in the home."""
        return await self._local.put(blob)

    async def _reach(self) -> NetworkStore:
        if self._network is None:
            host = await self._stack.enter_async_context(await Host.start(os.urandom(32)))
            bootstrap(self._config.bootstrap, host.add_peer)
            book = PeerBook(host, self._ledger, Address(""))
            await book.refresh()
            if book.known:
                await _first_connection(host)
            self._network = NetworkStore(host, self._local)
        return self._network


@asynccontextmanager
async def open_store(cli: Cli, ledger: Ledger) -> AsyncIterator[HomeStore]:
    """The home's store for one command."""
    async with AsyncExitStack() as stack:
        yield HomeStore(cli, ledger, stack)


async def _first_connection(host: Host) -> None:
    """Return once a peer is connected, or after CONNECT_SECONDS."""
    for _ in range(round(CONNECT_SECONDS / LOOK_SECONDS)):
        if host.connected():
            return
        await asyncio.sleep(LOOK_SECONDS)
