"""One node of the discovery benchmark: a daemon's network without its tasks, wired as the daemon wires it.

Reads one line of JSON, imports, says `ready`, and starts at the next line. From then on it publishes hints and says,
one line of JSON an event, whom it is connected to and what it hears, by the monotonic clock that all processes share.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

import structlog
from eth_account import Account

import foedus.network.wire  # noqa: F401, imports are not measured
from foedus.contracts.deployment import Deployment
from foedus.contracts.ledger import Ledger
from foedus.network.errors import HostStopped
from foedus.network.host import Host
from foedus.network.identity import Domain, serve_record, sign
from foedus.node.peers import REGISTRY_SECONDS, PeerBook, announce
from foedus.protocol.ids import Address, PeerId, Timestamp

TOPIC = "/foedus/bench/hints/1"
HINT_SECONDS = 0.2
LOOK_SECONDS = 0.01


def say(event: str, **facts: Any) -> None:
    """Tell the benchmark."""
    sys.stdout.write(json.dumps({"event": event, "at": time.monotonic(), **facts}) + "\n")
    sys.stdout.flush()


async def run(facts: dict[str, Any]) -> None:
    """Find everybody by the registry, until the input ends."""
    signer, book = Account.from_key(bytes.fromhex(facts["key"])), Deployment.load(Path(facts["deployment"]))
    async with await Ledger.connect(facts["rpc"], book, signer) as ledger:
        say("ready")
        await asyncio.to_thread(sys.stdin.readline)
        async with await Host.start(bytes.fromhex(facts["secret"]), facts["listen"]) as host:
            say("listens", listen=host.addresses[0].split("/p2p/")[0], peer=host.peer_id)
            domain, now = Domain(book.chain_id, book.registry), Timestamp(int(time.time()))
            serve_record(host, sign(domain, host.peer_id, bytes(signer.key), now))
            await host.subscribe(TOPIC, hear)
            peers = PeerBook(host, ledger, Address(signer.address))
            loops = [asyncio.ensure_future(loop) for loop in (watch(host), hint(host), find(host, ledger, peers))]
            await asyncio.to_thread(sys.stdin.read)
            for loop in loops:
                loop.cancel()


async def hear(author: PeerId, message: bytes) -> None:
    """A hint holds the time at which it was published."""
    say("hears", author=author, sent=float(message))


async def find(host: Host, ledger: Ledger, peers: PeerBook) -> None:
    """What the daemon does, at its intervals."""
    await announce(host, ledger, peers.me, host.addresses)
    while True:
        await peers.refresh()
        await asyncio.sleep(REGISTRY_SECONDS)


async def watch(host: Host) -> None:
    """Say who is connected whenever that changes."""
    before: frozenset[PeerId] = frozenset()
    while True:
        if host.connected() != before:
            before = host.connected()
            say("connected", peers=sorted(before))
        await asyncio.sleep(LOOK_SECONDS)


async def hint(host: Host) -> None:
    """Publish."""
    while True:
        with contextlib.suppress(HostStopped):  # gossip is not up yet
            await host.publish(TOPIC, str(time.monotonic()).encode())
        await asyncio.sleep(HINT_SECONDS)


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    asyncio.run(run(json.loads(sys.stdin.readline())))
