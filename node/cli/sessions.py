"""Opening what commands need: a ledger of the home's account, and a store that can reach the network."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from eth_account.signers.local import LocalAccount

from foedus.contracts.deployment import Deployment
from foedus.contracts.ledger import Ledger
from foedus.network.discovery import bootstrap
from foedus.network.host import Host
from foedus.network.netstore import NetworkStore
from foedus.network.store import BlockStore
from foedus.node.cli.context import Cli
from foedus.node.peers import PeerBook
from foedus.protocol.ids import Address

CONNECT_SECONDS = 5.0
"""How long a command waits for the first of the registry's peers to answer."""


@asynccontextmanager
async def open_ledger(cli: Cli, signer: LocalAccount | None = None) -> AsyncIterator[Ledger]:
    """The home's chain. Raises ChainUnreachable, WrongChain."""
    config = cli.config()
    deployment = Deployment.load(cli.home.deployment)
    async with await Ledger.connect(config.rpc, deployment, signer) as ledger:
        yield ledger


@asynccontextmanager
async def open_store(cli: Cli, ledger: Ledger) -> AsyncIterator[NetworkStore]:
    """The home's store, with the registry's peers behind it, under a peer id of the moment."""
    config = cli.config()
    local = BlockStore(cli.home.store, config.store_bytes)
    try:
        async with await Host.start(os.urandom(32)) as host:
            bootstrap(config.bootstrap, host.add_peer)
            book = PeerBook(host, ledger, Address(""))
            await book.refresh()
            if book.known:
                await _first_connection(host)
            yield NetworkStore(host, local)
    finally:
        await local.close()


async def _first_connection(host: Host) -> None:
    async def connected() -> None:
        while not host.connected():
            await asyncio.sleep(0.05)

    with suppress(TimeoutError):
        await asyncio.wait_for(connected(), CONNECT_SECONDS)
