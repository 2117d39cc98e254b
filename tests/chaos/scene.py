"""A devnet whose nodes live behind gates: what a run of chaos plays on."""

from __future__ import annotations

import json
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from foedus.node.devnet.local import LocalNetwork, LocalNode
from foedus.protocol.ids import Address
from tests.chaos import daemon
from tests.chaos.proxy import Gate, Gates, source_of
from tests.node.forking import Forked, ask
from tests.node.slow_disk import set_wait

ROOT = Path(__file__).parents[2]
TASK_FILE, APP = Path(__file__).parent / "task.toml", ROOT / "examples" / "digits" / "app.py"


@dataclass(slots=True)
class Caged:
    """One node and its gates: `peers` in front of its libp2p port, `rpc` between it and the chain."""

    at: int
    node: LocalNode
    port: int
    peers: Gate
    rpc: Gate
    wishes: dict[str, object] = field(default_factory=lambda: {"skew": 0.0, "lie": ""})
    starts: int = 0
    said_before: int = 0
    """Bytes that earlier daemons wrote to the log."""
    died: list[int] = field(default_factory=list)
    """Exit statuses of daemons that nobody here ended."""

    @property
    def control(self) -> Path:
        return self.node.home.root / "control.json"

    @property
    def disk(self) -> Path:
        return self.node.home.root / "slow_disk"

    def said(self) -> str:
        """What the last daemon has logged."""
        return self.node.log.read_bytes()[self.said_before :].decode(errors="replace")

    def wish(self, **wishes: object) -> None:
        """Tell the daemon, and those after it, what is wanted: see `tests.chaos.daemon`."""
        self.wishes |= wishes
        beside = self.control.with_suffix(".new")
        beside.write_text(json.dumps(self.wishes))
        beside.replace(self.control)


class Cage:
    """A network behind gates."""

    def __init__(self, network: LocalNetwork, gates: Gates) -> None:
        self.network, self.gates = network, gates
        self.chain_port = urlsplit(network.rpc).port or 80
        self.nodes: list[Caged] = []
        for at, node in enumerate(network.nodes):
            port = _free_port()
            caged = Caged(at, node, port, gates.open(at, port), gates.open(at, self.chain_port))
            caged.wish()
            set_wait(caged.disk, 0.0)
            self.nodes.append(caged)

    def start(self, caged: Caged) -> None:
        """Start a node's daemon. Its log goes through a pipe: a disk that is full for the daemon is not for its log."""
        words = self.network.command(caged.node, "node", "run", "--json-logs")[3:]
        settings = {
            "FOEDUS_RPC": f"http://127.0.0.1:{caged.rpc.port}",
            "FOEDUS_LISTEN": f"/ip4/127.0.0.1/tcp/{caged.port}",
        }
        caged.starts += 1
        caged.said_before = caged.node.log.stat().st_size if caged.node.log.exists() else 0
        pipe = caged.node.home.root / f"log-{caged.starts}"
        os.mkfifo(pipe)
        threading.Thread(target=_keep, args=(pipe, caged.node.log), daemon=True).start()
        place = daemon.Place(caged.control, caged.peers.port, source_of(caged.at), caged.disk, settings)
        caged.node.process = Forked(daemon.run, place, pipe, words)

    def revive(self, caged: Caged) -> None:
        """Start a daemon that is not there; where it died by itself, that is noted."""
        process = caged.node.process
        if process is not None and process.poll() is not None:
            caged.died.append(process.returncode)
        if process is None or process.poll() is not None:
            self.start(caged)

    def begin(self, file: Path) -> Address:
        """Create the task, start all daemons, and have everybody join: the first round opens with the last of them."""
        sponsor = self.nodes[0]
        self.start(sponsor)
        task = Address(ask(self.network, sponsor.node, "task", "create", str(file), "--yes")["task"])
        for caged in self.nodes[1:]:
            self.start(caged)
        with ThreadPoolExecutor(len(self.nodes)) as crowd:
            for told in [crowd.submit(self._join, caged, task) for caged in self.nodes]:
                told.result()
        return task

    def _join(self, caged: Caged, task: Address) -> None:
        words = ("task", "join", task, "--app", str(APP), "--partition", str(caged.at), "--yes")
        ask(self.network, caged.node, *words)


def write_task(folder: Path, nodes: int, rounds: int) -> Path:
    """The task file for so many nodes and rounds."""
    text = TASK_FILE.read_text().replace('"../../examples/digits/app.py"', f'"{APP}"')
    fewest = nodes - 1 if nodes < 8 else nodes - 2
    numbers = {"rounds": rounds, "min_participants": fewest, "max_participants": nodes, "min_survivors": fewest}
    lines = [
        f"{key} = {numbers[key]}" if (key := line.partition(" =")[0]) in numbers else line for line in text.splitlines()
    ]
    file = folder / "task.toml"
    file.write_text("\n".join(lines) + "\n")
    return file


def _keep(pipe: Path, log: Path) -> None:
    with pipe.open("rb", buffering=0) as out, log.open("ab", buffering=0) as file:
        while piece := out.read(1 << 16):
            file.write(piece)


def _free_port() -> int:
    with socket.socket() as plug:
        plug.bind(("127.0.0.1", 0))
        port: int = plug.getsockname()[1]
        return port
