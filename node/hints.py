"""Gossip: "look at the chain". A hint is never believed, only followed up: it wakes whoever waits for the next poll."""

from __future__ import annotations

import asyncio
import time

import structlog

from foedus.network.errors import NetworkError
from foedus.network.host import Host
from foedus.protocol.ids import Address, PeerId

log = structlog.get_logger(__name__)

HINT_BYTES = 42
LEAST_SECONDS = 0.1
"""A flood of hints wakes the node no more often than this."""


class Hints:
    """Sends and hears hints on one network's topic. A hint is the address of the task that moved."""

    def __init__(self, host: Host, network: str) -> None:
        self._host, self._topic = host, f"/foedus/{network}/hints/1"
        self._woken = asyncio.Event()
        self._last = 0.0

    async def start(self) -> None:
        """Begin to listen."""
        await self._host.subscribe(self._topic, self._hear)

    async def _hear(self, peer: PeerId, message: bytes) -> None:
        if peer != self._host.peer_id and len(message) == HINT_BYTES:
            self._woken.set()

    async def tell(self, task: Address) -> None:
        """Tell the others that a task has moved on the chain."""
        try:
            await self._host.publish(self._topic, task.encode())
        except NetworkError as error:
            log.debug("hint not sent", error=str(error))

    async def wait(self, seconds: float) -> None:
        """Return at the next hint, or after so many seconds."""
        try:
            await asyncio.wait_for(self._woken.wait(), seconds)
        except TimeoutError:
            return
        self._woken.clear()
        await asyncio.sleep(max(0.0, self._last + LEAST_SECONDS - time.monotonic()))
        self._last = time.monotonic()
