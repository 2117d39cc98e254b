"""Two RPC endpoints of one chain: one serves, the other is held against it, and takes over where it is down."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import structlog

from foedus.contracts.errors import ChainUnreachable, EndpointsDiffer
from foedus.contracts.rpc import Endpoint, Rpc

HEADS_APART = 5
"""Blocks by which the heads may differ: endpoints hear of a block at different moments."""
RETRY_SECONDS = 30.0
"""How long an endpoint that did not answer is not asked."""

log = structlog.get_logger(__name__)


class Endpoints:
    """Two endpoints. What either says alone is used only while the other is down, which is logged as a warning."""

    def __init__(self, first: Rpc, second: Rpc) -> None:
        self._both = (first, second)
        self._down_until = {first: 0.0, second: 0.0}

    @property
    def place(self) -> str:
        """Both places."""
        return " and ".join(rpc.place for rpc in self._both)

    async def call(self, method: str, *parameters: object) -> Any:
        """The result from the first endpoint that answers. Raises RpcFault, or ChainUnreachable where neither does."""
        for rpc in self._up():
            try:
                return await self._ask(rpc, method, *parameters)
            except ChainUnreachable as error:
                failure = error
        raise ChainUnreachable(self.place, failure.reason)

    async def number(self, method: str, *parameters: object) -> int:
        """The result of a method that answers with a quantity."""
        return int(await self.call(method, *parameters), 16)

    async def close(self) -> None:
        """Close the connections of both."""
        for rpc in self._both:
            await rpc.close()

    async def require_same(
        self, what: str, method: str, *parameters: object, said: Callable[[Any], object] = lambda answer: answer
    ) -> None:
        """Raise EndpointsDiffer where the answers differ in what is `said`; an endpoint that is down is passed over."""
        answers = await self._answers(method, *parameters)
        if len(answers) == 2:
            (first, one), (second, other) = ((rpc.place, said(found)) for rpc, found in answers)
            if one != other:
                raise EndpointsDiffer(what, (first, one), (second, other))

    async def require_heads_together(self) -> None:
        """Raise EndpointsDiffer where one head is more than HEADS_APART blocks ahead of the other."""
        answers = [(rpc.place, int(found, 16)) for rpc, found in await self._answers("eth_blockNumber")]
        if len(answers) == 2 and abs(answers[0][1] - answers[1][1]) > HEADS_APART:
            raise EndpointsDiffer("the number of the head", *answers)

    async def lowest_head(self, tag: str = "latest") -> int:
        """The block that every endpoint that answers has reached. Raises ChainUnreachable where none does."""
        answers = [found for _, found in await self._answers("eth_getBlockByNumber", tag, False) if found is not None]
        if not answers:
            raise ChainUnreachable(self.place, f"neither has a {tag} block")
        return min(int(found["number"], 16) for found in answers)

    async def _answers(self, method: str, *parameters: object) -> list[tuple[Rpc, Any]]:
        found = []
        for rpc in self._both:
            if rpc in self._up():
                try:
                    found.append((rpc, await self._ask(rpc, method, *parameters)))
                except ChainUnreachable:
                    continue
        return found

    def _up(self) -> list[Rpc]:
        """Those to ask, the first first; both where both are down."""
        now = time.monotonic()
        return [rpc for rpc in self._both if now >= self._down_until[rpc]] or list(self._both)

    async def _ask(self, rpc: Rpc, method: str, *parameters: object) -> Any:
        try:
            answer = await rpc.call(method, *parameters)
        except ChainUnreachable as error:
            self._down_until[rpc] = time.monotonic() + RETRY_SECONDS
            log.warning("endpoint down, the other serves alone", rpc=rpc.place, error=str(error))
            raise
        self._down_until[rpc] = 0.0
        return answer


def endpoint_of(urls: Sequence[str], timeout: float) -> Endpoint:
    """One endpoint, or two held against each other; timeout: seconds each has for an answer."""
    if len(urls) > 2:
        raise ValueError(f"{len(urls)} RPC endpoints: one, or two that are held against each other")
    made = [Rpc(url.strip(), timeout) for url in urls]
    return made[0] if len(made) == 1 else Endpoints(*made)
