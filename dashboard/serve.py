"""Running the dashboard: read the address book, open the store, listen, answer until told to stop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

import uvicorn

from foedus.contracts.deployment import Deployment
from foedus.dashboard.app import create_app
from foedus.dashboard.blobs import ClosableStore, open_store
from foedus.network.serving import Server


class CannotListen(OSError):
    """The address is taken or not this machine's."""

    def __init__(self, host: str, port: int, why: str) -> None:
        super().__init__(f"cannot listen on {host}:{port} ({why}): choose another port or host")
        self.host, self.port = host, port


def serve(
    rpc: str,
    deployment_path: Path,
    store: Path | str,
    host: str = "127.0.0.1",
    port: int = 8600,
    on_ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Serve until SIGTERM or SIGINT; `on_ready` gets the URL once it answers.

    rpc: the chain's JSON-RPC URL; deployment_path: the address book; store: a folder of blocks, which is only read, or
    an IPFS daemon's RPC URL; port 0 takes a free one. There is no log-in, and an audit is work: think before you listen
    on more than this machine. Raises MalformedDeployment, CannotListen, and NotADirectoryError where the folder is no
    store.
    """
    book = Deployment.load(deployment_path)
    asyncio.run(_serve(rpc, book, open_store(store), host, port, on_ready))


async def _serve(
    rpc: str, book: Deployment, store: ClosableStore, host: str, port: int, on_ready: Callable[[str], None]
) -> None:
    config = uvicorn.Config(
        create_app(rpc, book, store), log_config=None, access_log=False, lifespan="on", timeout_graceful_shutdown=3
    )
    try:
        with _listen(host, port) as listener:
            place, number = listener.getsockname()[:2]
            url = f"http://[{place}]:{number}" if ":" in place else f"http://{place}:{number}"
            await Server(config, lambda: on_ready(url)).serve(sockets=[listener])
    finally:
        await store.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise CannotListen(host, port, error.strerror or str(error)) from error
    listener.listen(128)
    return listener
