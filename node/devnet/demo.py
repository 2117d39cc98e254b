"""`foedus devnet demo`: one real task, from end to end, with a crash in the middle and an audit at the end."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.live import Live
from rich.table import Table

from foedus.contracts.ledger import Ledger
from foedus.learning.build import Built, build
from foedus.learning.client import Client, open_client, shared_test
from foedus.learning.taskfile import TaskFile, load_task_file
from foedus.network.folder import FolderStore
from foedus.node.bench import load_model
from foedus.node.chain import find_task
from foedus.node.cli.context import Cli
from foedus.node.cli.money import ether
from foedus.node.devnet.local import LocalNetwork, LocalNode
from foedus.node.devnet.up import a_chain
from foedus.node.errors import NodeError
from foedus.node.follower import Follower
from foedus.protocol.events import Phase
from foedus.protocol.ids import Address
from foedus.protocol.task import Task
from foedus.simulation.alone import best_and_mean, train_alone

PATIENCE_SECONDS = 900
KILL_IN_ROUND, RESTART_IN_ROUND = 3, 5
METRIC = "accuracy"


@dataclass(slots=True)
class Show:
    """What the live table says."""

    network: LocalNetwork
    built: Built
    score: Any
    began: float = field(default_factory=time.monotonic)
    curve: list[tuple[int, float]] = field(default_factory=list)
    alone: dict[str, float] = field(default_factory=dict)
    news: str = ""

    def table(self, task: Task | None) -> Table:
        """One row a finished round, and what is going on now."""
        table = Table("round", "survivors", "accuracy", "", title="Learning together, nobody trusted")
        for number, value in self.curve:
            done = task.finished[number - 1] if task else None
            survivors = f"{len(done.survivors)} of {len(done.roster)}" if done else ""
            table.add_row(str(number), survivors, f"{value:.3f}", bar(value))
        for who, value in self.alone.items():
            table.add_row("", f"alone, {who}", f"{value:.3f}", bar(value), style="dim")
        if task is not None and task.round is not None:
            made, seats = len(task.round.commitments), len(task.round.roster)
            table.add_row(str(task.next_round), f"{made} of {seats} committed", "", f"{task.phase.name.lower()}")
        table.caption = f"{time.monotonic() - self.began:.0f} s  {self.news}"
        return table


def bar(value: float) -> str:
    """A value from 0 to 1 as a bar of at most 40 blocks."""
    return "█" * round(40 * value)


def run_demo(cli: Cli, file: Path, root: Path | None, rpc: str) -> int:
    """Run it; the exit status is the audit's. Everything stays in the folder it names."""
    root = root or Path("runs") / time.strftime("demo-%Y%m%d-%H%M%S")
    task_file = load_task_file(file)
    built = build(task_file)
    count = built.terms.params.max_participants
    cli.note(f"{count} nodes, {built.terms.params.rounds} rounds of {built.terms.name}, in {root}")
    with a_chain(root, rpc) as url:
        network = asyncio.run(LocalNetwork.create(root, url, count))
        try:
            return _play(cli, network, task_file, built)
        finally:
            network.stop()


def _play(cli: Cli, network: LocalNetwork, task_file: TaskFile, built: Built) -> int:
    sponsor, rest = network.nodes[0], network.nodes[1:]
    network.start(sponsor)
    task = Address(network.ask(sponsor, "task", "create", str(task_file.path), "--yes")["task"])
    network.describe(task=task)
    cli.note(f"task {task} created by {sponsor.account}")
    _join(network, task, built, task_file)
    for node in rest:
        network.start(node)
    cli.note(f"{len(network.nodes)} nodes joined and staked; their daemons run")
    score = shared_test(built.app, built.terms, built.manifest, data_path=task_file.data_path)
    if score is None:
        raise NodeError(f"{built.app.path} has no shared_test(partition): the demo compares models on one test set")
    show = Show(network, built, score)
    state = asyncio.run(_watch(cli, network, task, show))
    if state.phase is not Phase.ENDED or len(state.finished) < built.terms.params.rounds:
        end = state.end.name if state.end else state.phase.name
        raise NodeError(
            f"the task ended after {len(state.finished)} rounds ({end}): see {network.root}/node-*/node.log"
        )
    paid = _claim(network, task)
    network.stop()
    audit = subprocess.run(
        network.command(sponsor, "audit", task, "--store", str(sponsor.home.store)), capture_output=True, text=True
    )
    report: dict[str, Any] = json.loads(audit.stdout) if audit.stdout else {"status": audit.stderr.strip()}
    show.alone = _alone(built, task_file)
    _tell(cli, show, state, paid, report)
    return audit.returncode


def _join(network: LocalNetwork, task: Address, built: Built, task_file: TaskFile) -> None:
    """Everybody joins with the real command, two at a time: each takes a second of one core."""
    data = ["--data", str(task_file.data_path)] if task_file.data_path else []

    def join(at: int) -> None:
        words = ("task", "join", task, "--app", str(built.app.path), "--partition", str(at), "--yes", *data)
        network.ask(network.nodes[at], *words)

    join(0)
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(join, at) for at in range(1, len(network.nodes))]:
            done.result()


