"""Plays crashes on a devnet of watched daemons (`tests.node.crashing`)."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from foedus.node.devnet.local import LocalNetwork, LocalNode
from foedus.protocol.events import Logged, Phase
from foedus.protocol.ids import Address
from foedus.protocol.task import Task
from tests.node import crashing
from tests.node.crash_traces import Line, points_of
from tests.node.dropouts import Stage
from tests.node.forking import Forked, ask
from tests.node.waiting import said

CRASHES_A_ROUND = 3
"""Of one node. It is started again at once, so the windows of commits and freezes bear that."""

CALM_SECONDS = 1.0
"""Whoever has taken a licence dies within this time."""


@dataclass
class Crew:
    """The daemons of a network; who dies is started again."""

    network: LocalNetwork
    folder: Path
    died: list[str] = field(default_factory=list)
    """The points that were taken; and who ended otherwise, and how."""
    processes: dict[str, Forked] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("armed", "licence"):
            (self.folder / name).mkdir(parents=True)

    def start(self, node: LocalNode) -> None:
        words = self.network.command(node, "node", "run", "--json-logs")[3:]
        self.processes[node.home.root.name] = Forked(crashing.run, self.folder, node.log, words)

    def begin(self, file: Path, app: Path) -> Address:
        """Create a task, start all daemons, and have everybody join: the first round opens with the last of them."""
        nodes = self.network.nodes
        self.start(nodes[0])
        said(nodes[0], "announced")  # the others fetch the terms from it
        task: Address = ask(self.network, nodes[0], "task", "create", str(file), "--yes")["task"]
        for node in nodes[1:]:
            self.start(node)
        for at, node in enumerate(nodes):
            ask(self.network, node, "task", "join", task, "--app", str(app), "--partition", str(at), "--yes")
        return task

    def arm(self, points: Iterable[str]) -> None:
        for point in points:
            (self.folder / "armed" / point).touch()

    @property
    def armed(self) -> list[str]:
        """The points that nobody has taken yet."""
        return sorted(file.name for file in (self.folder / "armed").iterdir())

    def license(self, node: LocalNode) -> bool:
        """Let a node die once more; False where it may already."""
        file = self.folder / "licence" / node.home.root.name
        if file.exists():
            return False
        file.touch()
        return True

    def kill(self, node: LocalNode) -> None:
        """End a daemon where it stands."""
        process = self.processes[node.home.root.name]
        process.kill()
        process.wait()

    def tend(self) -> None:
        """Start again whoever is gone."""
        for node in self.network.nodes:
            name = node.home.root.name
            process = self.processes[name]
            if (status := process.poll()) is not None:
                point = self.trace(name)[-1].get("died") if status == -9 else None
                self.died.append(point or f"{name} ended with {status}")
                self.start(node)

    def trace(self, name: str) -> list[Line]:
        file = self.folder / f"trace-{name}"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def traces(self) -> dict[str, list[Line]]:
        """Of every node, by its name."""
        return {node.home.root.name: self.trace(node.home.root.name) for node in self.network.nodes}

    def stop(self) -> None:
        """End all daemons, with nothing drained."""
        for node in self.network.nodes:
            if node.home.root.name in self.processes:
                self.kill(node)

    async def _calm(self) -> None:
        """Nobody may die any more; everybody runs."""
        for licence in (self.folder / "licence").iterdir():
            licence.unlink(missing_ok=True)
        await asyncio.sleep(CALM_SECONDS)
        self.tend()

    async def play(
        self, task: Address, points: Iterable[str], honest: int, patience: float
    ) -> tuple[Task, tuple[Logged, ...]]:
        """To the task's end. After so many honest rounds these points are armed; where there are none, those that the
        honest rounds passed."""
        allowed: Counter[tuple[str, int]] = Counter()
        deadline, armed = time.monotonic() + patience, False
        async with Stage.watching(self.network, task) as stage:
            while time.monotonic() < deadline:
                state = await stage.follower.poll()
                if state is not None and state.phase is Phase.ENDED:
                    await self._calm()
                    return state, stage.follower.entries
                if state is not None and state.next_round > honest:
                    if not armed:
                        self.arm(points or points_of(self.traces(), honest))
                        armed = True
                    for node in self.network.nodes:
                        place = (node.home.root.name, state.next_round)
                        if allowed[place] < CRASHES_A_ROUND and self.license(node):
                            allowed[place] += 1
                self.tend()
        raise AssertionError(f"the task did not end in {patience} s; {self.armed} left; see {self.network.root}")


def write_task(root: Path, rounds: int, mode: str = "masked") -> tuple[Path, Path]:
    """The task file for so many rounds in a privacy mode, and the app."""
    story = Path(__file__).parent / "story"
    file, app = root / "task.toml", story / "crashes_app.py"
    text = (story / "crashes.toml").read_text().replace('"crashes_app.py"', f'"{app}"')
    text = text.replace('mode = "masked"', f'mode = "{mode}"')
    file.write_text(text.replace("\nrounds = 4\n", f"\nrounds = {rounds}\n"))
    return file, app


@contextmanager
def a_crew(network: LocalNetwork, folder: Path) -> Iterator[Crew]:
    """A crew that is stopped at the end."""
    crew = Crew(network, folder)
    try:
        yield crew
    finally:
        crew.stop()
