"""A day in which nothing is to be done, replayed to a daemon: its memory, hour by hour.

    python -m benchmarks.network.idle [--hours 24]

A daemon of the real command waits, with one task joined that never fills. An hour is 300 blocks (12 s each) with a
transfer each, six of them with another node's announcement of its address instead; 240 keep-alive requests of a peer
(one in 15 s); and 60 hints by gossip. They come as fast as the daemon polls. Prints resident memory in MiB.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount

from foedus.contracts import calls
from foedus.contracts.calls import Call
from foedus.contracts.ledger import Ledger
from foedus.network.discovery import network_id
from foedus.network.host import Host
from foedus.network.keys import generate_secret
from foedus.network.wire import PING
from foedus.node.devnet.accounts import dev_accounts
from foedus.node.devnet.local import LocalNetwork, LocalNode
from foedus.node.devnet.processes import start_chain_process
from foedus.node.hints import Hints
from foedus.protocol.ids import Address, PeerId, Wei

TASK_FILE, APP = Path(__file__).parent / "task.toml", Path(__file__).parent / "app.py"
BLOCKS, ANNOUNCEMENTS, PINGS, HINTS = 300, 6, 240, 60
"""Of an hour."""

SETTLED_HOURS = 2
"""Memory counts from here on: by then everything has been loaded and used once."""

POLL_SECONDS = 0.05


def measure(hours: int = 24, told: Callable[[str], None] = print) -> dict[str, Any]:
    """The daemon's resident memory after each hour, and how much it grew after the first `SETTLED_HOURS`, in MiB."""
    with tempfile.TemporaryDirectory(prefix="foedus-idle-") as folder:
        root = Path(folder)
        with start_chain_process(root / "chain", block_time=0) as chain:
            network = asyncio.run(LocalNetwork.create(root / "network", chain.url, 1, POLL_SECONDS))
            node = network.nodes[0]
            try:
                network.start(node)
                task = network.ask(node, "task", "create", str(TASK_FILE), "--yes")["task"]
                network.ask(node, "task", "join", task, "--app", str(APP), "--partition", "0", "--yes")
                memory = asyncio.run(_replay(network, node, Address(task), hours, told))
            finally:
                network.stop()
    return {"idle_mib": memory, "idle_growth_mib": round(memory[-1] - memory[SETTLED_HOURS - 1], 1)}


async def _replay(
    network: LocalNetwork, node: LocalNode, task: Address, hours: int, told: Callable[[str], None]
) -> list[float]:
    book, memory = network.deployment, list[float]()
    other: LocalAccount = Account.from_key(dev_accounts(count=2)[1].key)
    async with await Ledger.connect(network.rpc, book, other) as ledger, await Host.start(generate_secret()) as host:
        record = (await ledger.nodes())[node.account]
        host.add_peer(record.addresses[0])
        hints = Hints(host, network_id(book.chain_id, book.genesis_hash))
        await hints.start()
        for hour in range(1, hours + 1):
            for minute in range(60):
                await _minute(ledger, host, hints, record.peer_id, task, minute)
            memory.append(_resident(node))
            told(f"hour {hour}: {memory[-1]:.1f} MiB")
    return memory


async def _minute(ledger: Ledger, host: Host, hints: Hints, peer: PeerId, task: Address, minute: int) -> None:
    await hints.tell(task)
    for _ in range(PINGS // 60):
        await host.request(peer, PING, b"", 0, 30)
    for block in range(BLOCKS // 60):
        call = Call(ledger.address, b"", Wei(1), "pay")
        if block == 0 and minute % (60 // ANNOUNCEMENTS) == 0:
            call = calls.announce(ledger.deployment, host.peer_id, host.addresses[:1])
        await ledger.transact(call)
        await asyncio.sleep(POLL_SECONDS)


def _resident(node: LocalNode) -> float:
    assert node.process is not None
    if node.process.poll() is not None:
        raise RuntimeError(f"the daemon ended with status {node.process.returncode}")
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{node.process.pid}/status").read_text().splitlines())
    return round(int(fields["VmRSS"].split()[0]) / 1024, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=int, default=24)
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the daemon has a session of its own: end it too
    print(json.dumps(measure(asked.hours), indent=2))


if __name__ == "__main__":
    main()