async def _watch(cli: Cli, network: LocalNetwork, task: Address, show: Show) -> Task:
    """Follow the task to its end, score every model, and crash a node on the way."""
    victim = network.nodes[-1]
    local = FolderStore(network.nodes[0].home.store)
    try:
        async with await Ledger.connect(network.rpc, network.deployment) as ledger:
            point, _ = await find_task(ledger, task)
            follower = Follower(ledger, task, point.block)
            with Live(show.table(None), console=cli.console, refresh_per_second=4, transient=True) as live:
                while time.monotonic() - show.began < PATIENCE_SECONDS:
                    state = await follower.poll()
                    if state is not None:
                        _stage(network, victim, state, show)
                        await _score(cli, local, state, show)
                        live.update(show.table(state))
                        if state.phase is Phase.ENDED:
                            return state
                    await asyncio.sleep(0.3)
    finally:
        await local.close()
    raise NodeError(f"the task did not end within {PATIENCE_SECONDS} s: see {network.root}/node-*/node.log")


def _stage(network: LocalNetwork, victim: LocalNode, state: Task, show: Show) -> None:
    """The crash: once the victim's update is frozen in, before it reveals; and its return, two rounds later."""
    round_ = state.round
    if round_ is None:
        return
    frozen = state.phase is Phase.AGGREGATE and round_.position_of(victim.account) in round_.survivors
    if state.next_round == KILL_IN_ROUND and victim.process is not None and frozen:
        network.kill(victim)
        show.news = f"{victim.home.root.name} was killed in the middle of round {KILL_IN_ROUND}"
    if state.next_round == RESTART_IN_ROUND and victim.process is None:
        network.start(victim)
        show.news = f"{victim.home.root.name} was started again in round {RESTART_IN_ROUND}"


async def _score(cli: Cli, local: FolderStore, state: Task, show: Show) -> None:
    """Evaluate the models that are new; where there is no live table, a line each."""
    for done in state.finished[len(show.curve) :]:
        if done.proposal is not None:
            root = done.proposal.aggregate.model_root
            lanes = await load_model(local, state, show.built.terms, show.built.manifest, root)
            metrics, _ = await asyncio.to_thread(show.score, lanes)
            show.curve.append((done.number, metrics[METRIC]))
            if not cli.console.is_terminal:
                cli.note(f"round {done.number}: {len(done.survivors)} survivors, accuracy {metrics[METRIC]:.3f}")


def _claim(network: LocalNetwork, task: Address) -> list[tuple[LocalNode, int]]:
    """Every account has itself paid, with the real command."""
    with ThreadPoolExecutor(2) as pool:
        asked = [(node, pool.submit(network.ask, node, "reward", "claim", task)) for node in network.nodes]
        return [(node, int(answer.result()["paid"])) for node, answer in asked]


def _alone(built: Built, task_file: TaskFile) -> dict[str, float]:
    """Best and mean accuracy of the participants training alone, as many steps, on the same test set."""
    count = built.terms.params.max_participants
    clients: list[Client] = [
        open_client(built.app, built.terms, built.manifest, at, count=count, data_path=task_file.data_path)
        for at in range(count)
    ]
    score = shared_test(built.app, built.terms, built.manifest, data_path=task_file.data_path)
    best, mean = best_and_mean(train_alone(built, clients, shared_test=score), METRIC)
    return {"best": best, "mean": mean}


def _tell(cli: Cli, show: Show, state: Task, paid: list[tuple[LocalNode, int]], report: dict[str, Any]) -> None:
    """The end of the story: accuracy, money, verdict, and where everything lies."""
    network = show.network
    network.describe(
        task=state.address,
        accuracy=show.curve,
        alone=show.alone,
        rewards={node.account: amount for node, amount in paid},
        audit=report,
        seconds=time.monotonic() - show.began,
    )
    if cli.json:
        cli.answer(json.loads((network.root / "run.json").read_text(encoding="utf-8")), "")
        return
    rewards = Table("participant", "paid", title="Rewards")
    for node, amount in paid:
        rewards.add_row(node.account, ether(amount))
    cli.console.print(show.table(state), rewards)
    foedus = sys.argv[0]
    cli.note(
        f"Audit: {report['status']}, {len(report.get('rounds', []))} rounds.\n"
        f"The run is in {network.root} (run.json). To audit it again, or to look at it:\n"
        f"  {foedus} devnet chain --dir {network.root}/chain --port 8545 &\n"
        f"  {foedus} audit {state.address} --rpc http://127.0.0.1:8545 "
        f"--deployment {network.root}/deployment.json --store {network.nodes[0].home.store}\n"
        f"  {foedus} dashboard --rpc http://127.0.0.1:8545 "
        f"--deployment {network.root}/deployment.json --store {network.nodes[0].home.store}"
    )
