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
    """The RPC URL of a js-ipfs daemon with a new store under `folder`, offline; it ends with the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    addresses = {"Swarm": [], "API": f"/ip4/127.0.0.1/tcp/{port}", "Gateway": "/ip4/127.0.0.1/tcp/0"}
    settings = folder / "settings.json"
    settings.write_text(json.dumps({"Addresses": addresses, "Bootstrap": []}))
    options = ["--offline", "--enable-preload=false", "--init-config", str(settings)]
    environment = os.environ | {
        "IPFS_PATH": str(folder / "repo"),
        "NODE_OPTIONS": f"--require {HERE / 'polyfill.cjs'}",
    }
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([node(), str(PROGRAM), "daemon", *options], env=environment, stdout=log, stderr=log)
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
