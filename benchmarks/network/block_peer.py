"""One side of the block benchmark, as a process: a node's network alone, told by JSON lines what to do.

    python -m benchmarks.network.block_peer <store folder> [bytes to put]

Its first line says where it is (and what it has put). Each line that it is told is answered by one: {"do": "meet",
"address"}, {"do": "drop" | "keep", "peer", "bytes"} (a plain stream whose bytes are dropped, or hashed and written),
{"do": "fetch", "cid", "bytes"}. Answers carry `seconds`, and this process's resident memory in MiB, now and at its
highest.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import structlog
import trio

from foedus.network.cid import CHUNK
from foedus.network.host import Host
from foedus.network.keys import generate_secret
from foedus.network.netstore import NetworkStore
from foedus.network.pieces import Piece
from foedus.network.store import BlockStore
from foedus.network.stream import Stream
from foedus.network.wire import Wire
from foedus.protocol.ids import Cid, PeerId

RAW = "/foedus/bench/raw/1"


def content(size: int) -> bytes:
    """Bytes that no block repeats."""
    return hashlib.shake_256(b"bench").digest(size)


def memory() -> dict[str, int]:
    """Resident memory of this process now and at its highest, in MiB."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {"rss": int(fields["VmRSS"].split()[0]) // 1024, "peak": int(fields["VmHWM"].split()[0]) // 1024}


async def answer(stream: Stream) -> None:
    """Write as many bytes as the other side asks for."""
    left = int.from_bytes(await stream.read_exactly(8), "big")
    piece = memoryview(os.urandom(CHUNK))
    while left:
        await stream.write(piece[:left])
        left -= min(left, CHUNK)
    await stream.close()


async def drop(wire: Wire, peer: PeerId, size: int) -> None:
    """Pull `size` bytes over a plain stream and drop them."""
    async with wire.stream(peer, RAW) as stream:
        await stream.write(size.to_bytes(8, "big"))
        while size:
            size -= sum(map(len, await stream.read_pieces(min(CHUNK, size))))
        await stream.close()


async def keep(wire: Wire, peer: PeerId, size: int, file: Path) -> None:
    """The same, hashed by blocks and written to one file, with fsync at its end: the least that a store must do."""
    arrived_in, arrived = trio.open_memory_channel[list[Piece]](4)

    def write(descriptor: int, pieces: list[Piece]) -> None:
        hashed = hashlib.sha256()
        for piece in pieces:
            hashed.update(piece)
        os.writev(descriptor, pieces)

    async def save() -> None:
        with file.open("wb") as out:
            async for pieces in arrived:
                await trio.to_thread.run_sync(write, out.fileno(), pieces)
            await trio.to_thread.run_sync(os.fsync, out.fileno())

    async with trio.open_nursery() as nursery, wire.stream(peer, RAW) as stream, arrived_in:
        nursery.start_soon(save)
        await stream.write(size.to_bytes(8, "big"))
        while size:
            pieces = await stream.read_pieces(min(CHUNK, size))
            size -= sum(map(len, pieces))
            await arrived_in.send(pieces)
        await stream.close()


async def act(host: Host, store: NetworkStore, folder: Path, order: dict[str, Any]) -> None:
    """Do one thing."""
    match order:
        case {"do": "meet", "address": address}:
            host.add_peer(address)
            while PeerId(address.rsplit("/", 1)[1]) not in host.connected():  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        case {"do": "drop", "peer": peer, "bytes": size}:
            await host.on_wire(drop, peer, size)
        case {"do": "keep", "peer": peer, "bytes": size}:
            await host.on_wire(keep, peer, size, folder / "kept")
        case {"do": "fetch", "cid": cid, "bytes": size}:
            await store.fetch(Cid(cid), size)
        case {"do": "check", "cid": cid, "bytes": size}:
            if await store.get(Cid(cid), size) != content(size):
                raise RuntimeError("other bytes than were put")
        case {"do": "forget"}:
            await store.local.gc()


async def main(folder: Path, size: int) -> None:
    """Start, then obey until the input ends."""
    host = await Host.start(generate_secret())
    store = NetworkStore(host, BlockStore(folder))
    host.serve_streams(RAW, answer, 4)
    facts: dict[str, Any] = {"peer": host.peer_id, "address": host.addresses[0]}
    if size:
        facts["cid"] = await store.put(content(size))
    say = partial(print, flush=True)
    say(json.dumps(facts))
    while line := await asyncio.to_thread(sys.stdin.readline):
        start = time.perf_counter()
        await act(host, store, folder, json.loads(line))
        say(json.dumps({"seconds": time.perf_counter() - start} | memory()))
    await host.stop()


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]) if sys.argv[2:] else 0))
