"""py-libp2p's own stream, as its users have it: `new_host`, default settings (Noise, yamux), writes of 65,000 bytes.

    python -m benchmarks.network.plain_stream [address]

One side of a measurement, as a process: without an address it serves, with one it pulls. It speaks JSON lines: the
server says its address; the puller answers each line {"bytes": n} with the seconds until all of them had arrived.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

import trio
from libp2p import new_host
from libp2p.abc import INetStream
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.custom_types import TProtocol
from libp2p.peer.peerinfo import info_from_p2p_addr
from multiaddr import Multiaddr

PROTOCOL = TProtocol("/foedus/bench/plain/1")
WRITE_BYTES = 65_000
READ_BYTES = 1 << 18


def say(words: dict[str, Any]) -> None:
    """One line of JSON for the process that has started this one."""
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


async def answer(stream: INetStream) -> None:
    """Write as many bytes as the other side asks for."""
    left = int.from_bytes(await stream.read(8), "big")
    piece = bytes(WRITE_BYTES)
    while left:
        await stream.write(piece[:left])
        left -= min(left, WRITE_BYTES)
    await stream.close()


async def serve() -> None:
    """Listen until the input ends."""
    host = new_host(key_pair=create_new_key_pair())
    host.set_stream_handler(PROTOCOL, answer)
    async with host.run([Multiaddr("/ip4/127.0.0.1/tcp/0")]):
        address = next(str(each) for each in host.get_addrs() if "127.0.0.1" in str(each))
        say({"address": address})
        await trio.to_thread.run_sync(sys.stdin.read)


async def pull(address: str) -> None:
    """Connect, then pull what the input says, over one stream a line."""
    host = new_host(key_pair=create_new_key_pair())
    async with host.run([Multiaddr("/ip4/127.0.0.1/tcp/0")]):
        info = info_from_p2p_addr(Multiaddr(address))
        await host.connect(info)
        say({})
        while line := await trio.to_thread.run_sync(sys.stdin.readline):
            left = int(json.loads(line)["bytes"])
            start = time.perf_counter()
            stream = await host.new_stream(info.peer_id, [PROTOCOL])
            await stream.write(left.to_bytes(8, "big"))
            while left:
                left -= len(await stream.read(min(left, READ_BYTES)))
            seconds = time.perf_counter() - start
            await stream.close()
            say({"seconds": seconds})


if __name__ == "__main__":
    logging.getLogger("libp2p").setLevel(logging.ERROR)
    trio.run(*(pull, sys.argv[1]) if sys.argv[1:] else (serve,))
