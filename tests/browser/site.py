"""An application and its event loop in a thread, asked over HTTP without a socket (httpx's ASGI transport)."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from fastapi import FastAPI

T = TypeVar("T")


class Site:
    """The application while the context lasts, its background jobs included."""

    def __init__(self, app: FastAPI) -> None:
        self._lifespan = app.router.lifespan_context(app)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://dashboard")
        self._closing = asyncio.Event()
        self._living: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._do(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def get(self, url: str) -> httpx.Response:
        """GET."""
        return self._do(self._client.get(url))

    def post(self, url: str, headers: dict[str, str] | None = None) -> httpx.Response:
        """POST; redirects are not followed."""
        return self._do(self._client.post(url, headers=headers))

    def until(self, url: str, holds: Callable[[dict[str, Any]], bool], seconds: float = 20) -> dict[str, Any]:
        """The first JSON answer that something holds of."""
        deadline = time.monotonic() + seconds
        while True:
            found: dict[str, Any] = self.get(url).json()
            if holds(found):
                return found
            assert time.monotonic() < deadline, found
            time.sleep(0.02)

    def audited(self, task: str) -> dict[str, Any]:
        """Ask for an audit, and wait for what comes of it."""
        assert self.post(f"/api/tasks/{task}/audit").status_code == 202
        return self.until(f"/api/tasks/{task}/audit", lambda found: found["state"] in ("done", "failed"))

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def _start(self) -> None:
        began = asyncio.Event()
        self._living = asyncio.create_task(self._live(began))
        waiting = asyncio.create_task(began.wait())
        await asyncio.wait((self._living, waiting), return_when=asyncio.FIRST_COMPLETED)

    async def _live(self, began: asyncio.Event) -> None:
        """The lifespan must begin and end in one task."""
        async with self._lifespan:
            began.set()
            await self._closing.wait()

    async def _stop(self) -> None:
        self._closing.set()
        assert self._living is not None
        await self._living
        await self._client.aclose()
        await asyncio.get_running_loop().shutdown_default_executor()
