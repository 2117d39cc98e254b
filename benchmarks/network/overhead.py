"""A round of eight nodes with ten million parameters, beside Flower's plaintext round over gRPC.

    python -m benchmarks.network.overhead --peers .venv-peers/bin/python

Both in one run, one after the other, on the machine's loopback: eight processes that each train one step on one
example, all else being the round. Ours goes from a round's opening on the chain to its final model: training, masks,
storing, spreading, commits, freeze, reveals, the tree of sums, attestations, with an embedded chain of blocks of one
second. Training is counted on both sides.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from foedus.node.devnet.local import LocalNetwork
from foedus.node.devnet.up import a_chain
from foedus.protocol.events import Phase
from foedus.protocol.ids import Address
from tests.node.dropouts import Stage, begin

HERE = Path(__file__).parent
TASK_FILE, APP = HERE / "task.toml", HERE / "app.py"
NODES, ROUNDS = 8, 3
PATIENCE_SECONDS = 1200
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS")}

STEPS = (
    ("trained", "trained", max),
    ("masked, stored, committed", "update committed", max),
    ("spread, checked, frozen", "survivors frozen", min),
    ("revealed", "revealing", max),
    ("unmasked, summed, proposed", "aggregate proposed", min),
    ("attested, final", "round finalized", min),
)
"""What ends with which line of the nodes' logs: of the last node that logs it, or of the first."""


def measure(peers: Path) -> dict[str, Any]:
    """Both systems' rounds, and how many times as long ours takes.

    peers: a Python with Flower installed. Medians of the rounds, seconds.
    """
    flower = flower_rounds(peers)
    ours = our_rounds()
    rounds = [sum(steps.values()) for steps in ours]
    where = {step: round(statistics.median(steps[step] for steps in ours), 2) for step in ours[0]}
    return {
        "flower_round_seconds": [round(s, 2) for s in flower],
        "round_seconds": [round(s, 2) for s in rounds],
        "where": where,
        "round_overhead_ratio": round(statistics.median(rounds) / statistics.median(flower), 2),
    }


def flower_rounds(peers: Path) -> list[float]:
    """Seconds of each of Flower's rounds."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    base = [str(peers), "-m", "benchmarks.network.flower_round"]
    place, quiet = ["--port", str(port)], {"stderr": subprocess.DEVNULL, "env": os.environ | ONE_THREAD}
    sizes = ["--clients", str(NODES), "--rounds", str(ROUNDS)]
    server = subprocess.Popen([*base, "serve", *place, *sizes], stdout=subprocess.PIPE, text=True, **quiet)
    _until_listening(port, server)
    clients = [subprocess.Popen([*base, "join", "--index", str(at), *place], **quiet) for at in range(NODES)]
    try:
        said, _ = server.communicate(timeout=PATIENCE_SECONDS)
        if server.returncode:
            raise RuntimeError(f"Flower's server ended with status {server.returncode}")
        seconds: list[float] = json.loads(said.splitlines()[-1])
        return seconds
    finally:
        for process in (server, *clients):
            process.kill()
            process.wait()


def _until_listening(port: int, server: subprocess.Popen[str]) -> None:
    while server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError(f"Flower's server ended with status {server.returncode} before it listened")


def our_rounds() -> list[dict[str, float]]:
    """Seconds of each step of each round."""
    with tempfile.TemporaryDirectory(prefix="foedus-overhead-") as folder:
        root = Path(folder)
        with a_chain(root, "") as url:
            network = asyncio.run(LocalNetwork.create(root / "network", url, NODES))
            try:
                task = begin(network, TASK_FILE, APP)
                asyncio.run(_until_over(network, task))
            finally:
                network.stop()
            log = [entry for node in network.nodes for entry in _entries(node.log)]
    return [_steps(log, number) for number in range(1, ROUNDS + 1)]


async def _until_over(network: LocalNetwork, task: Address) -> None:
    async with Stage.watching(network, task) as stage:
        state = await stage.until("the end of the task", lambda s: s.phase is Phase.ENDED, PATIENCE_SECONDS)
    if len(state.finished) != ROUNDS or any(len(done.survivors) != NODES for done in state.finished):
        raise RuntimeError(f"{len(state.finished)} rounds of {ROUNDS} ended, or not with {NODES} survivors each")


def _entries(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(errors="replace").splitlines():
        if line.startswith("{"):
            yield json.loads(line)


def _steps(log: list[dict[str, Any]], number: int) -> dict[str, float]:
    """Seconds from each step's end to the next one's, from the first node that saw the round open."""
    mine = [entry for entry in log if entry.get("round") == number]

    def times(event: str, **values: Any) -> list[float]:
        found = [e for e in mine if e["event"] == event and all(e.get(k) == v for k, v in values.items())]
        return [datetime.fromisoformat(e["timestamp"]).timestamp() for e in found]

    before, steps = min(times("phase", phase=Phase.COMMIT.name)), dict[str, float]()
    for step, event, pick in STEPS:
        then = pick(times(event))
        steps[step], before = then - before, then
    return steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, required=True, help="a Python with Flower installed")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the daemons have sessions of their own: end them too
    print(json.dumps(measure(asked.peers), indent=2))


if __name__ == "__main__":
    main()
