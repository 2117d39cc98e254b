"""All nodes but one collude: every lie that their aggregators tell is found, proven, and costs them their stakes, and
those who signed it theirs."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from foedus.contracts.ledger import Ledger
from foedus.learning.build import build
from foedus.learning.client import open_client
from foedus.learning.taskfile import load_task_file
from foedus.node.chain import read_task
from foedus.node.devnet.local import LocalNetwork, LocalNode
from foedus.node.devnet.processes import start_chain_process
from foedus.protocol.events import Fault, Logged, ParticipantSlashed, ProposalRefuted
from foedus.protocol.ids import Position
from foedus.protocol.task import Task
from foedus.simulation.ports import Away
from foedus.simulation.simulate import simulate
from tests.node.waiting import said

HERE = Path(__file__).parent
TASK_FILE, APP = HERE / "story" / "open.toml", HERE.parents[1] / "examples" / "digits" / "app.py"
FAST_FILE = HERE / "story" / "fast.toml"
LIES = {
    "wrong-sum": Fault.WRONG_AGGREGATE,
    "wrong-leaf": Fault.WRONG_AGGREGATE,
    "wrong-mask": Fault.WRONG_AGGREGATE,
    "wrong-rule": Fault.WRONG_AGGREGATE,
    "withheld": Fault.WITHHELD_CHUNK,
}
PATIENCE_SECONDS = 150

pytestmark = [pytest.mark.processes, pytest.mark.long, pytest.mark.timeout(900)]


def start_crooked(network: LocalNetwork, node: LocalNode, lies: Path) -> None:
    words = network.command(node, "node", "run", "--json-logs")[3:]
    with node.log.open("ab") as log:
        bent = [sys.executable, str(HERE / "crooked.py"), str(lies), *words]
        node.process = subprocess.Popen(bent, stdout=log, stderr=log, start_new_session=True)


async def log_of(network: LocalNetwork, task: str) -> tuple[Task, list[Logged]]:
    async with await Ledger.connect(network.rpc, network.deployment) as ledger:
        return await read_task(ledger, task)


def wait_until(network: LocalNetwork, task: str, what: str, holds: Callable[[Task, list[ParticipantSlashed]], bool]):
    """The task's state and its convictions, once they are as awaited."""
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE_SECONDS:
        state, entries = asyncio.run(log_of(network, task))
        slashes = [entry.event for entry in entries if isinstance(entry.event, ParticipantSlashed)]
        if holds(state, slashes):
            return state, entries, slashes
        time.sleep(1)
    raise AssertionError(f"waited {PATIENCE_SECONDS} s for {what}; the logs are in {network.root}")


def test_all_but_one_collude_and_every_lie_is_proven(tmp_path: Path) -> None:
    """Seven of eight nodes, hence every quorum, keep quiet about each other's lies. A lie is told once the last one was
    convicted: what falls with an earlier proposal is never judged."""
    lies = tmp_path / "lies"
    lies.mkdir()
    with start_chain_process(tmp_path / "chain", block_time=0.5) as chain:
        network = asyncio.run(LocalNetwork.create(tmp_path / "network", chain.url, 8))
        try:
            honest = network.nodes[0]
            network.start(honest)
            task = network.ask(honest, "task", "create", str(TASK_FILE), "--yes")["task"]
            for at, node in enumerate(network.nodes):
                network.ask(node, "task", "join", task, "--app", str(APP), "--partition", str(at), "--yes")
            for node in network.nodes[1:]:
                start_crooked(network, node, lies)
            for told, lie in enumerate(LIES, start=1):
                (lies / lie).touch()
                wait_until(network, task, f"a conviction for {lie}", lambda _, slashes, n=told: len(slashes) == n)
            state, entries, slashes = wait_until(network, task, "a final round", lambda state, _: bool(state.finished))
        finally:
            network.stop()
    assert [slash.fault for slash in slashes] == list(LIES.values())
    assert {slash.challenger for slash in slashes} == {honest.account}
    assert honest.account not in {slash.participant for slash in slashes}
    assert len({slash.participant for slash in slashes}) == len(LIES)
    refuted = [entry.event.aggregator for entry in entries if isinstance(entry.event, ProposalRefuted)]
    assert refuted == [slash.participant for slash in slashes]
    first = state.finished[0]
    assert first.proposal.aggregate.model_root == first_model(first.survivors)


def test_a_quorum_that_attests_a_lie_is_slashed_to_the_last_signer(tmp_path: Path) -> None:
    """Under FAST terms four of five make a wrong model final while the fifth is away. It comes back, and proves it."""
    lies = tmp_path / "lies"
    lies.mkdir()
    (lies / "wrong-rule").touch()
    with start_chain_process(tmp_path / "chain", block_time=0.5) as chain:
        network = asyncio.run(LocalNetwork.create(tmp_path / "network", chain.url, 5))
        try:
            honest, crooked = network.nodes[0], network.nodes[1:]
            task = network.ask(honest, "task", "create", str(FAST_FILE), "--yes")["task"]
            network.start(honest)
            for at, node in enumerate(network.nodes):
                network.ask(node, "task", "join", task, "--app", str(APP), "--partition", str(at), "--yes")
            for node in crooked:
                start_crooked(network, node, lies)
            for node in crooked:
                said(node, "task begun")
            network.kill(honest)
            wait_until(network, task, "a final round", lambda state, _: bool(state.finished))
            network.start(honest)
            state, _, slashes = wait_until(
                network, task, "a conviction for each", lambda _, slashes: len(slashes) == len(crooked)
            )
        finally:
            network.stop()
    wrong = state.finished[0]
    signers = {wrong.roster[position].address for position in wrong.attesters}
    assert {slash.participant for slash in slashes} == signers | {wrong.proposal.aggregator}
    faults = [slash.fault for slash in slashes]
    assert faults == [Fault.WRONG_AGGREGATE, *[Fault.WRONG_ATTESTATION] * (len(crooked) - 1)]
    assert slashes[0].participant == wrong.proposal.aggregator
    assert {slash.challenger for slash in slashes} == {honest.account}
    assert list(state.participants) == [honest.account]


def first_model(survivors: frozenset[Position]) -> bytes:
    """What round 1 makes of the updates of those who were frozen: on a busy machine one may come too late."""
    built = build(load_task_file(TASK_FILE))
    clients = [open_client(built.app, built.terms, built.manifest, at) for at in range(8)]
    late = Away(commit=frozenset(map(Position, range(8))) - survivors)
    return simulate(built, clients, mode="plain", away=lambda *_: late, evaluate_every=0).rounds[0].model_root
