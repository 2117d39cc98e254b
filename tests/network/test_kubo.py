"""A real IPFS daemon names our blobs as we do, gives them back, and is believed in nothing.

Runs against the daemon whose RPC address is in FOEDUS_IPFS_URL, or against js-ipfs (npm `ipfs@0.66.1`), started here
from the executable that FOEDUS_JSIPFS names.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
import pytest

from foedus.network.cid import CHUNK, InvalidCid, cid_of
from foedus.network.kubo import KuboError, KuboStore
from foedus.protocol.ids import Cid
from foedus.protocol.ports import BlobCorrupt, BlobMissing, BlobStore, BlobTooLarge

SECONDS = 60
POLYFILL = """if (!Promise.withResolvers) Promise.withResolvers = function () {
  let resolve, reject; const promise = new Promise((a, b) => { resolve = a; reject = b })
  return { promise, resolve, reject } }"""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if url := os.environ.get("FOEDUS_IPFS_URL"):
        yield url
        return
    executable = os.environ.get("FOEDUS_JSIPFS")
    if not executable:
        pytest.skip("no IPFS daemon: set FOEDUS_IPFS_URL to one's RPC address, or FOEDUS_JSIPFS to a jsipfs executable")
    folder = tmp_path_factory.mktemp("jsipfs")
    (folder / "polyfill.cjs").write_text(POLYFILL)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "IPFS_PATH": str(folder / "repo"),
        "NODE_OPTIONS": f"--require {folder / 'polyfill.cjs'}",
    }
    addresses = {"Swarm": [], "API": f"/ip4/127.0.0.1/tcp/{port}", "Gateway": "/ip4/127.0.0.1/tcp/0"}
    for arguments in (["init", "--empty-repo"], ["config", "Addresses", "--json", json.dumps(addresses)]):
        subprocess.run([executable, *arguments], env=environment, check=True, capture_output=True, timeout=SECONDS)
    process = subprocess.Popen(
        [executable, "daemon", "--offline"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            try:
                if httpx.post(f"{url}/api/v0/version", trust_env=False).status_code == 200:
                    break
            except httpx.HTTPError:
                time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def test_a_daemon_stores_and_returns_what_we_name(daemon: str) -> None:
    async def main() -> None:
        kubo = KuboStore(daemon)
        store: BlobStore = kubo
        for blob in (b"", b"one", os.urandom(CHUNK), os.urandom(3 * CHUNK + 7)):
            cid = await store.put(blob)
            assert cid == cid_of(blob)
            assert await store.get(cid, len(blob)) == blob
        with pytest.raises(BlobTooLarge):
            await store.get(cid, 3 * CHUNK)
        await kubo.unpin(cid)
        await kubo.close()

    asyncio.run(main())


def test_a_daemon_without_the_blob_says_so(daemon: str) -> None:
    async def main() -> None:
        store = KuboStore(daemon, timeout=2)
        with pytest.raises(BlobMissing):
            await store.get(cid_of(os.urandom(100)), 1000)
        with pytest.raises(InvalidCid):
            await store.get(Cid("../../version"), 1000)
        await store.close()

    asyncio.run(main())


class _Liar(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self.rfile.read(length)
        flood = self.path.startswith("/api/v0/block/get") and "flood" in self.server.server_name
        body = (
            b"x" * (3 * CHUNK) if flood else b'{"Hash":"bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"}'
        )
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


def test_a_daemon_that_lies_is_caught() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Liar)
    Thread(target=server.serve_forever, daemon=True).start()

    async def main() -> None:
        store = KuboStore(f"http://127.0.0.1:{server.server_port}/")
        with pytest.raises(BlobCorrupt):
            await store.get(cid_of(b"something else"), 1000)
        with pytest.raises(BlobCorrupt):
            await store.put(b"something else")
        assert await store.put(b"") == cid_of(b"")
        server.server_name = "flood"
        with pytest.raises(BlobCorrupt):
            await store.get(cid_of(b"x" * (3 * CHUNK)), 10 * CHUNK)
        server.shutdown()
        server.server_close()
        with pytest.raises(KuboError, match="is it running"):
            await store.put(b"")
        await store.close()

    asyncio.run(main())
