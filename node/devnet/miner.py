"""The one writer: batches what arrives while it is busy, and adds empty blocks as time passes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import structlog

from foedus.node.devnet.chain import EmbeddedChain, Submission
from foedus.node.devnet.errors import RpcError

log = structlog.get_logger(__name__)
T = TypeVar("T")

_BATCH = 200
"""Submissions a batch: bounds how long the first of them waits for the last."""


class Miner:
    """Runs a chain in a thread of its own; submissions from one event loop become blocks in order.

    `block_time` is the longest time in seconds without a block; 0 mines for transactions alone.
    """

    def __init__(self, chain: EmbeddedChain, block_time: float) -> None:
        self._chain, self._block_time = chain, block_time
        self._waiting: list[tuple[Submission, asyncio.Future[bytes]]] = []
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="miner")

    async def submit(self, submission: Submission) -> bytes:
        """The hash, once the transaction is mined, or on disk if it must wait. Raises RpcError if it is refused."""
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting.append((submission, answer))
        self._wake.set()
        return await answer

    async def run(self, action: Callable[..., T], *args: object) -> T:
        """Do something with the chain between blocks."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, action, *args)

    @contextlib.asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Mine while the context lasts; on the way out finish the block in hand and close the chain."""
        task = asyncio.create_task(self._work())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            for _, answer in self._waiting:
                answer.cancel()
            self._thread.shutdown(wait=True)
            self._chain.close()

    async def _work(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._until_due()):
                    await self._wake.wait()
            batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
            if not self._waiting:
                self._wake.clear()
            if batch:
                await self._mine_batch(batch)
            due = self._until_due()
            if due is not None and due <= 0:
                await self._mine_empty()

    def _until_due(self) -> float | None:
        return self._block_time - self._chain.age() if self._block_time else None

    async def _mine_batch(self, batch: list[tuple[Submission, asyncio.Future[bytes]]]) -> None:
        try:
            answers = await self.run(self._chain.submit, [submission for submission, _ in batch])
        except Exception as error:
            log.exception("block failed", transactions=len(batch))
            for _, future in batch:
                if not future.done():
                    future.set_exception(RpcError(-32603, f"the chain could not write the block: {error}"))
            return
        for (_, future), answer in zip(batch, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, RpcError):
                future.set_exception(answer)
            else:
                future.set_result(answer)

    async def _mine_empty(self) -> None:
        try:
            await self.run(self._chain.mine)
        except Exception:
            log.exception("empty block failed")
            await asyncio.sleep(self._block_time)
