"""JSON-RPC to a chain over HTTP (web3's provider), with its failures told apart: nobody there, or a refusal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientResponseError, ClientTimeout
from web3 import AsyncHTTPProvider
from web3.types import RPCEndpoint

from foedus.contracts.errors import ChainUnreachable, RpcFault

TIMEOUT_SECONDS = 30.0
PATIENCE_SECONDS = 60.0
"""How long a call waits in all for an endpoint that says it is asked too often."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 15.0
_TOO_OFTEN = (429, 503)


class Endpoint(Protocol):
    """Who answers JSON-RPC: one endpoint, or two that are held against each other.

    `place` names it for people; `call` and `number` raise ChainUnreachable and RpcFault.
    """

    @property
    def place(self) -> str: ...
    async def call(self, method: str, *parameters: object) -> Any: ...
    async def number(self, method: str, *parameters: object) -> int: ...
    async def close(self) -> None: ...


class Rpc:
    """One HTTP endpoint. Not safe to share between event loops.

    `place` is where it is, without the path and the user, which are often a provider's secret key.
    """

    def __init__(self, url: str, timeout: float = TIMEOUT_SECONDS, patience: float = PATIENCE_SECONDS) -> None:
        self._patience = patience
        parts = urlsplit(url)
        self.place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        options = {"timeout": ClientTimeout(total=timeout)}
        self._provider = AsyncHTTPProvider(url, request_kwargs=options, exception_retry_configuration=None)

    async def call(self, method: str, *parameters: object) -> Any:
        """The result of a method. Raises ChainUnreachable, or RpcFault with the node's error.

        An endpoint that is asked too often (HTTP 429, or 503 with Retry-After) is asked again when it says, or after a
        pause that doubles.
        """
        deadline, pause = time.monotonic() + self._patience, _FIRST_PAUSE
        while True:
            try:
                answer = await self._provider.make_request(RPCEndpoint(method), list(parameters))
                break
            except ClientResponseError as error:
                wait = _wait(error.headers or {}, pause if error.status == _TOO_OFTEN[0] else None)
                if error.status not in _TOO_OFTEN or wait is None or time.monotonic() + wait > deadline:
                    raise ChainUnreachable(self.place, f"HTTP status {error.status}") from None
            except (TimeoutError, ClientError, OSError, ValueError) as error:
                raise ChainUnreachable(self.place, getattr(error, "strerror", None) or type(error).__name__) from None
            await asyncio.sleep(wait)
            pause = min(2 * pause, _LONGEST_PAUSE)
        if fault := answer.get("error"):
            raise _fault(method, fault)
        if "result" not in answer:
            raise ChainUnreachable(self.place, "the answer is not JSON-RPC")
        return answer["result"]

    async def number(self, method: str, *parameters: object) -> int:
        """The result of a method that answers with a quantity."""
        return int(await self.call(method, *parameters), 16)

    async def close(self) -> None:
        """Close the connections."""
        await self._provider.disconnect()


def _wait(headers: Mapping[str, str], otherwise: float | None) -> float | None:
    """Seconds to wait, by Retry-After (RFC 9110, section 10.2.3: seconds or a date)."""
    said = headers.get("Retry-After", "")
    if said.isdecimal():
        return float(said)
    try:
        at = parsedate_to_datetime(said)
    except ValueError:
        return otherwise
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _fault(method: str, fault: object) -> RpcFault:
    if not isinstance(fault, dict):
        return RpcFault(method, 0, str(fault), b"")
    data = fault.get("data")
    if isinstance(data, dict):
        data = data.get("data")
    found = bytes.fromhex(data[2:]) if isinstance(data, str) and data.startswith("0x") and len(data) % 2 == 0 else b""
    return RpcFault(method, int(fault.get("code", 0)), str(fault.get("message", "")), found)
