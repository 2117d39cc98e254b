"""JSON-RPC to a chain over HTTP (web3's provider), with its failures told apart: nobody there, or a refusal."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientResponseError, ClientTimeout
from web3 import AsyncHTTPProvider
from web3.types import RPCEndpoint

from foedus.contracts.errors import ChainUnreachable, RpcFault

TIMEOUT_SECONDS = 30.0


class Rpc:
    """One HTTP endpoint. Not safe to share between event loops.

    `place` is where it is, without the path and the user, which are often a provider's secret key.
    """

    def __init__(self, url: str, timeout: float = TIMEOUT_SECONDS) -> None:
        parts = urlsplit(url)
        self.place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        options = {"timeout": ClientTimeout(total=timeout)}
        self._provider = AsyncHTTPProvider(url, request_kwargs=options, exception_retry_configuration=None)

    async def call(self, method: str, *parameters: object) -> Any:
        """The result of a method. Raises ChainUnreachable, or RpcFault with the node's error."""
        try:
            answer = await self._provider.make_request(RPCEndpoint(method), list(parameters))
        except ClientResponseError as error:
            raise ChainUnreachable(self.place, f"HTTP status {error.status}") from None
        except (TimeoutError, ClientError, OSError, ValueError) as error:
            raise ChainUnreachable(self.place, getattr(error, "strerror", None) or type(error).__name__) from None
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


def _fault(method: str, fault: object) -> RpcFault:
    if not isinstance(fault, dict):
        return RpcFault(method, 0, str(fault), b"")
    data = fault.get("data")
    if isinstance(data, dict):
        data = data.get("data")
    found = bytes.fromhex(data[2:]) if isinstance(data, str) and data.startswith("0x") and len(data) % 2 == 0 else b""
    return RpcFault(method, int(fault.get("code", 0)), str(fault.get("message", "")), found)
