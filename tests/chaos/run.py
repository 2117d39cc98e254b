"""Runs of chaos: `python -m tests.chaos.run --seed 1 --nodes 8 --rounds 5 --faults 10 --runs 50 --json runs.json`.

A run is a devnet, a task on the digits example, a schedule of faults, and the invariants after it. It prints a line a
run; the exit status is 1 where a run breaks an invariant, or fewer than 95% of the rounds became final. The folder of a
broken run is kept. The same seed and sizes give the same schedule; what the nodes make of it is up to the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from foedus.node.devnet.local import LocalNetwork
from foedus.node.devnet.processes import start_chain_process
from foedus.protocol.events import AttemptAborted, Logged, Phase, RoundOpened
from foedus.protocol.ids import Address
from foedus.protocol.task import Task
from tests.chaos.invariants import Played, run_checks
from tests.chaos.money import funds_are_whole
from tests.chaos.player import Player
from tests.chaos.proxy import Gates
from tests.chaos.scene import Cage, write_task
from tests.chaos.schedule import Schedule, draw
from tests.contracts.faulty_rpc import a_faulty_rpc
from tests.contracts.remote import SEPOLIA
from tests.node.dropouts import Stage

ROUND_SECONDS, SPARE_SECONDS = 150, 120
"""A run that takes longer than this, a round and besides, does not end."""

POLL_SECONDS = 0.5
"""How often daemons, and the run itself, look at the chain."""

FINAL_SHARE = 0.95
ABORT_EVERY = 5
"""Where aborts are asked for: every so many seeds, one attempt is meant to be given up."""


@dataclass
class Result:
    """broken: by invariant, what is wrong; seconds: of the task alone, without set-up and checks."""

    seed: int
    nodes: int
    rounds: int
    final: int
    attempts: int
    aborted: int
    end: str
    seconds: float
    faults: list[dict[str, Any]]
    broken: dict[str, list[str]]
    complaints: int = 0
    """Failures that daemons logged as unexpected, and went on from."""
    folder: str = ""

    @property
    def is_sound(self) -> bool:
        return not any(self.broken.values())

    def line(self) -> str:
        kinds = " ".join(sorted(fault["kind"] for fault in self.faults))
        said = "ok" if self.is_sound else f"BROKEN {json.dumps({k: v for k, v in self.broken.items() if v})}"
        return (
            f"seed {self.seed}: {self.final}/{self.rounds} rounds final, {self.attempts} attempts, {self.end}, "
            f"{self.seconds:.0f} s, {len(self.faults)} faults ({kinds}): {said}"
        )


@contextmanager
def played(schedule: Schedule, root: Path) -> Iterator[Played]:
    """Play a schedule in an empty folder; chain and daemons still run while the caller looks at what came of it.

    The chain has a testnet's id: on a development chain's, the nodes would not doubt heads and logs.
    """
    file = write_task(root, schedule.nodes, schedule.rounds)
    with start_chain_process(root / "chain", SEPOLIA, block_time=0.5) as chain, Gates(schedule.seed) as gates:
        network = asyncio.run(LocalNetwork.create(root / "network", chain.url, schedule.nodes, POLL_SECONDS))
        try:
            cage = Cage(network, gates)
            with a_faulty_rpc(chain.url) as endpoint:
                player = Player(schedule, cage, endpoint)
                task = cage.begin(file)
                state, entries, seconds = asyncio.run(_follow(player, task))
            yield Played(cage, file, state, entries, player.played, seconds)
        finally:
            network.stop()


async def _follow(player: Player, task: Address) -> tuple[Task, tuple[Logged, ...], float]:
    """Play until the task is over, or does not end; the state, the log, and the seconds it took."""
    began, schedule = time.monotonic(), player.schedule
    deadline = began + ROUND_SECONDS * schedule.rounds + SPARE_SECONDS
    state: Task | None = None
    async with Stage.watching(player.cage.network, task) as stage:
        try:
            while time.monotonic() < deadline and (state is None or state.phase is not Phase.ENDED):
                state = await stage.follower.poll() or state
                if state is not None:
                    player.look(state.next_round if state.round is not None else state.next_round - 1)
                await asyncio.sleep(POLL_SECONDS)
        finally:
            player.stop()
        assert state is not None, "the chain does not know the task"
        return state, stage.follower.entries, time.monotonic() - began


def judge(schedule: Schedule, what: Played) -> Result:
    """Check every invariant."""
    state, events = what.state, [entry.event for entry in what.entries]
    logs = [caged.node.log.read_text(errors="replace") for caged in what.cage.nodes]
    broken = run_checks(what)
    broken["funds"] = asyncio.run(funds_are_whole(what.cage.network, state))
    return Result(
        seed=schedule.seed,
        nodes=schedule.nodes,
        rounds=schedule.rounds,
        final=len(state.finished),
        attempts=sum(isinstance(event, RoundOpened) for event in events),
        aborted=sum(isinstance(event, AttemptAborted) for event in events),
        end=state.end.name if state.end is not None else "NOT ENDED",
        seconds=round(what.seconds, 1),
        faults=what.faults,
        broken=broken,
        complaints=sum(log.count('"event": "unexpected"') + log.count('"event": "task in trouble"') for log in logs),
    )


def _run(schedule: Schedule, keep: bool) -> Result:
    """Play a schedule, judge it, and say so; the folder stays where it is to be kept, or something is broken."""
    root = Path(tempfile.mkdtemp(prefix=f"foedus-chaos-{schedule.seed}-"))
    try:
        with played(schedule, root) as what:
            result = judge(schedule, what)
    except BaseException:
        print(f"seed {schedule.seed}: the run itself failed; its folder is {root}", flush=True)
        raise
    print(result.line() + ("" if result.is_sound else f"; its folder is {root}"), flush=True)
    if result.is_sound and not keep:
        shutil.rmtree(root)
    else:
        result.folder = str(root)
    return result


def _kept(file: Path) -> list[Result]:
    return [Result(**result) for result in json.loads(file.read_text())] if file.exists() else []


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.run", description=__doc__.splitlines()[0])
    for name, default in (("seed", 1), ("nodes", 8), ("rounds", 5), ("faults", 10), ("runs", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--aborts", action="store_true", help=f"mean an abort with every {ABORT_EVERY}th seed")
    parser.add_argument(
        "--json", type=Path, help="keep the results in this file; seeds that it has are not played again"
    )
    parser.add_argument("--keep", action="store_true", help="keep the folders of sound runs too")
    asked = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the daemons have sessions of their own: end them too
    kept = _kept(asked.json) if asked.json is not None else []
    seeds = range(asked.seed, asked.seed + asked.runs)

    def asked_for(result: Result) -> bool:
        return result.seed in seeds and (result.nodes, result.rounds) == (asked.nodes, asked.rounds)

    played_before = {result.seed for result in kept if asked_for(result)}
    for seed in seeds:
        if seed in played_before:
            continue
        schedule = draw(seed, asked.nodes, asked.rounds, asked.faults, asked.aborts and seed % ABORT_EVERY == 0)
        kept.append(_run(schedule, asked.keep))
        if asked.json is not None:
            lines = ",\n".join(json.dumps(asdict(result)) for result in sorted(kept, key=lambda result: result.seed))
            asked.json.write_text(f"[\n{lines}\n]\n")
    results = [result for result in kept if asked_for(result)]
    final, due = sum(r.final for r in results), sum(r.rounds for r in results)
    sound = sum(r.is_sound for r in results)
    fewest = min(len(r.faults) for r in results)
    print(
        f"{sound} of {len(results)} runs sound, {final} of {due} rounds final ({final / due:.1%}), "
        f"{fewest} faults or more in each"
    )
    return 0 if sound == len(results) and final >= FINAL_SHARE * due else 1


if __name__ == "__main__":
    sys.exit(main())
