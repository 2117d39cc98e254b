"""A group that too few can open sits out the round alone, also where one committee opens all groups by parts.

Six nodes in two groups; five parts open a sum. One dealer leaves the last committee member without its part of the mask
(in rlwe by junk, in lightsecagg by a piece that nobody has), and dies at the freeze: four parts are left for its group,
five for the other. In round 2 it is back, and whoever is the first aggregator dies when its turn comes: all are in the
sum.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from foedus.aggregator.layout import Layout
from foedus.learning.build import build
from foedus.learning.client import open_client
from foedus.learning.taskfile import load_task_file
from foedus.node.devnet.local import LocalNetwork, LocalNode
from foedus.node.devnet.processes import start_chain_process
from foedus.protocol.bitmap import from_bitmap
from foedus.protocol.events import Phase
from foedus.protocol.ids import Address, Position
from foedus.protocol.task import Task
from foedus.simulation.ports import Away
from foedus.simulation.simulate import simulate
from tests.node.dropouts import Stage, gone, join_all, start_departing

HERE = Path(__file__).parent
TASK_FILE, APP = HERE / "story" / "after_freeze.toml", HERE.parents[1] / "examples" / "digits" / "app.py"
MEMBERS, DEALER, LAST = 6, 1, 5

pytestmark = [pytest.mark.processes, pytest.mark.long, pytest.mark.timeout(900)]


def task_file(root: Path, mode: str) -> Path:
    text = TASK_FILE.read_text().replace('"../../../examples/digits/app.py"', f'"{APP}"')
    text = text.replace('mode = "rlwe"', f'mode = "{mode}"').replace("max_participants = 5", "max_participants = 6")
    text = text.replace("min_participants = 4", "min_participants = 6")
    (root / "task.toml").write_text(text.replace("group_size = 5", "group_size = 3"))
    return root / "task.toml"


def parts_given(node: LocalNode, number: int) -> list[int]:
    """Of which groups' sums a daemon gave its part in a round, as its log tells."""
    lines = (json.loads(line) for line in node.log.read_text().splitlines() if line.startswith("{"))
    return [line["group"] for line in lines if line["event"] == "part offered" and line["round"] == number]


async def tell(network: LocalNetwork, task: Address) -> Task:
    """To its end; the dealer is back for round 2."""
    dealer = network.nodes[DEALER]
    async with Stage.watching(network, task) as stage:
        await stage.final(1)
        assert gone(dealer)
        start_departing(network, dealer, "proposes:2")
        return await stage.until("the end", lambda s: s.phase is Phase.ENDED)


@pytest.mark.parametrize(("mode", "deals"), [("lightsecagg", "nothing"), ("rlwe", "junk")])
def test_the_group_that_one_part_is_missing_of_sits_out_and_is_back_in_the_next_round(tmp_path, mode, deals):
    file = task_file(tmp_path, mode)
    with start_chain_process(tmp_path / "chain", block_time=0.5) as chain:
        network = asyncio.run(LocalNetwork.create(tmp_path / "network", chain.url, MEMBERS))
        try:
            sponsor, dealer = network.nodes[0], network.nodes[DEALER]
            start_departing(network, sponsor, "proposes:2")
            task = network.ask(sponsor, "task", "create", str(file), "--yes")["task"]
            join_all(network, task, APP)
            start_departing(network, dealer, "opens:1", deals)
            for node in network.nodes[2:]:
                start_departing(network, node, "proposes:2")
            state = asyncio.run(tell(network, task))
            (fallen,) = (at for at, node in enumerate(network.nodes) if gone(node))
            witness = next(node for node in network.nodes if not gone(node))
            report = network.ask(witness, "audit", task, "--store", str(witness.home.store))
            earned = network.ask(witness, "reward", "show", task)["accounts"]
        finally:
            network.stop()
    built = build(load_task_file(file, "plain"))
    first, second = state.finished
    layout = Layout.of(first, built.terms)
    closed = layout.group(Position(DEALER))
    assert [done.survivors for done in state.finished] == [set(range(MEMBERS))] * 2, "the dealer was frozen with them"
    assert [from_bitmap(done.proposal.aggregate.groups, 2) for done in state.finished] == [{1 - closed}, {0, 1}]
    assert first.attesters == set(range(MEMBERS)) - {DEALER}, "who lacked a part could add up all the same"
    assert parts_given(network.nodes[LAST], 1) == [1 - closed]
    assert second.proposal.position in second.attesters == set(range(MEMBERS)) - {fallen}

    clients = [open_client(built.app, built.terms, built.manifest, at) for at in range(MEMBERS)]
    silent = Away(commit=frozenset(layout.tables[closed]))
    due = simulate(built, clients, away=lambda number, _: silent if number == 1 else Away(), evaluate_every=0)
    assert [done.proposal.aggregate.model_root for done in state.finished] == [r.model_root for r in due.rounds]
    assert report["status"] == "verified"
    assert sum(row["earned"] for row in earned.values()) == state.payout_total
