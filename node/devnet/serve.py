"""Running a chain: open the folder, listen, answer until told to stop."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from foedus.network.serving import Server
from foedus.node.devnet.chain import EmbeddedChain
from foedus.node.devnet.errors import AddressInUse, BadSetting
from foedus.node.devnet.genesis import Genesis
from foedus.node.devnet.lock import folder_lock
from foedus.node.devnet.rpc import make_app

_SWITCH_SECONDS = 0.0005
"""How long a busy thread may keep the interpreter from another: short, so that polls are not held up by execution."""
_STACK_BYTES = 64 * 2**20
"""Room for the deepest calls that a block's gas can buy, each of them several frames of the interpreter."""


def serve_chain(
    path: Path,
    host: str = "127.0.0.1",
    port: int = 8545,
    chain_id: int = 31337,
    block_time: float = 1.0,
    accounts: int = 10,
    on_ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Serve the chain in folder `path` until SIGTERM or SIGINT; `on_ready` gets the URL once it answers.

    `port` 0 takes a free one; `block_time` is the longest time in seconds without a block, 0 for blocks with
    transactions only; `accounts` is the number of rich development accounts, which anyone who can reach the port may
    spend from. Raises ChainLocked, GenesisMismatch, FormatMismatch, AddressInUse or BadSetting.
    """
    for name, value, least in (("block_time", block_time, 0), ("chain_id", chain_id, 1), ("accounts", accounts, 1)):
        if value < least:
            raise BadSetting(name, value, f"at least {least}")
    with folder_lock(path), _listen(host, port) as listener:
        chain = EmbeddedChain(path, Genesis(chain_id=chain_id, accounts=accounts))
        sys.setswitchinterval(_SWITCH_SECONDS)
        threading.stack_size(_STACK_BYTES)
        place, number = listener.getsockname()[:2]
        url = f"http://[{place}]:{number}" if ":" in place else f"http://{place}:{number}"
        config = uvicorn.Config(
            make_app(chain, block_time),
            log_config=None,
            access_log=False,
            lifespan="on",
            timeout_keep_alive=60,
            timeout_graceful_shutdown=3,
        )
        asyncio.run(Server(config, lambda: on_ready(url)).serve(sockets=[listener]))


@contextmanager
def _listen(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's delay off only where it sees the protocol; without it each answer takes 40 ms.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise AddressInUse(host, port, error.strerror or str(error)) from error
        listener.listen(128)
        yield listener
