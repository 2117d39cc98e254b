"""Processes forked from one that has imported all that a daemon or a command needs, so that they start at once.

`slow_disk.c` is preloaded into all of them.
"""

from __future__ import annotations

import functools
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from foedus.node.cli import main
from foedus.node.devnet.local import LocalNetwork, LocalNode
from tests.node import slow_disk

PRELOADED = ("__main__", "tests.node.crashing", "sklearn.datasets")


class Forked:
    """A process that does `work`, seen as a `subprocess.Popen`."""

    def __init__(self, work: Callable[..., None], *arguments: object) -> None:
        self._process: BaseProcess = _context().Process(target=work, args=arguments, daemon=True)
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(str(self._process.name), timeout or 0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


@functools.cache
def _context() -> multiprocessing.context.ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("LD_PRELOAD", str(slow_disk.build(Path(folder))))
        first = context.Process(target=os.getpid)
        first.start()
        first.join()  # the server has loaded the library, and all that it preloads
    return context


def command(out: Path, words: list[str]) -> None:
    """The work of a `foedus` command that writes to a file."""
    os.setsid()
    os.environ.pop("LD_PRELOAD", None)  # the library is gone; what this process starts does without
    written = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(written, 1)
    os.dup2(written, 2)
    sys.argv = ["foedus", *words]
    main()


def ask(network: LocalNetwork, node: LocalNode, *words: str) -> dict[str, Any]:
    """Run a command of a node to its end; its JSON answer."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "answer"
        status = Forked(command, out, network.command(node, *words)[3:]).wait()
        told = out.read_text() if out.exists() else ""
    assert status == 0, told
    answer: dict[str, Any] = json.loads(told)
    return answer
