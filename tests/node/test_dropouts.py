"""Dropouts in every private mode, with real processes: the aggregate is the plain sum, bit for bit.

The committee of five bears one absence. Round 1 is quiet. In round 2 one node stands still until the others are frozen,
in round 3 one from its commit on until the round is final. In round 4 two stand still before the freeze, one more than
is borne: the attempt is given up with nothing opened, and the next one works.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from foedus.aggregator.layout import Layout
from foedus.aggregator.modes import vector_mode
from foedus.learning.build import build
from foedus.learning.client import open_client
from foedus.learning.taskfile import load_task_file
from foedus.node.devnet.local import LocalNetwork, LocalNode
from foedus.node.devnet.processes import start_chain_process
from foedus.protocol.commitments import Context
from foedus.protocol.events import AttemptAborted, Phase, SurvivorsFrozen
from foedus.protocol.ids import Address, Position
from foedus.protocol.task import Task
from foedus.protocol.terms import Terms
from foedus.simulation.ports import Away
from foedus.simulation.simulate import simulate
from tests.node.dropouts import Stage, begin, stopped

HERE = Path(__file__).parent
TASK_FILE, APP = HERE / "story" / "dropouts.toml", HERE.parents[1] / "examples" / "digits" / "app.py"
LONG = pytest.mark.long
MODES = ("lightsecagg", *(pytest.param(mode, marks=LONG) for mode in ("bfv", "ckks", "rlwe", "masked")))
"""More of masked is told in `test_story` and `test_closed_group`."""

pytestmark = [pytest.mark.processes, pytest.mark.timeout(600)]


@dataclass
class Played:
    """What is left when the rounds are over."""

    network: LocalNetwork
    task: Address
    state: Task
    entries: tuple
    mode: str


class Player:
    """Stops daemons at the right moments: only those that hold nothing which a whole group's opening rests on."""

    def __init__(self, network: LocalNetwork, task: Address, terms: Terms) -> None:
        self.network, self.task, self.terms = network, task, terms

    def idle(self, state: Task) -> list[LocalNode]:
        mode, round_, book = vector_mode(self.terms.mode), state.round, self.network.deployment
        layout = Layout.of(round_, self.terms)
        place = (book.genesis_hash, book.chain_id, self.task, round_.number, round_.attempt, round_.base_root)
        nodes = self.network.nodes
        return [nodes[p] for p in range(5) if mode is None or mode.may_aggregate(layout, Context(*place), Position(p))]

    async def play(self) -> tuple[Task, tuple]:
        async with Stage.watching(self.network, self.task) as stage:
            with stopped(self.idle(await stage.opening(2))[:1]):
                await stage.until("the freeze of round 2", lambda s: s.next_round == 2 and s.phase is Phase.AGGREGATE)
            await self.commit_and_vanish(stage)
            with stopped(self.idle(await stage.opening(4))[:2]):
                await stage.until(
                    "the end of round 4's first attempt", lambda s: s.phase is Phase.ENROL or attempt_of(s, 4) > 1
                )
            state = await stage.until("the end", lambda s: s.phase is Phase.ENDED)
            return state, stage.follower.entries

    async def commit_and_vanish(self, stage: Stage) -> None:
        """In round 3 one stands still from its commit on; another holds the phase open until that is so."""
        holder, victim = self.idle(await stage.opening(3))[:2]
        others = [node for node in self.network.nodes if node not in (holder, victim)]
        with ExitStack() as until_final:
            with stopped([holder]):
                state = await stage.commits(3, 4)
                assert state.phase is Phase.COMMIT, "the holder did not hold: nothing was tested"
                await stage.spread(state, others)
                until_final.enter_context(stopped([victim]))
            await stage.final(3)


def attempt_of(state: Task, number: int) -> int:
    return state.round.attempt if state.round is not None and state.next_round == number else 0


@pytest.fixture(scope="module", params=MODES)
def played(request, tmp_path_factory):
    root = tmp_path_factory.mktemp(f"dropouts-{request.param}")
    file = root / "task.toml"
    text = TASK_FILE.read_text().replace('"../../../examples/digits/app.py"', f'"{APP}"')
    file.write_text(text.replace('mode = "masked"', f'mode = "{request.param}"'))
    with start_chain_process(root / "chain", block_time=0.5) as chain:
        network = asyncio.run(LocalNetwork.create(root / "network", chain.url, 5))
        try:
            task = begin(network, file, APP)
            player = Player(network, task, load_task_file(file).draft)
            state, entries = asyncio.run(player.play())
            yield Played(network, task, state, entries, request.param)
        finally:
            network.stop()


def test_every_round_is_the_plain_sum_of_its_survivors(played):
    finished = played.state.finished
    assert [done.number for done in finished] == [1, 2, 3, 4]
    out = [set(range(5)) - done.survivors for done in finished]
    assert [len(absent) for absent in out[:3]] == [0, 1, 0], "out is who vanished before the commit, not after it"
    file = played.network.root.parent / "task.toml"
    built = build(load_task_file(file, "plain"))
    assert load_task_file(file).draft.grid == built.terms.grid, "every mode quantises alike here"
    clients = [open_client(built.app, built.terms, built.manifest, at) for at in range(5)]

    def away(number: int, attempt: int) -> Away:
        return Away(commit=frozenset(Position(p) for p in out[number - 1]))

    due = simulate(built, clients, away=away, evaluate_every=0)
    found = [done.proposal.aggregate.model_root for done in finished]
    assert found == [done.model_root for done in due.rounds]


def test_one_more_before_the_freeze_ends_the_attempt_and_the_next_works(played):
    aborted = {(e.event.round, e.event.attempt) for e in played.entries if isinstance(e.event, AttemptAborted)}
    frozen = {(e.event.round, e.event.attempt) for e in played.entries if isinstance(e.event, SurvivorsFrozen)}
    assert (4, 1) in aborted - frozen, "nothing of it was opened"
    assert [number for number, attempt in sorted(frozen)] == [1, 2, 3, 4]


def test_the_audit_finds_all_of_it_right(played):
    """From one node's store alone: sums, models, and what everybody is owed."""
    ask, nodes = played.network.ask, played.network.nodes
    report = ask(nodes[0], "audit", played.task, "--store", str(nodes[0].home.store))
    assert report["status"] == "verified"
    assert all(not entry["unchecked"] for entry in report["rounds"])
    owed = ask(nodes[0], "reward", "show", played.task)["accounts"]
    assert sum(row["earned"] for row in owed.values()) == played.state.payout_total
