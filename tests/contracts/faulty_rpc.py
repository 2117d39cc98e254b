"""An HTTP proxy in front of a chain that stalls, lies, limits and forgets as a test tells it to."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

Twist = Callable[[list[Any], Callable[[], Any]], Any]
"""A method's answer, from its parameters and from what asks the chain itself."""


class MethodMissing(Exception):
    """Raised by a twist: the endpoint does not serve the method."""


@dataclass
class FaultyRpc:
    """The proxy. `twists`: what it answers instead, by method; `stall`: seconds before it answers; `refusals`: HTTP
    status and headers of the next answers; `asked`: how often each method was asked."""

    behind: str
    url: str = ""
    twists: dict[str, Twist] = field(default_factory=dict)
    stall: float = 0.0
    refusals: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    gone: threading.Event = field(default_factory=threading.Event)

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """What JSON-RPC answer to give."""
        answers: list[dict[str, Any]] = []

        def honest() -> Any:
            answers.append(httpx.post(self.behind, json=request, timeout=60).json())
            return answers[-1].get("result")

        twist = self.twists.get(request["method"])
        if twist is None:
            honest()
            return answers[-1]
        try:
            result = twist(request["params"], honest)
        except MethodMissing:
            error = {"code": -32601, "message": f"the method {request['method']} does not exist"}
            return {"jsonrpc": "2.0", "id": request["id"], "error": error}
        refused = bool(answers) and "error" in answers[-1]
        return answers[-1] if refused else {"jsonrpc": "2.0", "id": request["id"], "result": result}


@contextmanager
def a_faulty_rpc(behind: str) -> Iterator[FaultyRpc]:
    """A proxy on a port of its own, honest until told otherwise."""
    made = FaultyRpc(behind)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            made.asked[request["method"]] += 1
            if made.stall and made.gone.wait(made.stall):
                return
            if made.refusals:
                status, headers = made.refusals.pop(0)
                self._reply(status, headers, b"")
            else:
                self._reply(200, {"Content-Type": "application/json"}, json.dumps(made.answer(request)).encode())

        def _reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            with suppress(BrokenPipeError, ConnectionResetError):  # who asked has gone
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *words: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.gone.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
