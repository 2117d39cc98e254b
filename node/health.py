"""The daemon's small HTTP server for whoever watches over it: /healthz, /readyz and /metrics."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import structlog
import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from foedus.node.errors import NodeError
from foedus.node.metrics import exposition, registry_of
from foedus.node.notify import Notifier
from foedus.node.vitals import Vitals

log = structlog.get_logger(__name__)

AT_ONCE = 16
"""Connections answered at the same time; more are refused with 503."""
IDLE_SECONDS = 5
STOP_SECONDS = 1


class CannotWatch(NodeError):
    """The `http` setting names no place where this process can listen."""

    def __init__(self, place: str, why: str) -> None:
        super().__init__(f"http = {place!r}: {why}")


def place_of(http: str, *, public: bool) -> tuple[str, int]:
    """Host and port of `http`, as in 127.0.0.1:9464 or [::1]:9464; port 0 takes a free one.

    Raises CannotWatch where it is no such thing, or reaches beyond this machine and `public` is not set.
    """
    name, colon, port = http.rpartition(":")
    try:
        host = ipaddress.ip_address(name.strip("[]"))
        number = int(port)
    except ValueError:
        raise CannotWatch(http, "expected ADDRESS:PORT with a numeric address, such as 127.0.0.1:9464") from None
    if not colon or not 0 <= number <= 65535:
        raise CannotWatch(http, "the port must be 0..65535")
    if not host.is_loopback and not public:
        raise CannotWatch(http, "this reaches beyond this machine, and there is no log-in: set http_public = true too")
    return str(host), number


def make_app(vitals: Vitals) -> Starlette:
    """The three pages."""
    registry = registry_of(vitals)

    async def healthz(_: Request) -> Response:
        uptime = round(time.monotonic() - vitals.started, 3)
        return JSONResponse({"alive": True, "pid": os.getpid(), "uptime_seconds": uptime})

    async def readyz(_: Request) -> Response:
        reasons = await vitals.reasons()
        answer = {"ready": not reasons, "reasons": reasons, "warnings": vitals.warnings()}
        return JSONResponse(answer, 503 if reasons else 200)

    async def metrics(_: Request) -> Response:
        return Response(exposition(registry), media_type=CONTENT_TYPE_LATEST)

    pages = (("/healthz", healthz), ("/readyz", readyz), ("/metrics", metrics))
    return Starlette(routes=[Route(path, page) for path, page in pages])


class _Guest(uvicorn.Server):
    """A server inside the daemon, which takes care of signals itself."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield


@asynccontextmanager
async def watched(vitals: Vitals) -> AsyncIterator[None]:
    """Answer on the `http` setting's place, if there is one, and keep systemd informed, if it listens.

    Raises CannotWatch where the place cannot be had. While this lasts, `vitals.http` is the server's URL.
    """
    manager = Notifier.from_environment()
    tasks = [asyncio.create_task(manager.run(vitals.reasons))] if manager is not None else []
    server = None
    try:
        if vitals.config.http:
            listener = _listen(vitals.config.http, public=vitals.config.http_public)
            host, port = listener.getsockname()[:2]
            vitals.http = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
            server = _Guest(
                uvicorn.Config(
                    make_app(vitals),
                    log_config=None,
                    access_log=False,
                    lifespan="off",
                    limit_concurrency=AT_ONCE,
                    timeout_keep_alive=IDLE_SECONDS,
                    timeout_graceful_shutdown=STOP_SECONDS,
                )
            )
            tasks.append(asyncio.create_task(server.serve(sockets=[listener])))
            log.info("health served", url=vitals.http)
        yield
    finally:
        if manager is not None:
            tasks.pop(0).cancel()
        if server is not None:
            server.should_exit = True
            await asyncio.gather(*tasks, return_exceptions=True)


def _listen(http: str, *, public: bool) -> socket.socket:
    host, port = place_of(http, public=public)
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        why = f"cannot listen there ({error.strerror or error}): choose another port, 0 takes a free one"
        raise CannotWatch(http, why) from error
    listener.listen(128)
    return listener
