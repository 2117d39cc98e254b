"""The mode `bfv` with real processes: a key holder that dies closes its group, and no other.

Six daemons, two groups, one round: the holder of a group's key dies between its commit and the freeze.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from foedus.aggregator.he.holders import Pair, holders
from foedus.aggregator.layout import Layout
from foedus.contracts.ledger import Ledger
from foedus.learning.build import build
from foedus.learning.client import open_client
from foedus.learning.taskfile import load_task_file
from foedus.node.chain import find_task
from foedus.node.devnet.local import LocalNetwork
from foedus.node.devnet.processes import start_chain_process
from foedus.node.follower import Follower
from foedus.protocol.bitmap import from_bitmap
from foedus.protocol.commitments import Context
from foedus.protocol.events import Phase
from foedus.protocol.ids import Position
from foedus.protocol.round import Round
from foedus.protocol.task import Task
from foedus.protocol.terms import Terms
from foedus.simulation.ports import Away
from foedus.simulation.simulate import simulate
from tests.node.test_story import Teller

TASK_FILE = Path(__file__).parent / "story" / "bfv.toml"
MEMBERS = 6

pytestmark = [pytest.mark.processes, pytest.mark.long, pytest.mark.timeout(600)]


@dataclass
class Told:
    """What is left when the story is told. lost: who died; closed: whose group's key that was; pairs, tables: by
    group."""

    network: LocalNetwork
    state: Task
    lost: Position
    closed: int
    pairs: tuple[Pair, ...]
    tables: tuple[tuple[Position, ...], ...]


def pairs_of(network: LocalNetwork, state: Task, round_: Round, terms: Terms) -> tuple[Pair, ...]:
    """Who holds what in a round. Positions are the nodes' numbers."""
    book = network.deployment
    context = Context(book.genesis_hash, book.chain_id, state.address, round_.number, round_.attempt, round_.base_root)
    return holders(Layout.of(round_, terms), context)


async def tell(network: LocalNetwork, task: str, terms: Terms) -> Told:
    async with await Ledger.connect(network.rpc, network.deployment) as ledger:
        point, _ = await find_task(ledger, task)
        teller = Teller(network, task, Follower(ledger, task, point.block))
        state = await teller.until("round 1", lambda s: s.round is not None)
        pairs, tables = pairs_of(network, state, state.round, terms), Layout.of(state.round, terms).tables
        keys = [pair.key for pair in pairs]
        # the first node has the terms that the others still fetch, and a closed group's own members need its key
        closed, last = next((g, p) for g in (0, 1) for p in tables[1 - g] if p != 0 and p not in keys)
        lost, waiting = network.nodes[keys[closed]], network.nodes[last]
        waiting.process.send_signal(signal.SIGSTOP)
        try:
            state = await teller.until("all other commits", lambda s: len(s.round.commitments) == MEMBERS - 1)
            assert state.phase is Phase.COMMIT, "nobody was paused: nothing was tested"
            await teller.bundles_are_everywhere(state, [lost], waiting)
            network.kill(lost)
        finally:
            waiting.process.send_signal(signal.SIGCONT)
        state = await teller.until("the end", lambda s: s.phase is Phase.ENDED)
        return Told(network, state, keys[closed], closed, pairs, tables)


@pytest.fixture(scope="module")
def built():
    return build(load_task_file(TASK_FILE))


@pytest.fixture(scope="module")
def told(tmp_path_factory, built):
    root = tmp_path_factory.mktemp("bfv")
    with start_chain_process(root / "chain", block_time=0.5) as chain:
        network = asyncio.run(LocalNetwork.create(root / "network", chain.url, MEMBERS))
        try:
            network.start(network.nodes[0])
            task = network.ask(network.nodes[0], "task", "create", str(TASK_FILE), "--yes")["task"]
            app = str((TASK_FILE.parent / "../../../examples/digits/app.py").resolve())
            for at, node in enumerate(network.nodes):
                network.ask(node, "task", "join", task, "--app", app, "--partition", str(at), "--yes")
            for node in network.nodes[1:]:
                network.start(node)
            yield asyncio.run(tell(network, task, built.terms))
        finally:
            network.stop()


def test_the_lost_holders_group_stays_closed_and_the_other_makes_the_round(told):
    (only,) = told.state.finished
    claim = only.proposal.aggregate
    assert len({member for pair in told.pairs for member in (pair.key, pair.pads)}) == 4
    assert from_bitmap(claim.groups, 2) == {1 - told.closed}
    assert from_bitmap(claim.quarantined, 2) == set()
    assert only.survivors == frozenset(range(MEMBERS))
    assert claim.total_weight == len(told.tables[1 - told.closed])
    assert told.lost not in only.freeze.signers | only.attesters


def test_the_model_is_that_of_the_other_groups_plain_sum_bit_for_bit(told):
    built = build(load_task_file(TASK_FILE, "plain"))
    clients = [open_client(built.app, built.terms, built.manifest, at) for at in range(MEMBERS)]
    closed = Away(frozenset(told.tables[told.closed]), frozenset())
    plain = simulate(built, clients, evaluate_every=0, away=lambda *_: closed)
    assert told.state.finished[0].proposal.aggregate.model_root == plain.rounds[0].model_root


def test_no_holder_proposed(told):
    proposer = told.state.finished[0].proposal.position
    assert proposer not in {member for pair in told.pairs for member in (pair.key, pair.pads)}


def test_the_audit_passes_from_one_store_alone(told):
    node = told.network.nodes[told.pairs[1 - told.closed].pads]
    words = told.network.command(node, "audit", told.state.address, "--store", str(node.home.store))
    done = subprocess.run(words, capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    report = json.loads(done.stdout)
    assert (done.returncode, report["status"], len(report["rounds"])) == (0, "verified", 1), done.stdout
    assert all(not entry["unchecked"] for entry in report["rounds"])
