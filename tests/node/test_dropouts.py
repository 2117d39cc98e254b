"""Dropouts in every mode, with real processes: the aggregate is the plain sum of the survivors', bit for bit.

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

from foedus.learning.build import build
from foedus.learning.client import open_client
from foedus.learning.taskfile import load_task_file
from foedus.node.devnet.local import LocalNetwork, LocalNode
from foedus.node.devnet.processes import start_chain_process
from foedus.protocol.events import AttemptAborted, Phase, SurvivorsFrozen
from foedus.protocol.ids import Address, Position
from foedus.protocol.task import Task
from foedus.simulation.ports import Away
from foedus.simulation.simulate import simulate
from tests.node.dropouts import Stage, begin, stopped

HERE = Path(__file__).parent
TASK_FILE, APP = HERE / "story" / "dropouts.toml", HERE.parents[1] / "examples" / "digits" / "app.py"
MODES = ("masked", "lightsecagg", "bfv", "rlwe")

pytestmark = [pytest.mark.processes, pytest.mark.timeout(600)]


@dataclass
class Played:
    """What is left when the rounds are over."""

    network: LocalNetwork
    task: Address
    state: Task
    entries: tuple
    mode: str


async def play(network: LocalNetwork, task: Address) -> tuple[Task, tuple]:
    nodes = network.nodes
    async with Stage.watching(network, task) as stage:
        await stage.until("a proposal in round 1", lambda s: s.phase is Phase.ATTEST or s.next_round > 1)
        with stopped([nodes[1]]):
            await stage.until("the freeze of round 2", lambda s: s.next_round == 2 and s.phase is Phase.AGGREGATE)
        await stage.until("a proposal in round 2", lambda s: s.next_round == 2 and s.phase is Phase.ATTEST)
        await commit_and_vanish(stage, nodes)
        await stage.opening(4)
        with stopped(nodes[3:]):
            await stage.until(
                "the end of round 4's first attempt", lambda s: s.phase is Phase.ENROL or attempt_of(s, 4) > 1
            )
        state = await stage.until("the end", lambda s: s.phase is Phase.ENDED)
        return state, stage.follower.entries


async def commit_and_vanish(stage: Stage, nodes: list[LocalNode]) -> None:
    """In round 3 node 2 stands still from its commit on; node 0 holds the phase open until that is so."""
    with ExitStack() as until_final:
        with stopped([nodes[0]]):
            state = await stage.commits(3, 4)
            assert state.phase is Phase.COMMIT, "the holder did not hold: nothing was tested"
            await stage.spread(state, [nodes[1], nodes[3], nodes[4]])
            until_final.enter_context(stopped([nodes[2]]))
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
            state, entries = asyncio.run(play(network, task))
            yield Played(network, task, state, entries, request.param)
        finally:
            network.stop()


def test_every_round_is_the_plain_sum_of_its_survivors(played):
    finished = played.state.finished
    assert [done.number for done in finished] == [1, 2, 3, 4]
    out = [set(range(5)) - done.survivors for done in finished]
    assert out[:3] == [set(), {1}, set()], "who vanished before the commit is out, who did after it is not"
    built = build(load_task_file(played.network.root.parent / "task.toml"))
    assert built.terms.mode == played.mode
    clients = [open_client(built.app, built.terms, built.manifest, at) for at in range(5)]

    def away(number: int, attempt: int) -> Away:
        return Away(commit=frozenset(Position(p) for p in out[number - 1]))

    due = simulate(built, clients, mode="plain", away=away, evaluate_every=0)
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
