"""Dropouts played on real daemons: processes are stopped where they stand, and go on when they are let."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from foedus.contracts.ledger import Ledger
from foedus.network.cid import cid_of_block_digest
from foedus.network.store import BlockStore
from foedus.node.chain import find_task
from foedus.node.devnet.local import LocalNetwork, LocalNode
from foedus.node.follower import Follower
from foedus.protocol.events import Phase
from foedus.protocol.ids import Address
from foedus.protocol.task import Task

HERE = Path(__file__).parent
PATIENCE_SECONDS = 150


class Stage:
    """One task among daemons that run, and its chain as a bystander follows it."""

    def __init__(self, network: LocalNetwork, task: Address, follower: Follower) -> None:
        self.network, self.task, self.follower = network, task, follower

    @classmethod
    @asynccontextmanager
    async def watching(cls, network: LocalNetwork, task: Address) -> AsyncIterator[Stage]:
        async with await Ledger.connect(network.rpc, network.deployment) as ledger:
            point, _ = await find_task(ledger, task)
            yield cls(network, task, Follower(ledger, task, point.block))

    async def until(self, what: str, condition: Callable[[Task], bool], patience: float = PATIENCE_SECONDS) -> Task:
        began = time.monotonic()
        while time.monotonic() - began < patience:
            state = await self.follower.poll()
            if state is not None and condition(state):
                return state
            await asyncio.sleep(0.05)
        raise AssertionError(f"waited {patience} s for {what}; the logs are in {self.network.root}")

    async def commits(self, number: int, count: int) -> Task:
        """A round's commit phase, once so many have committed."""
        return await self.until(
            f"{count} commits in round {number}",
            lambda s: s.next_round == number and s.round is not None and len(s.round.commitments) >= count,
        )

    async def opening(self, number: int, attempt: int = 1) -> Task:
        """A round's attempt, once it may be committed to."""
        return await self.until(
            f"attempt {attempt} at round {number}",
            lambda s: (
                s.next_round == number
                and s.phase is Phase.COMMIT
                and s.round is not None
                and s.round.attempt == attempt
            ),
        )

    async def final(self, number: int) -> Task:
        return await self.until(f"the end of round {number}", lambda s: len(s.finished) >= number)

    async def spread(self, state: Task, holding: list[LocalNode]) -> None:
        """Wait until these nodes have pinned every bundle that was committed, their own aside."""
        label = f"{self.task}/{state.round.number}"
        wanted = [cid_of_block_digest(made.bundle) for made in state.round.commitments.values()]
        stores = [BlockStore(node.home.store) for node in holding]
        try:
            began = time.monotonic()
            lacking = [(store, cid) for store in stores for cid in wanted]
            while lacking and time.monotonic() - began < 40:
                lacking = [(store, cid) for store, cid in lacking if label not in store.pins.labels(cid)]
                await asyncio.sleep(0.05)
            assert not lacking, "bundles did not spread"
        finally:
            for store in stores:
                await store.close()


@contextmanager
def stopped(nodes: list[LocalNode]) -> Iterator[None]:
    """These daemons do not run a single instruction meanwhile."""
    for node in nodes:
        node.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for node in nodes:
            node.process.send_signal(signal.SIGCONT)


def start_departing(network: LocalNetwork, node: LocalNode, when: str, deals: str = "well") -> None:
    """Start a daemon that kills itself: `departing.py` says when, and how it deals."""
    words = network.command(node, "node", "run", "--json-logs")[3:]
    with node.log.open("ab") as log:
        bent = [sys.executable, str(HERE / "departing.py"), when, deals, *words]
        node.process = subprocess.Popen(bent, stdout=log, stderr=log, start_new_session=True)


def gone(node: LocalNode) -> bool:
    """Whether a daemon that was started runs no more."""
    return node.process.poll() is not None


def begin(network: LocalNetwork, file: Path, app: Path) -> Address:
    """Create a task from a file, have everybody join, and start all daemons."""
    sponsor = network.nodes[0]
    network.start(sponsor)
    task: Address = network.ask(sponsor, "task", "create", str(file), "--yes")["task"]
    join_all(network, task, app)
    for node in network.nodes[1:]:
        network.start(node)
    return task


def join_all(network: LocalNetwork, task: Address, app: Path) -> None:
    """Have everybody join, each with a part of the data of its own."""
    for at, node in enumerate(network.nodes):
        network.ask(node, "task", "join", task, "--app", str(app), "--partition", str(at), "--yes")
