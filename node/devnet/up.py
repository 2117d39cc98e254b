"""`foedus devnet up`: a chain, the contracts and node daemons, until Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from foedus.node.cli.context import Cli
from foedus.node.devnet.local import LocalNetwork
from foedus.node.devnet.processes import start_chain_process


@contextmanager
def a_chain(root: Path, rpc: str) -> Iterator[str]:
    """The RPC URL of the chain that runs at `rpc`, or of an embedded one that lives as long as the context."""
    if rpc:
        yield rpc
        return
    root.mkdir(parents=True, exist_ok=True)
    with start_chain_process(root / "chain", block_time=1.0) as chain:
        yield chain.url


@contextmanager
def until_told() -> Iterator[threading.Event]:
    """An event that SIGTERM or Ctrl-C sets; the handlers that were there before come back."""
    told = threading.Event()
    before = {name: signal.signal(name, lambda *_: told.set()) for name in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield told
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def run_network(cli: Cli, root: Path, count: int, rpc: str) -> None:
    """Bring it up, say how to use it, and wait."""
    with until_told() as told, a_chain(root, rpc) as url:
        network = asyncio.run(LocalNetwork.create(root, url, count))
        try:
            for node in network.nodes:
                network.start(node)
            network.describe()
            first = network.nodes[0].home.root
            options = f"--home {first} --passphrase-file {network.passphrase_file}"
            cli.answer(
                {"rpc": url, "dir": str(root), "nodes": [str(node.home.root) for node in network.nodes]},
                f"Chain at {url}, {count} nodes under {root}. In another terminal:\n"
                f"  foedus {options} task create TASK.toml\n"
                f"  foedus {options} task join ADDRESS --app APP.py --partition 0\n"
                "Ctrl-C ends it.",
            )
            told.wait()
        finally:
            network.stop()
