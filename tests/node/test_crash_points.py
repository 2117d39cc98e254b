"""Daemons that are killed at every boundary that matters, and started again: the task goes on as if nothing had been.

In `make test` the points around the commit and the reveal. In `make test-long` all there are: two honest rounds say
which, and in the rounds after them four nodes take each one in turn.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from foedus.node.devnet.local import LocalNetwork
from foedus.node.devnet.processes import start_chain_process
from foedus.protocol.events import EndReason, Logged, UpdateCommitted
from foedus.protocol.task import Task
from tests.chaos import invariants
from tests.chaos.money import funds_are_whole
from tests.node.crash_traces import second_words
from tests.node.crashes import Crew, a_crew, write_task

NODES, ARCHIVE_SECONDS = 4, 45.0
DANGEROUS = (
    "after INSERT masking 1",
    "after settle block 1",
    "after INSERT sent commit 1",
    "before send commit 1",
    "after send commit 1",
    "before INSERT unmask_guard 1",
    "after INSERT unmask_guard 1",
    "after offer reveal 1",
    "after answer reveal 1",
)
"""A masking that is kept, and of which nothing or half is stored; a commit signed, and sent; a reveal, step by step."""

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]


@dataclass
class Played:
    """What is left when the task is over; chain and daemons still run."""

    crew: Crew
    file: Path
    state: Task
    entries: tuple[Logged, ...]
    rounds: int

    @property
    def network(self) -> LocalNetwork:
        return self.crew.network


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(("masked", 2, 0, DANGEROUS), id="dangerous"),
        *(
            pytest.param((mode, 16, 2, ()), id=f"all {mode}", marks=pytest.mark.long)
            for mode in ("masked", "lightsecagg", "rlwe", "bfv", "ckks")
        ),
    ],
)
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    mode, rounds, honest, points = request.param
    root = tmp_path_factory.mktemp("crashes")
    file, app = write_task(root, rounds, mode)
    with start_chain_process(root / "chain", block_time=0.5) as chain:
        network = asyncio.run(LocalNetwork.create(root / "network", chain.url, NODES))
        with a_crew(network, root / "crew") as crew:
            task = crew.begin(file, app)
            state, entries = asyncio.run(crew.play(task, points, honest, patience=700))
            yield Played(crew, file, state, entries, rounds)


def test_daemons_died_at_every_kind_of_point_and_nowhere_else(played: Played) -> None:
    died, left = Counter(played.crew.died), played.crew.armed
    assert set(died.values()) == {1}
    assert all(point.startswith(("before ", "after ")) for point in died), "a daemon ended by itself"
    assert len(died) >= len(DANGEROUS)
    assert {point.rpartition(" ")[0] for point in left} <= {point.rpartition(" ")[0] for point in died}, left


def test_the_task_ends_with_the_right_sums_and_pay(played: Played) -> None:
    state, network = played.state, played.network
    assert (state.end, len(state.finished)) == (EndReason.COMPLETED, played.rounds)
    assert invariants.rounds_are_plain_sums(network, state, played.file) == []
    assert invariants.audit_says_verified(network, state, played.crew.folder / "union") == []
    assert asyncio.run(funds_are_whole(network, state)) == []


def test_one_set_was_opened_and_its_secrets_are_gone(played: Played) -> None:
    assert invariants.one_set_was_opened(played.network, played.state, played.entries) == []
    assert invariants.secrets_are_gone(played.network, played.state) == []


def test_what_was_said_twice_was_the_same_byte_for_byte(played: Played) -> None:
    traces = played.crew.traces()
    assert second_words(traces) == []
    again = Counter[tuple[str, str, object]]()
    for name, lines in traces.items():
        for line in lines:
            said = line.get("when") == "before" and line["kind"] in ("send commit", "offer reveal")
            if said and line.get("offered", "a commit"):
                again[name, line["kind"], line.get("label", line.get("opening"))] += 1
    twice = {kind for (_, kind, _), times in again.items() if times > 1}
    assert twice == {"send commit", "offer reveal"}, "nothing had to be said again"


def test_the_chain_has_the_commits_that_the_journals_kept(played: Played) -> None:
    made = Counter(entry.event.participant for entry in played.entries if isinstance(entry.event, UpdateCommitted))
    for node in played.network.nodes:
        with closing(sqlite3.connect(node.home.journal)) as journal:
            kept = [row[0] for row in journal.execute("SELECT hash FROM sent WHERE label LIKE 'commit/%'")]
        mined = [_status(played.network.rpc, hash_) for hash_ in kept]
        assert mined.count("0x1") == made[node.account] >= played.rounds - 2


def _status(rpc: str, hash_: bytes) -> str | None:
    words = {"jsonrpc": "2.0", "id": 1, "method": "eth_getTransactionReceipt", "params": ["0x" + hash_.hex()]}
    receipt = httpx.post(rpc, json=words).json()["result"]
    return receipt["status"] if receipt else None


def test_no_pin_is_left_that_only_a_crash_explains(played: Played) -> None:
    """With four nodes, whatever is kept of a round is kept by all; nobody else has an update that was masked anew."""
    deadline = time.monotonic() + ARCHIVE_SECONDS
    while (alone := _pinned_by_one(played.network)) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert alone == {}


def _pinned_by_one(network: LocalNetwork) -> dict[tuple[str, str], int]:
    pins = Counter[tuple[str, str]]()
    for node in network.nodes:
        with closing(sqlite3.connect(node.home.store / "pins.sqlite")) as base:
            pins.update(base.execute("SELECT cid, label FROM pins").fetchall())
    return {pin: count for pin, count in pins.items() if count == 1}
