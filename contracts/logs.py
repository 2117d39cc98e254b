"""Reading a chain's logs page by page, and where in the chain each of them stands."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from foedus.contracts.endpoints import Endpoints
from foedus.contracts.errors import RpcFault
from foedus.contracts.rpc import Endpoint
from foedus.contracts.soundness import logs_digest
from foedus.protocol.events import LogPoint
from foedus.protocol.ids import Address, Hash32, Timestamp

PAGE_BLOCKS = 5_000
"""Blocks asked for in one eth_getLogs; halved where a node refuses so many."""


class LogReader:
    """One endpoint's logs. page: how many blocks are asked for at once; it remembers the times of their blocks."""

    def __init__(self, rpc: Endpoint, page: int = PAGE_BLOCKS) -> None:
        self.page = page
        self._rpc = rpc
        self._times: dict[str, Timestamp] = {}

    async def read(
        self, first: int, last: int, *, address: Address, topics: Sequence[str] = (), checked: bool = False
    ) -> AsyncIterator[dict[str, Any]]:
        """Logs of a contract in chain order; a page that a node refuses is halved.

        checked: two endpoints must give the same, else EndpointsDiffer. Raises RpcFault where one block is refused.
        """
        while first <= last:
            end = min(last, first + self.page - 1)
            span = {"fromBlock": hex(first), "toBlock": hex(end), "address": address, "topics": list(topics)}
            try:
                if checked and isinstance(self._rpc, Endpoints):
                    about = f"what {address} said in blocks {first} to {end}"
                    await self._rpc.require_same(about, "eth_getLogs", span, said=logs_digest)
                page = await self._rpc.call("eth_getLogs", span)
            except RpcFault:
                if end == first:
                    raise
                self.page = max(1, (end - first + 1) // 2)
                continue
            for log in page:
                yield log
            first = end + 1

    async def point(self, log: dict[str, Any]) -> LogPoint:
        """Block, index and time of a log. Raises LookupError where its block left the chain."""
        block = log["blockHash"]
        if block not in self._times:
            if "blockTimestamp" in log:
                stamp = log["blockTimestamp"]
            else:
                found = await self._rpc.call("eth_getBlockByHash", block, False)
                if found is None:
                    raise LookupError(f"block {block} left the chain while its logs were read: read them again")
                stamp = found["timestamp"]
            self._times[block] = Timestamp(int(stamp, 16))
        return LogPoint(int(log["blockNumber"], 16), int(log["logIndex"], 16), hash_of(block), self._times[block])


def hash_of(text: str) -> Hash32:
    """A hash as JSON-RPC writes it."""
    return Hash32(bytes.fromhex(text[2:]))
