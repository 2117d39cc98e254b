"""In mode `lightsecagg` who deals junk is left out, and who gives a wrong part is named; the sum is the others'."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from foedus.contracts.ledger import Ledger
from foedus.learning.build import build
from foedus.learning.client import open_client
from foedus.learning.taskfile import load_task_file
from foedus.node.chain import read_task
from foedus.node.devnet.local import LocalNetwork, LocalNode
from foedus.node.devnet.processes import start_chain_process
from foedus.protocol.ids import Position, RoundNumber
from foedus.simulation.ports import Away
from foedus.simulation.simulate import simulate
from tests.node.waiting import wait_for_the_end

HERE = Path(__file__).parent
TASK_FILE, APP = HERE / "story" / "light.toml", HERE.parents[1] / "examples" / "digits" / "app.py"
DEALER, LIAR = 5, 6

pytestmark = [pytest.mark.processes, pytest.mark.long, pytest.mark.timeout(600)]


def start_bent(network: LocalNetwork, node: LocalNode, lie: str) -> None:
    words = network.command(node, "node", "run", "--json-logs")[3:]
    with node.log.open("ab") as log:
        bent = [sys.executable, str(HERE / "bent_light.py"), lie, *words]
        node.process = subprocess.Popen(bent, stdout=log, stderr=log)


async def finished(network: LocalNetwork, task: str):
    async with await Ledger.connect(network.rpc, network.deployment) as ledger:
        state, _ = await read_task(ledger, task)
    return state.finished[0]


def test_a_dealer_of_junk_is_left_out_and_a_wrong_part_is_named(tmp_path: Path) -> None:
    with start_chain_process(tmp_path / "chain", block_time=0.5) as chain:
        network = asyncio.run(LocalNetwork.create(tmp_path / "network", chain.url, 7))
        try:
            sponsor = network.nodes[0]
            network.start(sponsor)
            task = network.ask(sponsor, "task", "create", str(TASK_FILE), "--yes")["task"]
            for at, node in enumerate(network.nodes):
                network.ask(node, "task", "join", task, "--app", str(APP), "--partition", str(at), "--yes")
            for node in network.nodes[1:5]:
                network.start(node)
            start_bent(network, network.nodes[DEALER], "deals-junk")
            start_bent(network, network.nodes[LIAR], "gives-another")
            shown = wait_for_the_end(network, task)
            done = asyncio.run(finished(network, task))
            audit = network.ask(sponsor, "audit", task, "--store", str(sponsor.home.store))
        finally:
            network.stop()
    accounts = {member.address: position for position, member in done.roster.items()}
    dealer, liar = (accounts[network.nodes[at].account] for at in (DEALER, LIAR))
    assert (shown["end"], shown["finished"]) == ("COMPLETED", 1)
    assert done.survivors == done.roster.keys() - {dealer}
    assert shown["model_root"] == simulated(Position(DEALER))
    assert audit["status"] == "verified"
    named = {fault for node in network.nodes for fault in wrong_parts(node)}
    assert named, "nobody looked"
    assert all(f"WrongPart(member={liar}, group=0" in fault for fault in named)


def wrong_parts(node: LocalNode) -> list[str]:
    """What a daemon's log says of parts that do not fit."""
    lines = (json.loads(line) for line in node.log.read_text().splitlines() if line.startswith("{"))
    return [line["fault"] for line in lines if line["event"] == "wrong part"]


def simulated(out: Position) -> str:
    """The model of the others' plain sum: seats in the simulation are partitions of the data."""
    built = build(load_task_file(TASK_FILE, "plain"))
    clients = [open_client(built.app, built.terms, built.manifest, at) for at in range(7)]

    def away(number: RoundNumber, attempt: int) -> Away:
        return Away(frozenset({out}))

    return simulate(built, clients, away=away, evaluate_every=0).model_root.hex()
