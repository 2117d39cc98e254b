"""A daemon whose journal is put back to an old one in the middle of a round: it notices, sits out, reveals nothing.

The backup is from before the first round. In the second, once the node has committed and before anything is revealed,
it is killed and its journal replaced. What it committed is opened by the others' shares.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from foedus.node.devnet.local import LocalNetwork
from foedus.node.devnet.processes import start_chain_process
from foedus.protocol.events import EndReason, Logged, Phase
from foedus.protocol.ids import Address
from foedus.protocol.task import Task
from tests.chaos import invariants
from tests.node.crash_traces import second_words
from tests.node.crashes import Crew, a_crew, write_task
from tests.node.dropouts import Stage
from tests.node.waiting import said

NODES = 4
pytestmark = [pytest.mark.processes, pytest.mark.long, pytest.mark.timeout(600)]


@dataclass
class Restored:
    crew: Crew
    file: Path
    state: Task
    entries: tuple[Logged, ...]


@pytest.fixture(scope="module")
def restored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Restored]:
    root = tmp_path_factory.mktemp("backup")
    file, app = write_task(root, rounds=2)
    with start_chain_process(root / "chain", block_time=0.5) as chain:
        network = asyncio.run(LocalNetwork.create(root / "network", chain.url, NODES))
        with a_crew(network, root / "crew") as crew:
            task = crew.begin(file, app)
            backup = root / "backup.sqlite"
            copy_database(network.nodes[3].home.journal, backup)
            yield Restored(crew, file, *asyncio.run(restore_in_round_two(crew, task, backup)))


def copy_database(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(target)) as copy:
        live.backup(copy)


async def restore_in_round_two(crew: Crew, task: Address, backup: Path) -> tuple[Task, tuple[Logged, ...]]:
    holder, victim = crew.network.nodes[0], crew.network.nodes[3]
    async with Stage.watching(crew.network, task) as stage:
        await stage.opening(2)
        held = crew.processes[holder.home.root.name].pid
        assert held is not None
        os.kill(held, signal.SIGSTOP)  # the phase of commits stays open until it goes on
        state = await stage.commits(2, NODES - 1)
        assert state.phase is Phase.COMMIT, "the holder did not hold: nothing was tested"
        crew.kill(victim)
        for part in victim.home.root.glob("journal.sqlite*"):
            part.unlink()
        copy_database(backup, victim.home.journal)
        crew.start(victim)
        os.kill(held, signal.SIGCONT)
        return await stage.until("the end", lambda s: s.phase is Phase.ENDED), stage.follower.entries


def test_it_says_that_its_home_is_from_an_old_backup(restored: Restored) -> None:
    why = said(restored.crew.network.nodes[3], "sitting out")["why"]
    assert "restored from an old backup" in why


def test_it_reveals_nothing_and_says_nothing_a_second_time(restored: Restored) -> None:
    traces = restored.crew.traces()
    offers = [line["opening"] for line in traces["node-3"] if line.get("kind") == "offer reveal"]
    assert 1 in offers
    assert 2 not in offers
    assert second_words(traces) == []


def test_the_others_open_what_it_had_committed(restored: Restored) -> None:
    state, network = restored.state, restored.crew.network
    assert (state.end, [len(done.survivors) for done in state.finished]) == (EndReason.COMPLETED, [NODES, NODES])
    assert invariants.one_set_was_opened(network, state, restored.entries) == []
    assert invariants.rounds_are_plain_sums(network, state, restored.file) == []
    assert invariants.audit_says_verified(network, state, restored.crew.folder / "union") == []
