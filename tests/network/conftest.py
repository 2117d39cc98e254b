"""Hosts in this process, and peers in processes of their own, for the tests of the network room."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).with_name("peer_process.py")


@dataclass
class PeerProcess:
    """A node in a process of its own; `facts` is the line that it wrote when it was ready."""

    process: subprocess.Popen[str]
    facts: dict[str, Any]

    @property
    def address(self) -> str:
        return str(self.facts["address"])

    @property
    def peer(self) -> Any:
        return self.facts["peer"]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> dict[str, Any]:
        """End it gracefully; what it had to say at its end."""
        last, _ = self.process.communicate(timeout=20)
        assert self.process.returncode == 0
        return json.loads(last.splitlines()[-1]) if last.strip() else {}


@pytest.fixture
def start_peer(tmp_path: Path) -> Iterator[Callable[..., PeerProcess]]:
    """Start a peer process: `start_peer(folder="a", secret=..., listen=..., blob=bytes_to_put)`."""
    started: list[subprocess.Popen[str]] = []

    def start(**options: Any) -> PeerProcess:
        options["folder"] = str(tmp_path / options.get("folder", f"peer{len(started)}"))
        process = subprocess.Popen(
            [sys.executable, str(SCRIPT), json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "the peer process ended before it was ready"
        return PeerProcess(process, json.loads(line))

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Await a condition: `await eventually(lambda: host.connected(), seconds=10)`."""

    async def wait(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
        async with asyncio.timeout(seconds):
            while not (value := condition()):  # noqa: ASYNC110, a test looks from outside
                await asyncio.sleep(0.02)
        return value

    return wait
