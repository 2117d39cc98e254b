"""How fast nodes find each other through the registry, and how fast one that was killed is among them again.

    python -m benchmarks.network.discovery [--rounds 5] [--nodes 8]

Every node is a process with a host, hints and a peer book wired as the daemon wires them; the chain is the embedded
one, a block a second. A round: fresh processes and fresh keys, all told to start at once; `connected` and `meshed`
are the seconds from when the last one listens until each is connected to each, and until each has heard a hint of
each. Then one is killed (SIGKILL) and started again with its key and port: `back` is the seconds from when it listens
until each of the others has heard it and it has heard each. Imports do not count. Medians and the worst of all
rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import statistics
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from pathlib import Path
from typing import Any

from eth_account import Account

from foedus.contracts.deploy import deploy
from foedus.network.keys import generate_secret
from foedus.node.devnet.accounts import dev_accounts
from foedus.node.devnet.processes import start_chain_process
from foedus.protocol.ids import Address

NODES, ROUNDS = 8, 5
GIVE_UP_SECONDS = 300.0
NODE = "benchmarks.network.discovery_node"


class Node:
    """A node's process, and what it has said."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self.facts = facts
        self.peer = ""
        self.said: list[dict[str, Any]] = []
        self._process: Process
        self._reader: asyncio.Task[None]

    async def prepare(self) -> None:
        """Start the process and wait until it has imported everything."""
        self.said = []
        self._process = await asyncio.create_subprocess_exec(sys.executable, "-m", NODE, stdin=PIPE, stdout=PIPE)
        await self._write(json.dumps(self.facts))
        self._reader = asyncio.create_task(self._read())
        await until(lambda: self.said)

    async def listen(self) -> float:
        """Have it start; when it listened, which it does at the same place from then on."""
        await self._write("go")
        await until(lambda: any(line["event"] == "listens" for line in self.said))
        line = next(line for line in self.said if line["event"] == "listens")
        self.peer, self.facts["listen"] = line["peer"], line["listen"]
        return float(line["at"])

    async def kill(self) -> None:
        """SIGKILL, unless it has ended."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        await self._reader

    def connected(self, others: set[str]) -> float | None:
        """When it was connected to all of `others` for the first time since it started."""
        return next((line["at"] for line in self.said if others <= set(line.get("peers", ()))), None)

    def heard(self, author: str, since: float) -> float | None:
        """When it heard the first hint that the author published after `since`."""
        heard = (line for line in self.said if line.get("author") == author and line["sent"] >= since)
        return next((line["at"] for line in heard), None)

    async def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        await self._process.stdin.drain()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            self.said.append(json.loads(line))


async def until(condition: Callable[[], Any]) -> Any:
    """The first truth that the condition yields. Raises TimeoutError."""
    async with asyncio.timeout(GIVE_UP_SECONDS):
        while not (value := condition()):  # noqa: ASYNC110, processes are looked at from outside
            await asyncio.sleep(0.05)
    return value


async def last(times: Callable[[], list[float | None]]) -> float:
    """The latest of these times, once all are known."""
    await until(lambda: None not in times())
    return max(each for each in times() if each is not None)


async def measure_round(nodes: list[Node]) -> dict[str, float]:
    """Seconds to be connected, to be meshed, and to be back after a kill."""
    await asyncio.gather(*(node.prepare() for node in nodes))
    try:
        return await _measure_round(nodes)
    finally:
        await asyncio.gather(*(node.kill() for node in nodes))


async def _measure_round(nodes: list[Node]) -> dict[str, float]:
    start = max(await asyncio.gather(*(node.listen() for node in nodes)))
    ids = {node.peer for node in nodes}
    connected = await last(lambda: [node.connected(ids - {node.peer}) for node in nodes])

    pairs = [(one, other) for one in nodes for other in nodes if one is not other]
    meshed = await last(lambda: [one.heard(other.peer, start) for one, other in pairs])
    killed, rest = nodes[0], nodes[1:]
    await killed.kill()
    await killed.prepare()
    again = await killed.listen()
    both = [(killed, one) for one in rest] + [(one, killed) for one in rest]
    back = await last(lambda: [one.heard(other.peer, again) for one, other in both])
    return {"connected": connected - start, "meshed": meshed - start, "back": back - again}


async def measured(folder: Path, count: int, rounds: int) -> list[dict[str, float]]:
    """Every round's seconds, on one chain."""
    accounts = dev_accounts(count=count + 1)
    with start_chain_process(folder / "chain", accounts=count + 1) as chain:
        owner, *members = accounts
        signer = Account.from_key(owner.key)
        book = await deploy(chain.url, signer, Address(signer.address), 31337)
        book.save(folder / "deployment.json")
        found = []
        for _ in range(rounds):
            common = {"rpc": chain.url, "deployment": str(folder / "deployment.json"), "listen": "/ip4/127.0.0.1/tcp/0"}
            nodes = [
                Node({**common, "key": bytes(member.key).hex(), "secret": generate_secret().hex()})
                for member in members
            ]
            found.append(await measure_round(nodes))
        return found


def measure(nodes: int = NODES, rounds: int = ROUNDS) -> dict[str, Any]:
    """`connected`, `meshed` and `back` in seconds: medians of the rounds; `worst`: the highest of each."""
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measured(Path(folder), nodes, rounds))
    columns = {name: [each[name] for each in found] for name in ("connected", "meshed", "back")}
    medians: dict[str, Any] = {name: round(statistics.median(column), 2) for name, column in columns.items()}
    return medians | {"worst": {name: round(max(column), 2) for name, column in columns.items()}, "rounds": rounds}


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=NODES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the nodes and the chain end too
    sys.stdout.write(json.dumps(measure(options.nodes, options.rounds), indent=2) + "\n")


if __name__ == "__main__":
    main()
