"""Seeds that no peer is told are asked for through the court: who answers loses nothing, who does not, its stake."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import pytest

from foedus.contracts.ledger import Ledger
from foedus.learning.build import build
from foedus.learning.client import open_client
from foedus.learning.taskfile import load_task_file
from foedus.node.chain import read_task
from foedus.node.devnet.local import LocalNetwork, LocalNode
from foedus.node.devnet.processes import start_chain_process
from foedus.protocol.court import RevealDemanded, SeedRevealed
from foedus.protocol.events import Fault, ParticipantSlashed, Phase
from foedus.simulation.simulate import simulate

HERE = Path(__file__).parent
TASK_FILE, APP = HERE / "story" / "withheld.toml", HERE.parents[1] / "examples" / "digits" / "app.py"
PATIENCE_SECONDS = 180

pytestmark = [pytest.mark.processes, pytest.mark.long, pytest.mark.timeout(900)]


def start_silent(network: LocalNetwork, node: LocalNode) -> None:
    words = network.command(node, "node", "run", "--json-logs")[3:]
    with node.log.open("ab") as log:
        bent = [sys.executable, str(HERE / "byzantine.py"), "tells-no-peer", *words]
        node.process = subprocess.Popen(bent, stdout=log, stderr=log, start_new_session=True)


def choose_to_demand(node: LocalNode) -> None:
    text = node.home.config.read_text()
    assert "demand_reveals = false" in text, "it is the operator's to choose"
    node.home.config.write_text(text.replace("demand_reveals = false", "demand_reveals = true"))


async def seen(network: LocalNetwork, task: str):
    """The task's state, its convictions, and what the court said of seeds."""
    async with await Ledger.connect(network.rpc, network.deployment) as ledger:
        state, entries = await read_task(ledger, task)
        said = await ledger.court_events(state.address, entries[0].point.block, (await ledger.head()).number)
    slashes = [entry.event for entry in entries if isinstance(entry.event, ParticipantSlashed)]
    return state, slashes, [event for event in said if isinstance(event, RevealDemanded | SeedRevealed)]


def wait_until(network: LocalNetwork, task: str, what: str, holds):
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE_SECONDS:
        found = asyncio.run(seen(network, task))
        if holds(*found):
            return found
        time.sleep(0.5)
    raise AssertionError(f"waited {PATIENCE_SECONDS} s for {what}; the logs are in {network.root}")


def test_what_no_peer_is_told_the_court_is(tmp_path: Path) -> None:
    """Two of five tell their peers nothing, which is one more than shares can replace. Both answer in round 1; in round
    2 one is dead."""
    with start_chain_process(tmp_path / "chain", block_time=0.5) as chain:
        network = asyncio.run(LocalNetwork.create(tmp_path / "network", chain.url, 5))
        try:
            honest, silent = network.nodes[:3], network.nodes[3:]
            for node in honest:
                choose_to_demand(node)
                network.start(node)
            task = network.ask(honest[0], "task", "create", str(TASK_FILE), "--yes")["task"]
            for at, node in enumerate(network.nodes):
                network.ask(node, "task", "join", task, "--app", str(APP), "--partition", str(at), "--yes")
            for node in silent:
                start_silent(network, node)
            state, slashes, said = wait_until(network, task, "round 1", lambda state, *_: bool(state.finished))
            first = state.finished[0]
            wait_until(
                network,
                task,
                "a frozen round 2",
                lambda state, *_: state.phase is Phase.AGGREGATE and state.next_round == 2,
            )
            network.kill(silent[1])
            state, convicted, _ = wait_until(network, task, "a conviction", lambda _, slashes, __: bool(slashes))
        finally:
            network.stop()
    quiet = {node.account for node in silent}
    assert first.survivors == {0, 1, 2, 3, 4}
    assert {event.owner for event in said if isinstance(event, SeedRevealed)} == quiet
    assert len([event for event in said if isinstance(event, RevealDemanded)]) == 2, "each is asked once"
    assert slashes == []
    assert first.proposal.aggregate.model_root == simulated()
    assert [(slash.participant, slash.fault) for slash in convicted] == [(silent[1].account, Fault.WITHHELD_REVEAL)]
    assert convicted[0].challenger in {node.account for node in honest}


def simulated() -> bytes:
    built = build(load_task_file(TASK_FILE))
    clients = [open_client(built.app, built.terms, built.manifest, at) for at in range(5)]
    return simulate(built, clients, mode="plain", evaluate_every=0).rounds[0].model_root
