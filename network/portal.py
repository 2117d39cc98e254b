"""A door between two event loops: asyncio in the caller's thread, trio in a thread of its own.

Values, exceptions and cancellation cross both ways. A call never outlives its caller: who is cancelled on one side
waits until the task on the other side has ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import trio

from foedus.network.errors import HostStopped

T = TypeVar("T")
Body = Callable[[Callable[[], None]], Awaitable[None]]


class Portal:
    """Made by `open` on the asyncio side; `call` runs there, `call_back` on the trio side."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._token: trio.lowlevel.TrioToken | None = None
        self._nursery: trio.Nursery | None = None
        self._open: asyncio.Future[None] = self._loop.create_future()
        self._thread: threading.Thread | None = None
        self._closing = False
        self.ended: asyncio.Future[BaseException | None] = self._loop.create_future()

    @classmethod
    async def open(cls, body: Body) -> Portal:
        """Run `body(ready)` in a new thread; returns once it has called `ready`, or raises what it raised."""
        portal = cls()
        portal._thread = threading.Thread(target=portal._run, args=(body,), name="foedus-network", daemon=True)
        portal._thread.start()
        try:
            await _either(portal._open, portal.ended)
        except asyncio.CancelledError:
            await portal.close()
            raise
        if not portal._open.done():
            raise portal.ended.result() or HostStopped("ended at once")
        return portal

    async def call(self, fn: Callable[..., Awaitable[T]], *args: Any) -> T:
        """From asyncio: await `fn(*args)` on the trio side. Raises HostStopped once that side has ended."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        scope = trio.CancelScope()

        async def task() -> None:
            settle: Callable[[], object] = done.cancel
            try:
                with scope:
                    settle = partial(done.set_result, await fn(*args))
            except Exception as error:
                settle = partial(done.set_exception, error)
            finally:
                self._to_asyncio(lambda: done.done() or settle())

        self.post(self._start, task)
        try:
            await _either(done, self.ended)
        except asyncio.CancelledError:
            with contextlib.suppress(HostStopped):
                self.post(scope.cancel)
            await _either(done, self.ended)
            if done.done() and not done.cancelled():
                done.exception()  # an answer that came too late is not an error that nobody saw
            raise
        if not done.done() or done.cancelled():
            raise HostStopped()
        return done.result()

    async def call_back(self, fn: Callable[..., Awaitable[T]], *args: Any) -> T:
        """From trio: await `fn(*args)` on the asyncio side."""
        done = trio.Event()
        tasks: list[asyncio.Task[T]] = []

        async def run() -> T:
            return await fn(*args)

        def finished(_: asyncio.Task[T]) -> None:
            with contextlib.suppress(HostStopped):
                self.post(done.set)

        def start() -> None:
            tasks.append(self._loop.create_task(run()))
            tasks[0].add_done_callback(finished)

        self._to_asyncio(start)
        try:
            await done.wait()
        except trio.Cancelled:
            self._to_asyncio(lambda: tasks[0].cancel())
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 5):
                await done.wait()
            raise
        if tasks[0].cancelled():
            raise HostStopped("the handler was cancelled")
        return tasks[0].result()

    def post(self, fn: Callable[..., object], *args: Any) -> None:
        """Run `fn(*args)` soon on the trio side, from any thread, without waiting. Raises HostStopped."""
        if self._token is None:
            raise HostStopped("not started")
        try:
            self._token.run_sync_soon(fn, *args)
        except trio.RunFinishedError:
            raise HostStopped() from None

    def spawn(self, fn: Callable[..., Awaitable[object]], *args: Any) -> None:
        """Start `fn(*args)` on the trio side without waiting; what it raises is dropped. Raises HostStopped."""

        async def task() -> None:
            with contextlib.suppress(Exception):
                await fn(*args)

        self.post(self._start, task)

    async def close(self) -> None:
        """Cancel everything on the trio side and wait until its thread has ended. Safe to call again."""
        self._closing = True
        with contextlib.suppress(HostStopped):
            self.post(self._cancel)
        await asyncio.shield(asyncio.wait([self.ended]))
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def _run(self, body: Body) -> None:
        failure: list[BaseException] = []

        async def main() -> None:
            self._token = trio.lowlevel.current_trio_token()
            async with trio.open_nursery() as self._nursery:
                if self._closing:  # before there was a token to post with
                    self._nursery.cancel_scope.cancel()
                try:
                    await body(lambda: self._to_asyncio(partial(_settle, self._open, None)))
                except Exception as error:
                    failure.append(error)
                self._nursery.cancel_scope.cancel()

        try:
            trio.run(main)
        except BaseException as error:
            failure.append(error)
        why = failure[0] if failure else None
        self._to_asyncio(partial(_settle, self.ended, why))

    def _cancel(self) -> None:
        if self._nursery is not None:
            self._nursery.cancel_scope.cancel()

    def _start(self, task: Callable[[], Awaitable[None]]) -> None:
        with contextlib.suppress(RuntimeError):  # the nursery has closed: `ended` follows
            if self._nursery is not None:
                self._nursery.start_soon(task)

    def _to_asyncio(self, fn: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed before the host
            self._loop.call_soon_threadsafe(fn)


async def _either(*futures: asyncio.Future[Any]) -> None:
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)


def _settle(future: asyncio.Future[T], value: T) -> None:
    if not future.done():
        future.set_result(value)
