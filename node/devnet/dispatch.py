"""JSON-RPC 2.0: from a request body to a response, one request or a batch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import assert_never

import structlog

from foedus.node.devnet.chain import EmbeddedChain
from foedus.node.devnet.errors import InvalidParams, RpcError
from foedus.node.devnet.jsontypes import Json, JsonObject, hex_bytes
from foedus.node.devnet.methods import METHODS, Constant, Control, EvmRead, IndexRead, Method, Params, Send
from foedus.node.devnet.miner import Miner
from foedus.node.devnet.view import ChainView
from foedus.protocol.hostile import load_json

log = structlog.get_logger(__name__)

MAX_BATCH = 1_000


class Dispatcher:
    """Answers requests against one chain. Make it and use it within one running event loop."""

    def __init__(self, chain: EmbeddedChain, block_time: float) -> None:
        genesis = chain.genesis
        self._constants = {name: one.answer(genesis) for name, one in METHODS.items() if isinstance(one, Constant)}
        self._chain = chain
        self._miner = Miner(chain, block_time)
        self._index, self._evm = _Reader(chain.open_view(), "index"), _Reader(chain.open_view(), "evm")

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Mine and answer while the context lasts."""
        async with self._miner.working():
            try:
                yield
            finally:
                self._index.close()
                self._evm.close()

    async def answer(self, body: bytes) -> Json:
        """The response to a request body; None if it held nothing but notifications."""
        try:
            request = load_json(body)
        except ValueError as error:
            return _failure(None, RpcError(-32700, f"parse error: {error}"))
        if not isinstance(request, list):
            return await self._answer_one(request)
        if not request:
            return _failure(None, RpcError(-32600, "invalid request: empty batch"))
        if len(request) > MAX_BATCH:
            return _failure(None, RpcError(-32600, f"invalid request: {len(request)} in a batch, limit {MAX_BATCH}"))
        answers = [await self._answer_one(one) for one in request]
        return [one for one in answers if one is not None] or None

    async def _answer_one(self, request: Json) -> JsonObject | None:
        identity = request.get("id") if isinstance(request, dict) else None
        if isinstance(identity, dict | list | bool):
            identity = None
        try:
            if not isinstance(request, dict) or not isinstance(request.get("method"), str):
                raise RpcError(-32600, "invalid request: expected an object with a method")
            result = await self._perform(str(request["method"]), request.get("params"))
        except RpcError as error:
            return _failure(identity, error)
        except Exception:
            log.exception("request failed", method=request.get("method") if isinstance(request, dict) else None)
            return _failure(identity, RpcError(-32603, "internal error: see the chain's log"))
        return {"jsonrpc": "2.0", "id": identity, "result": result} if "id" in request else None

    async def _perform(self, name: str, given: Json) -> Json:
        method = METHODS.get(name)
        if method is None:
            raise RpcError(-32601, f"the method {name[:80]} does not exist/is not available")
        params = _params(name, method, given)
        match method:
            case Constant():
                return self._constants[name]
            case IndexRead():
                return await self._index.run(method.answer, params)
            case EvmRead():
                return await self._evm.run(method.answer, params)
            case Send():
                return hex_bytes(await self._miner.submit(method.submission(params)))
            case Control():
                return await self._miner.run(method.answer, self._chain, params)
            case _:
                assert_never(method)


class _Reader:
    """A view of the chain with the thread it belongs to."""

    def __init__(self, view: ChainView, name: str) -> None:
        self._view = view
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def run(self, answer: Callable[[ChainView, Params], Json], params: Params) -> Json:
        return await asyncio.get_running_loop().run_in_executor(self._thread, answer, self._view, params)

    def close(self) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._view.close()


def _params(name: str, method: Method, given: Json) -> Params:
    if given is None:
        given = []
    if not isinstance(given, list):
        raise InvalidParams(f"{name}: expected params as a list")
    if len(given) < method.least:
        raise InvalidParams(f"{name}: missing value for required argument {len(given)}")
    return given


def _failure(identity: Json, error: RpcError) -> JsonObject:
    described: JsonObject = {"code": error.code, "message": error.message}
    if error.data is not None:
        described["data"] = error.data
    return {"jsonrpc": "2.0", "id": identity, "error": described}
