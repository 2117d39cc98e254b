"""One more than the committee bears is gone after the freeze, where one committee opens all groups by parts.

Five nodes, of whom four open a sum. Two die at the instant when they would give their parts of round 1: nothing opens
until one is back, and then it is the sum of those who were frozen. In round 2 one of those two never came, the other
dies again after the freeze, and nobody returns: the task ends, and round 2 is paid to nobody.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import pytest

from foedus.learning.build import build
from foedus.learning.client import open_client
from foedus.learning.taskfile import load_task_file
from foedus.node.devnet.local import LocalNetwork, LocalNode
from foedus.node.devnet.processes import start_chain_process
from foedus.protocol.bitmap import to_bitmap
from foedus.protocol.events import AggregateProposed, AttemptAborted, EndReason, Phase, SurvivorsFrozen
from foedus.protocol.ids import Address, Position
from foedus.protocol.task import Task
from foedus.simulation.ports import Away
from foedus.simulation.simulate import simulate
from tests.node.dropouts import Stage, gone, join_all, start_departing
from tests.node.test_spent_pauses import advance

HERE = Path(__file__).parent
TASK_FILE, APP = HERE / "story" / "after_freeze.toml", HERE.parents[1] / "examples" / "digits" / "app.py"
RETURNS, STAYS_AWAY = 3, 4

pytestmark = [pytest.mark.processes, pytest.mark.long, pytest.mark.timeout(900)]


def vain(nodes: list[LocalNode], number: int) -> int:
    """How often these daemons tried to open a round, and could not."""
    lines = (json.loads(line) for node in nodes for line in node.log.read_text().splitlines() if line.startswith("{"))
    failed = [line["error"] for line in lines if line["event"] == "duty failed" and line["kind"] == "NothingOpens"]
    return sum(error.startswith(f"round {number}:") for error in failed)


def rows(node: LocalNode, query: str) -> list[tuple]:
    """What a daemon has written down."""
    journal = sqlite3.connect(node.home.journal)
    try:
        return journal.execute(query).fetchall()
    finally:
        journal.close()


def first_parts(nodes: list[LocalNode]) -> list[list[tuple]]:
    """The CIDs of the parts of round 1 that each of these daemons gave."""
    return [rows(node, "SELECT content FROM signed_word WHERE kind LIKE 'part/%' AND opening = 1") for node in nodes]


@dataclass
class Told:
    """What is left when the story is told. closed: the task while round 1 waits; given: the parts that the living
    nodes had given by then."""

    network: LocalNetwork
    task: Address
    closed: Task
    state: Task
    entries: tuple
    given: list


async def tell(network: LocalNetwork, task: Address) -> Told:
    living, returning = network.nodes[:RETURNS], network.nodes[RETURNS]
    async with Stage.watching(network, task) as stage:
        frozen = await stage.until("the freeze of round 1", lambda s: s.phase is Phase.AGGREGATE)
        await stage.until("vain attempts to open", lambda s: vain(living, 1) >= 2)
        assert all(gone(node) for node in network.nodes[RETURNS:])
        closed, given = await stage.follower.poll(), first_parts(living)
        start_departing(network, returning, "opens:2")
        await stage.final(1)
        await stage.commits(2, 4)
        advance(network.rpc, frozen.params.commit_seconds)
        await stage.until("the freeze of round 2", lambda s: s.next_round == 2 and s.phase is Phase.AGGREGATE)
        await stage.until("vain attempts to open", lambda s: gone(returning) and vain(living, 2) >= 2)
        advance(network.rpc, frozen.params.stall_seconds)
        state = await stage.until("the end", lambda s: s.phase is Phase.ENDED)
        return Told(network, task, closed, state, stage.follower.entries, given)


@pytest.fixture(scope="module", params=["lightsecagg", "rlwe"])
def told(request, tmp_path_factory):
    root = tmp_path_factory.mktemp(f"after-freeze-{request.param}")
    text = TASK_FILE.read_text().replace('"../../../examples/digits/app.py"', f'"{APP}"')
    (root / "task.toml").write_text(text.replace('mode = "rlwe"', f'mode = "{request.param}"'))
    with start_chain_process(root / "chain", block_time=0.5) as chain:
        network = asyncio.run(LocalNetwork.create(root / "network", chain.url, 5))
        try:
            sponsor = network.nodes[0]
            network.start(sponsor)
            task = network.ask(sponsor, "task", "create", str(root / "task.toml"), "--yes")["task"]
            join_all(network, task, APP)
            for node in network.nodes[1:RETURNS]:
                network.start(node)
            for node in network.nodes[RETURNS:]:
                start_departing(network, node, "opens:1")
            yield asyncio.run(tell(network, task))
        finally:
            network.stop()


def test_while_one_too_many_is_gone_nothing_opens_and_nobody_is_paid(told):
    assert (told.closed.phase, told.closed.round.number, told.closed.round.attempt) == (Phase.AGGREGATE, 1, 1)
    assert told.closed.round.survivors == frozenset(range(5)), "both died after the freeze"
    assert (told.closed.round.proposal, told.closed.payout_total) == (None, 0)


def test_the_round_opens_for_those_who_were_frozen_once_one_is_back(told):
    (only,) = told.state.finished
    assert (only.attempt, only.survivors) == (1, told.closed.round.survivors)
    built = build(load_task_file(told.network.root.parent / "task.toml", "plain"))
    clients = [open_client(built.app, built.terms, built.manifest, at) for at in range(5)]
    absent = Away(commit=frozenset({Position(STAYS_AWAY)}))
    due = simulate(built, clients, away=lambda number, _: Away() if number == 1 else absent, evaluate_every=0)
    assert only.proposal.aggregate.model_root == due.rounds[0].model_root
    assert told.state.model_root == due.rounds[0].model_root, "round 2 left nothing"


def test_no_part_is_given_twice_and_no_second_set_is_opened(told):
    assert [len(parts) for parts in told.given] == [1, 1, 1]
    assert first_parts(told.network.nodes[:RETURNS]) == told.given
    frozen = [entry.event for entry in told.entries if isinstance(entry.event, SurvivorsFrozen)]
    assert [event.round for event in frozen] == [1, 2]
    assert not [entry for entry in told.entries if isinstance(entry.event, AttemptAborted)]
    due = [(1, to_bitmap(range(5), 5)), (2, to_bitmap(range(4), 5))]
    bound = "SELECT round, substr(survivors, 33) FROM unmask_guard ORDER BY round"
    found = [rows(node, bound) for node in told.network.nodes]
    assert found == [due, due, due, due[:1], []], "who died before it gave its part was not bound"


def test_a_round_that_stays_closed_ends_the_task_and_is_paid_to_nobody(told):
    assert told.state.end is EndReason.STALLED
    proposed = {entry.event.round for entry in told.entries if isinstance(entry.event, AggregateProposed)}
    assert proposed == {1}
    nodes = told.network.nodes
    report = told.network.ask(nodes[0], "audit", told.task, "--store", str(nodes[0].home.store))
    assert (report["status"], len(report["rounds"])) == ("verified", 1)
    earned = told.network.ask(nodes[0], "reward", "show", told.task)["accounts"]
    assert sum(row["earned"] for row in earned.values()) == told.state.payout_total
    assert told.state.payout_total == told.state.finished[0].proposal.aggregate.payout_total
    assert all(earned[node.account]["earned"] for node in nodes), "who died had done its work"
