"""A node as a process: starts, says who it is on one line of JSON, serves until its input ends."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import sys
from pathlib import Path
from typing import Any

import structlog

from foedus.network.host import Host
from foedus.network.keys import generate_secret
from foedus.network.netstore import NetworkStore
from foedus.network.store import BlockStore
from foedus.protocol.ids import Cid, PeerId


def content(size: int, seed: int = 0) -> bytes:
    """Bytes that no chunk of repeats, cheap to make: sha256 in counter mode, widened by SHAKE."""
    return hashlib.shake_256(f"{seed}".encode()).digest(size)


def memory(field: str) -> int:
    """A field of /proc/self/status in MiB: VmRSS, VmHWM."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) // 1024
    return 0


async def echo(peer: PeerId, request: bytes) -> bytes:
    return peer.encode() + b":" + request


async def fetch(host: Host, store: NetworkStore, options: dict[str, Any]) -> bool:
    """Fetch the blob that is wished for, if any; whether it is here then."""
    if "fetch" not in options:
        return False
    while len(host.connected()) < len(options["peers"]):  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    await store.fetch(Cid(options["fetch"]), 1 << 30)
    return await store.local.has(Cid(options["fetch"]))


async def main(options: dict[str, Any]) -> None:
    secret = bytes.fromhex(options["secret"]) if "secret" in options else generate_secret()
    host = await Host.start(secret, options.get("listen", "/ip4/127.0.0.1/tcp/0"))
    local = BlockStore(Path(options["folder"]))
    store = NetworkStore(host, local)
    host.serve("/test/echo/1", echo, request_limit=1000)
    facts: dict[str, Any] = {"peer": host.peer_id, "address": host.addresses[0]}
    if "blob" in options:
        facts["cid"] = await store.put(content(options["blob"], options.get("seed", 0)))
    for address in options.get("peers", ()):
        host.add_peer(address)
    fetching = asyncio.create_task(fetch(host, store, options))
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    last = {"rss": memory("VmRSS"), "peak": memory("VmHWM"), "whole": await fetching}
    sys.stdout.write(json.dumps(last) + "\n")
    await host.stop()
    await local.close()


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    asyncio.run(main(json.loads(sys.argv[1])))
