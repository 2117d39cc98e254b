"""A js-libp2p node as a process: told what to do on its stdin, it answers on its stdout."""

from __future__ import annotations

import asyncio
import inspect
import json
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from foedus.contracts.compile import node

HERE = Path(__file__).parent
SECONDS = 30


class ForeignFailed(RuntimeError):
    """The foreign peer could not do what it was told; the message is its own."""


class Foreign:
    """A running js-libp2p node: `await foreign("dial", address=...)`; see peer.mjs for what it understands."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        facts = self._read()
        self.peer, self.address = facts["peer"], facts["address"]

    async def __call__(self, command: str, **options: Any) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": command, **options}) + "\n")
        self._process.stdin.flush()
        try:
            async with asyncio.timeout(SECONDS):
                answer = await asyncio.to_thread(self._read)
        except (TimeoutError, asyncio.CancelledError):
            self._process.kill()  # ends the thread that reads
            raise
        if "error" in answer:
            raise ForeignFailed(answer["error"])
        return answer["ok"]

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the foreign peer ended"
        return json.loads(line)


@pytest.fixture
def foreign() -> Iterator[Foreign]:
    """A js-libp2p node that listens on a loopback port of its own."""
    if not (HERE / "node_modules" / "libp2p").is_dir():
        pytest.skip("no js-libp2p: run `make setup-dev`")
    process = subprocess.Popen(
        [node(), "--require", str(HERE / "polyfill.cjs"), str(HERE / "peer.mjs")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Foreign(process)
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()


@pytest.fixture
def eventually() -> Callable[..., Awaitable[Any]]:
    """Await a condition, plain or asynchronous: `await eventually(host.connected, seconds=10)`."""

    async def wait(condition: Callable[[], Any], seconds: float = 15.0) -> Any:
        async with asyncio.timeout(seconds):
            while True:
                value = condition()
                if inspect.isawaitable(value):
                    value = await value
                if value:
                    return value
                await asyncio.sleep(0.05)

    return wait
