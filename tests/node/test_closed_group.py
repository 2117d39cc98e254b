"""A group that nobody opens sits out the round alone: the others finalise, and it is back in the next."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from foedus.aggregator.layout import Layout
from foedus.learning.build import build
from foedus.learning.client import open_client
from foedus.learning.taskfile import load_task_file
from foedus.node.devnet.local import LocalNetwork
from foedus.node.devnet.processes import start_chain_process
from foedus.protocol.bitmap import from_bitmap
from foedus.protocol.events import Phase
from foedus.simulation.ports import Away
from foedus.simulation.simulate import simulate
from tests.node.dropouts import Stage, join_all

HERE = Path(__file__).parent
TASK_FILE, APP = HERE / "story" / "closed.toml", HERE.parents[1] / "examples" / "digits" / "app.py"

pytestmark = [pytest.mark.processes, pytest.mark.timeout(600)]


async def end(network, task):
    async with Stage.watching(network, task) as stage:
        return await stage.until("the end", lambda s: s.phase is Phase.ENDED)


def test_three_of_six_reveal_nothing_and_only_their_group_sits_out(tmp_path):
    """Nobody of the first group reveals its seeds, or shares of others': two more than the committee bears."""
    with start_chain_process(tmp_path / "chain", block_time=0.5) as chain:
        network = asyncio.run(LocalNetwork.create(tmp_path / "network", chain.url, 6))
        try:
            network.start(sponsor := network.nodes[0])
            task = network.ask(sponsor, "task", "create", str(TASK_FILE), "--yes")["task"]
            network.stop([sponsor])
            for node in network.nodes:
                words = network.command(node, "node", "run", "--json-logs")[3:]
                with node.log.open("ab") as log:
                    bent = [sys.executable, str(HERE / "byzantine.py"), "keeps-its-group-closed", *words]
                    node.process = subprocess.Popen(bent, stdout=log, stderr=log)
            join_all(network, task, APP)
            state = asyncio.run(end(network, task))
            report = network.ask(sponsor, "audit", task, "--store", str(sponsor.home.store))
            earned = network.ask(sponsor, "reward", "show", task)["accounts"]
        finally:
            network.stop()
    built = build(load_task_file(TASK_FILE))
    first, second = state.finished
    silent = frozenset(Layout.of(first, built.terms).tables[0])
    assert [len(done.survivors) for done in state.finished] == [6, 6], (
        "they had committed, and were frozen with the rest"
    )
    assert [from_bitmap(done.proposal.aggregate.groups, 2) for done in state.finished] == [{1}, {0, 1}]

    clients = [open_client(built.app, built.terms, built.manifest, at) for at in range(6)]
    due = simulate(
        built,
        clients,
        mode="plain",
        away=lambda number, attempt: Away(commit=silent if number == 1 else frozenset()),
        evaluate_every=0,
    )
    assert [done.proposal.aggregate.model_root for done in (first, second)] == [r.model_root for r in due.rounds]
    assert report["status"] == "verified"
    assert sum(row["earned"] for row in earned.values()) == state.payout_total
