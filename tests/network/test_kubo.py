"""What an IPFS daemon answers is believed in nothing; a real one is driven in tests/peers/test_ipfs.py."""

from __future__ import annotations

import asyncio
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from foedus.network.cid import CHUNK, cid_of
from foedus.network.kubo import KuboStore
from foedus.network.kubo_rpc import KuboError, KuboRpc
from foedus.protocol.ports import BlobCorrupt


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
        store = KuboStore(KuboRpc(f"http://127.0.0.1:{server.server_port}/"))
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
