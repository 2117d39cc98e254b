"""An IPFS daemon for the tests: the one at FOEDUS_IPFS_URL, or js-ipfs as `make peers` installs it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from foedus.contracts.compile import node

HERE = Path(__file__).parent
PROGRAM = HERE / "ipfs" / "node_modules" / "ipfs" / "src" / "cli.js"
SECONDS = 60


@contextmanager
def js_ipfs(folder: Path) -> Iterator[str]:
    """The RPC URL of a js-ipfs daemon with an empty store under `folder`, offline; it ends with the block."""
    environment = os.environ | {
        "IPFS_PATH": str(folder / "repo"),
        "NODE_OPTIONS": f"--require {HERE / 'polyfill.cjs'}",
    }
    command = [node(), str(PROGRAM)]
    subprocess.run(
        [*command, "init", "--empty-repo"], env=environment, check=True, capture_output=True, timeout=SECONDS
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = folder / "repo" / "config"
    config = json.loads(settings.read_text())
    config["Addresses"] |= {"Swarm": [], "API": f"/ip4/127.0.0.1/tcp/{port}", "Gateway": "/ip4/127.0.0.1/tcp/0"}
    settings.write_text(json.dumps(config))
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([*command, "daemon", "--offline"], env=environment, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url, process, folder / "log")
        yield url
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.post(f"{url}/api/v0/version", trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise RuntimeError(f"js-ipfs does not answer: {log.read_text()}")
