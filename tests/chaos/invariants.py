"""What must hold when a run is over, whatever went wrong in it. Each check answers what is broken, in words."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foedus.learning.build import build
from foedus.learning.client import open_client
from foedus.learning.taskfile import load_task_file
from foedus.node.devnet.local import LocalNetwork
from foedus.protocol.bitmap import from_bitmap
from foedus.protocol.events import Logged, Phase, SurvivorsFrozen
from foedus.protocol.ids import Address, Position
from foedus.protocol.round import Round
from foedus.protocol.task import Task
from foedus.simulation.ports import Away
from foedus.simulation.simulate import simulate
from tests.chaos.scene import Cage

SECRETS_SECONDS = 45.0
"""How long after the end every node may take to have erased the secrets of finished rounds."""


@dataclass
class Played:
    """A run that is over. faults: as `Player.played`; seconds: of the task alone."""

    cage: Cage
    file: Path
    state: Task
    entries: tuple[Logged, ...]
    faults: list[dict[str, Any]]
    seconds: float


def it_ended(state: Task) -> list[str]:
    """The task is over: all its rounds are done, or the contract gave it up."""
    return [] if state.phase is Phase.ENDED else [f"the task is still in {state.phase.name}"]


def one_set_was_opened(network: LocalNetwork, task: Task, entries: tuple[Logged, ...]) -> list[str]:
    """No two survivor sets for one base: on the chain, in any node's journal, or between two nodes' journals."""
    broken: list[str] = []
    frozen: dict[int, set[bytes]] = defaultdict(set)
    for entry in entries:
        if isinstance(entry.event, SurvivorsFrozen):
            frozen[entry.event.round].add(entry.event.survivors)
    broken += [f"round {number} was frozen for {len(sets)} sets" for number, sets in frozen.items() if len(sets) > 1]
    bound: dict[tuple[int, bytes], set[tuple[int, bytes]]] = defaultdict(set)
    for node in network.nodes:
        with sqlite3.connect(node.home.journal) as journal:
            rows = journal.execute(
                "SELECT round, base, attempt, survivors FROM unmask_guard WHERE task=?", (task.address,)
            )
            for number, base, attempt, survivors in rows:
                bound[number, base].add((attempt, survivors))
                if survivors[32:] not in frozen[number]:
                    broken.append(f"{node.home.root.name} is bound in round {number} to a set that was never frozen")
    return broken + [f"round {number} is bound to {len(s)} sets" for (number, _), s in bound.items() if len(s) > 1]


def rounds_are_plain_sums(network: LocalNetwork, task: Task, file: Path) -> list[str]:
    """Every finished round's model is that of a plain simulation with the round's survivors, bit for bit."""
    built = build(load_task_file(file))
    accounts = [node.account for node in network.nodes]
    counted = {done.number: _counted(done, built.terms.group_size) for done in task.finished}
    seated = {at: accounts.index(member.address) for done in task.finished for at, member in done.roster.items()}
    everyone = [Position(at) for at in range(len(accounts))]
    clients = [open_client(built.app, built.terms, built.manifest, seated.get(at, at)) for at in everyone]

    def away(number: int, attempt: int) -> Away:
        return Away(commit=frozenset(everyone) - counted.get(number, frozenset(everyone)))

    due = {r.number: r.model_root for r in simulate(built, clients, mode="plain", away=away, evaluate_every=0).rounds}
    return [
        f"round {done.number}: the model is not the plain sum of {sorted(counted[done.number])}"
        for done in task.finished
        if done.proposal is None or due.get(done.number) != done.proposal.aggregate.model_root
    ]


def _counted(done: Round, group_size: int) -> frozenset[Position]:
    """The survivors whose group's sum went into the model."""
    assert done.proposal is not None
    groups, claim = done.groups(group_size), done.proposal.aggregate
    opened = from_bitmap(claim.groups, groups.count) - from_bitmap(claim.quarantined, groups.count)
    return frozenset(p for p in done.survivors if groups.place(p)[0] in opened)


def audit_says_verified(network: LocalNetwork, task: Task, union: Path) -> list[str]:
    """`foedus audit`, from what the nodes' stores hold together."""
    for node in network.nodes:
        for block in node.home.store.glob("blocks/*/*"):
            place = union / block.relative_to(node.home.store)
            place.parent.mkdir(parents=True, exist_ok=True)
            if not place.exists():
                os.link(block, place)
    words = network.command(network.nodes[0], "audit", task.address, "--store", str(union))
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode == 0 and json.loads(done.stdout)["status"] == "verified":
        return []
    return [f"the audit ends with {done.returncode}: {(done.stdout + done.stderr)[-600:]}"]


def secrets_are_gone(network: LocalNetwork, task: Task) -> list[str]:
    """No journal holds a key or a mask of a finished round, some time after the end."""
    last = max((done.opening for done in task.finished), default=0)
    deadline = time.monotonic() + SECRETS_SECONDS
    while (broken := _secrets(network, task.address, last)) and time.monotonic() < deadline:
        time.sleep(0.5)
    return broken


def _secrets(network: LocalNetwork, task: Address, last: int) -> list[str]:
    found: list[str] = []
    for node in network.nodes:
        with sqlite3.connect(node.home.journal) as journal:
            for table in ("round_key", "masking", "announcement"):
                query = f"SELECT COUNT(*) FROM {table} WHERE task=? AND opening>0 AND opening<=?"
                (count,) = journal.execute(query, (task, last)).fetchone()
                if count:
                    found.append(f"{node.home.root.name} keeps {count} secrets of finished rounds in {table}")
    return found


def nobody_died(cage: Cage) -> list[str]:
    """No daemon ended that nobody ended, and none printed a traceback outside its log's events."""
    broken: list[str] = []
    for caged in cage.nodes:
        process = caged.node.process
        statuses = caged.died + ([process.returncode] if process is not None and process.poll() is not None else [])
        name, lines = caged.node.home.root.name, caged.node.log.read_text(errors="replace").splitlines()
        if statuses:
            broken.append(f"{name} ended by itself with {statuses}: {' / '.join(lines[-3:])[-600:]}")
        if any(line.startswith("Traceback") for line in lines):
            broken.append(f"{name} printed a traceback")
    return broken


def run_checks(run: Played) -> dict[str, list[str]]:
    """Every check but that of the money, while the daemons still run; the names are those of the results."""
    network, task = run.cage.network, run.state
    return {
        "end": it_ended(task),
        "daemons": nobody_died(run.cage),
        "secrets": secrets_are_gone(network, task),
        "unmask guard": one_set_was_opened(network, task, run.entries),
        "audit": audit_says_verified(network, task, run.file.parent / "union"),
        "plain sums": rounds_are_plain_sums(network, task, run.file),
    }
