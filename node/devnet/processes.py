"""Chains as child processes, for tests and for whoever wants one in the background: the embedded one, or anvil."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from foedus.node.devnet.errors import StartFailed

ANVIL_STATES = 128
"""How many blocks' states anvil keeps, in memory."""


class ChainProcess:
    """A running chain; leaving its context stops it. `url` is where it answers, `pid` its process."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self._process = process
        self.url = url
        self.pid = process.pid

    def stop(self, timeout: float = 10) -> int:
        """End it with SIGTERM, with SIGKILL after `timeout` seconds; returns the exit status."""
        self._process.terminate()
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """End it with SIGKILL, as a crash would; returns the exit status."""
        self._process.kill()
        return self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self.stop()


def start_chain_process(
    path: Path,
    chain_id: int = 31337,
    block_time: float = 1.0,
    port: int = 0,
    host: str = "127.0.0.1",
    accounts: int = 10,
    timeout: float = 60,
) -> ChainProcess:
    """Start the embedded chain on folder `path` and wait, up to `timeout` seconds, until it answers.

    Parameters as for `serve_chain`. Raises StartFailed with the child's last words.
    """
    options = {"path": path, "host": host, "port": port, "chain-id": chain_id}
    options |= {"block-time": block_time, "accounts": accounts}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    return _start([sys.executable, "-m", "foedus.node.devnet", *words], "listening on ", timeout)


def start_anvil_process(
    binary: Path, chain_id: int = 31337, block_time: float = 0, accounts: int = 10, timeout: float = 60
) -> ChainProcess:
    """Start anvil on a free port and wait until it answers; it leaves nothing behind.

    `block_time` in seconds between blocks, 0 for a block with each transaction. Calls at older blocks than the last
    `ANVIL_STATES` fail: anvil would write every state to the disk, tens of gigabytes in a test run. Raises StartFailed.
    """
    command = [str(binary), "--port", "0", "--chain-id", str(chain_id), "--accounts", str(accounts)]
    command += ["--prune-history", str(ANVIL_STATES)]
    if block_time:
        command += ["--block-time", f"{block_time:g}", "--mixed-mining"]
    return _start(command, "Listening on ", timeout)


def _start(command: Sequence[str], marker: str, timeout: float) -> ChainProcess:
    """Run a command that says where it listens, on a line that begins with `marker`."""
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except OSError as error:
        raise StartFailed(command[0], f"cannot be run ({error.strerror})", "") from error
    assert process.stdout is not None
    output = _Output(process.stdout, marker)
    deadline = time.monotonic() + timeout
    while not output.found.wait(0.05) and process.poll() is None and time.monotonic() < deadline:
        pass
    if not output.found.is_set() or output.place is None:
        reason = f"ended with status {process.poll()}" if process.poll() is not None else f"silent for {timeout} s"
        process.kill()
        process.wait()
        output.drained.wait(2)
        raise StartFailed(" ".join(command[:4]), reason, "".join(output.last))
    url = output.place if output.place.startswith("http") else f"http://{output.place}"
    return ChainProcess(process, url)


class _Output:
    """Reads a child's output to its end, so that the child never blocks; keeps the last lines, finds one."""

    def __init__(self, stream: IO[str], marker: str) -> None:
        self.last: deque[str] = deque(maxlen=20)
        self.place: str | None = None
        self.found, self.drained = threading.Event(), threading.Event()
        threading.Thread(target=self._read, args=(stream, marker), daemon=True).start()

    def _read(self, stream: IO[str], marker: str) -> None:
        with stream:
            for line in stream:
                self.last.append(line)
                if self.place is None and line.startswith(marker):
                    self.place = line.removeprefix(marker).strip()
                    self.found.set()
        self.drained.set()
