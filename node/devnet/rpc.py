"""The HTTP side of the chain: JSON-RPC 2.0 by POST on `/`, for any number of processes at once.

Only `application/json` is taken, and no cross-origin preflight is answered, as with geth: a web page that the operator
happens to visit cannot spend from the development accounts.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from foedus.node.devnet.chain import EmbeddedChain
from foedus.node.devnet.dispatch import Dispatcher

MAX_BODY = 5 * 2**20
"""bytes; geth's bound."""


def make_app(chain: EmbeddedChain, block_time: float) -> Starlette:
    """The ASGI application; it closes the chain when it shuts down."""
    dispatcher: Dispatcher

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        nonlocal dispatcher
        dispatcher = Dispatcher(chain, block_time)
        async with dispatcher.working():
            yield

    async def post(request: Request) -> Response:
        kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        if kind != "application/json":
            return Response("send JSON-RPC with content-type application/json", status_code=415)
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY:
                return Response(f"request body over {MAX_BODY} bytes", status_code=413, media_type="text/plain")
        answer = await dispatcher.answer(bytes(body))
        if answer is None:
            return Response(status_code=204)
        return Response(json.dumps(answer, separators=(",", ":")), media_type="application/json")

    return Starlette(routes=[Route("/", post, methods=["POST"])], lifespan=lifespan)
