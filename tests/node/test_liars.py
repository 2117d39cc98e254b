"""Survivors who lie about their seeds cost the round nothing: the committee's shares say what they committed to."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from foedus.learning.build import build
from foedus.learning.client import open_client
from foedus.learning.taskfile import load_task_file
from foedus.node.devnet.local import LocalNetwork
from foedus.node.devnet.processes import start_chain_process
from foedus.simulation.simulate import simulate
from tests.node.waiting import wait_for_the_end

HERE = Path(__file__).parent
TASK_FILE, APP = HERE / "story" / "liars.toml", HERE.parents[1] / "examples" / "digits" / "app.py"

pytestmark = [pytest.mark.processes, pytest.mark.long, pytest.mark.timeout(900)]


def test_two_lying_survivors_change_nothing(tmp_path):
    """Of seven, one reveals nothing and one reveals other seeds; the sum is that of all seven, exactly."""
    with start_chain_process(tmp_path / "chain", block_time=0.5) as chain:
        network = asyncio.run(LocalNetwork.create(tmp_path / "network", chain.url, 7))
        try:
            sponsor, liars = network.nodes[0], network.nodes[5:]
            network.start(sponsor)
            task = network.ask(sponsor, "task", "create", str(TASK_FILE), "--yes")["task"]
            for at, node in enumerate(network.nodes):
                network.ask(node, "task", "join", task, "--app", str(APP), "--partition", str(at), "--yes")
            for node in network.nodes[1:5]:
                network.start(node)
            for node, lie in zip(liars, ("says-nothing", "says-another"), strict=True):
                words = network.command(node, "node", "run", "--json-logs")[3:]
                with node.log.open("ab") as log:
                    bent = [sys.executable, str(HERE / "byzantine.py"), lie, *words]
                    node.process = subprocess.Popen(bent, stdout=log, stderr=log)
            shown = wait_for_the_end(network, task)
            written = network.ask(sponsor, "provenance", "record", task, "1")
            again = network.ask(liars[0], "provenance", "round", task, "1")
            found = network.ask(liars[1], "provenance", "model-root", shown["model_root"])["rounds"]
        finally:
            network.stop()
    assert (shown["end"], shown["finished"]) == ("COMPLETED", 1)
    assert shown["model_root"] == simulated()
    assert written.pop("gas") > 0
    assert written == again == found[0], "whoever asks, by round or by model, is told the same"
    assert (written["round"], written["model"]) == (1, shown["model_root"])


def simulated() -> str:
    built = build(load_task_file(TASK_FILE))
    clients = [open_client(built.app, built.terms, built.manifest, at) for at in range(7)]
    return simulate(built, clients, mode="plain", evaluate_every=0).model_root.hex()
