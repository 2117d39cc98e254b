"""Telling systemd how the daemon is: the datagrams of sd_notify(3), for units of Type=notify."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable, Mapping

import structlog

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.5
"""Between looks at whether the node is ready; ten times that once it was."""


class Notifier:
    """Says READY=1 once the node is ready, STATUS= as that changes, and WATCHDOG=1 while the loop turns."""

    def __init__(self, address: str, ping_seconds: float | None) -> None:
        """address: a path, or an abstract name behind `@`; ping_seconds: between pings, None for none."""
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.ping_seconds = ping_seconds
        self._deaf = False

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Notifier | None:
        """By NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID; None where no manager listens."""
        address = environ.get("NOTIFY_SOCKET", "")
        if not address:
            return None
        limit, process = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
        wanted = limit.isdigit() and process in ("", str(os.getpid()))
        return cls(address, int(limit) / 2e6 if wanted else None)

    def say(self, **words: str) -> bool:
        """Send one message without waiting; False where the manager does not take it, which is told once in the log."""
        text = "\n".join(f"{key}={value}" for key, value in words.items())
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
                manager.setblocking(False)  # a manager that hangs, with a full queue, must not stop the loop
                manager.sendto(text.encode(), self._address)
        except OSError as error:
            if not self._deaf:
                log.warning("service manager not told", message=text, error=str(error))
            self._deaf = True
            return False
        self._deaf = False
        return True

    async def run(self, reasons: Callable[[], Awaitable[list[str]]]) -> None:
        """Keep the manager informed until cancelled. reasons: why the node is not ready, empty where it is."""
        async with contextlib.AsyncExitStack() as stack:
            if self.ping_seconds is not None:
                pinging = asyncio.create_task(self._keep_pinging(self.ping_seconds))
                stack.callback(pinging.cancel)
            ready, told = False, None
            while True:
                missing = await reasons()
                if not missing and not ready:
                    ready = self.say(READY="1")
                status = ("; ".join(missing) or "ready").replace("\n", " ")
                if status != told and self.say(STATUS=status):
                    told = status
                await asyncio.sleep(LOOK_SECONDS if not ready else 10 * LOOK_SECONDS)

    async def _keep_pinging(self, seconds: float) -> None:
        while True:
            self.say(WATCHDOG="1")
            await asyncio.sleep(seconds)


def say_stopping() -> None:
    """Tell the service manager, if there is one, that the end has begun."""
    manager = Notifier.from_environment()
    if manager is not None:
        manager.say(STOPPING="1")
