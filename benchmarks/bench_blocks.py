"""Block exchange against a raw Noise + yamux stream, between two processes, in one run.

    python benchmarks/bench_blocks.py [--megabytes 100] [--rounds 3] [--store DIR]

Two measurements a round over one connection, interleaved: the raw stream (65,000-byte writes, bytes dropped on
arrival), and the block protocol from disk to disk (every block hashed, written, fsynced). Prints MB/s (10^6 bytes a
second), the ratio of the medians, and the resident memory of both processes; writes benchmarks/results/blocks.json.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import structlog

from foedus.network.host import Host
from foedus.network.keys import generate_secret
from foedus.network.netstore import NetworkStore
from foedus.network.store import BlockStore
from foedus.network.stream import Stream
from foedus.network.wire import Wire
from foedus.protocol.ids import Cid, PeerId

RAW = "/foedus/bench/raw/1"
RESULTS = Path(__file__).parent / "results" / "blocks.json"


def memory() -> dict[str, int]:
    """Resident memory of this process now and at its highest, in MiB."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {"rss": int(fields["VmRSS"].split()[0]) // 1024, "peak": int(fields["VmHWM"].split()[0]) // 1024}


async def serve(folder: Path, size: int) -> None:
    """The server's process: says where it is, serves until its input ends, says what memory it had."""
    host = await Host.start(generate_secret())
    store = NetworkStore(host, BlockStore(folder))

    async def raw(stream: Stream) -> None:
        wanted = int.from_bytes(await stream.read_exactly(8), "big")
        piece = os.urandom(1 << 20)
        for start in range(0, wanted, len(piece)):
            await stream.write(piece[: wanted - start])
        await stream.close()

    host.serve_streams(RAW, raw, 4)
    cid = await store.put(hashlib.shake_256(b"bench").digest(size))
    sys.stdout.write(json.dumps({"peer": host.peer_id, "address": host.addresses[0], "cid": cid}) + "\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    sys.stdout.write(json.dumps(memory()) + "\n")
    await host.stop()


async def raw_stream(wire: Wire, peer: PeerId, size: int) -> None:
    """Pull `size` bytes over a plain stream and drop them."""
    async with wire.stream(peer, RAW) as stream:
        await stream.write(size.to_bytes(8, "big"))
        for start in range(0, size, 1 << 20):
            await stream.read_exactly(min(1 << 20, size - start))
        await stream.close()


async def measure(folder: Path, size: int, rounds: int) -> dict[str, Any]:
    """The requester's process: all rounds, and the figures."""
    command = [sys.executable, __file__, "--serve", str(folder / "server"), "--bytes", str(size)]
    server = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdout is not None
    facts = json.loads(await server.stdout.readline())
    peer, cid = PeerId(facts["peer"]), Cid(facts["cid"])
    host = await Host.start(generate_secret())
    store = NetworkStore(host, BlockStore(folder / "client"))
    host.add_peer(facts["address"])
    while peer not in host.connected():  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    await asyncio.sleep(1)
    idle = memory()
    seconds: dict[str, list[float]] = {"raw": [], "blocks": []}
    for _ in range(rounds):
        start = time.perf_counter()
        await host.on_wire(raw_stream, peer, size)
        seconds["raw"].append(time.perf_counter() - start)
        await store.local.gc()
        start = time.perf_counter()
        await store.fetch(cid, size)
        seconds["blocks"].append(time.perf_counter() - start)
    busy = memory()
    assert await store.local.get(cid, size) == hashlib.shake_256(b"bench").digest(size)
    last, _ = await server.communicate(b"")
    await host.stop()
    speed = {name: [round(size / 1e6 / each, 1) for each in times] for name, times in seconds.items()}
    medians = {name: statistics.median(each) for name, each in speed.items()}
    return {
        "megabytes": size / 1e6,
        "megabytes_per_second": speed,
        "medians": medians,
        "ratio": round(medians["blocks"] / medians["raw"], 3),
        "idle_mib": idle,
        "requester_mib": busy,
        "server_mib": json.loads(last.splitlines()[-1]),
        "machine": {"python": platform.python_version(), "cpus": os.cpu_count(), "system": platform.platform()},
    }


def main() -> None:
    """Parse, run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--store", type=Path, help="where the two stores lie while it runs")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--bytes", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    if options.serve:
        asyncio.run(serve(options.serve, options.bytes))
        return
    with tempfile.TemporaryDirectory(dir=options.store) as folder:
        figures = asyncio.run(measure(Path(folder), options.megabytes * 1_000_000, options.rounds))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n")
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
