"""Seeing one call through: whichever of its versions is mined counts, and one that is stuck is replaced by the next."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from foedus.contracts.errors import (
    BalanceTooLow,
    ChainUnreachable,
    FeeCapReached,
    FeeTooLow,
    LedgerError,
    NonceTaken,
    NotMined,
    RpcFault,
)
from foedus.contracts.nonces import SignedCall
from foedus.contracts.receipts import Receipt, is_known
from foedus.contracts.rpc import Endpoint

if TYPE_CHECKING:
    from foedus.contracts.sender import Sender

POLL_SECONDS = 0.2
POLLS_A_LOOK = 10
"""Polls between two looks at why there is no receipt."""


class Delivery:
    """One call on its way. All its versions have one nonce, so that the chain can take only one of them."""

    def __init__(
        self, sender: Sender, rpc: Endpoint, versions: Sequence[SignedCall], keep: Callable[[SignedCall], None]
    ) -> None:
        self._sender, self._rpc, self._keep = sender, rpc, keep
        self._versions = list(versions)
        self._hindrance: LedgerError | None = None
        self._since = (time.monotonic(), -1)

    async def run(self, timeout: float) -> Receipt:
        """The receipt of the version that is mined, whatever its status, see `Sender.see_through`."""
        deadline = time.monotonic() + timeout
        await self._start()
        polls = 0
        while True:
            receipt, confirmed = await self._sender.mined(self._versions)
            if receipt is not None and confirmed:
                return receipt
            if time.monotonic() >= deadline:
                raise self._hindrance or NotMined(self._versions[-1].hash, timeout)
            await asyncio.sleep(POLL_SECONDS)
            polls += 1
            if receipt is None and polls % POLLS_A_LOOK == 0:
                await self._look()

    async def _start(self) -> None:
        try:
            await self._sender.broadcast(self._versions[-1])
        except NonceTaken:
            receipt, _ = await self._sender.mined(self._versions)
            if receipt is None and not await self._any_waits():
                raise
        except FeeTooLow:
            if not self._sender.hold(self._versions[-1]):
                raise NonceTaken(self._versions[-1].nonce, self._versions[-1].hash) from None
            await self._raise_fee()
        self._since = (time.monotonic(), await self._rpc.number("eth_blockNumber"))

    async def _look(self) -> None:
        """Why is there no receipt? A version that the node forgot goes out again; one that is stuck gets a new fee."""
        newest = self._versions[-1]
        nonce = await self._sender.next_nonce()
        if nonce < newest.nonce and await is_known(self._rpc, newest.hash):
            return  # an earlier transaction of the account is what holds this one up
        rules, (began, block) = self._sender.rules, self._since
        passed = await self._rpc.number("eth_blockNumber") - block
        if nonce == newest.nonce and time.monotonic() - began >= rules.seconds and passed >= rules.blocks:
            await self._raise_fee()
        elif not await is_known(self._rpc, newest.hash):
            await self._again(newest)

    async def _again(self, newest: SignedCall) -> None:
        try:
            await self._sender.replace(newest)
        except FeeTooLow:
            await self._raise_fee()
        except NonceTaken:
            receipt, _ = await self._sender.mined(self._versions)
            if receipt is None and not await self._any_waits():
                raise

    async def _any_waits(self) -> bool:
        for version in self._versions:
            if await is_known(self._rpc, version.hash):
                return True
        return False

    async def _raise_fee(self) -> None:
        """Sign, write down and send a version that offers more; what stands in the way is told at the deadline.

        Raises NonceTaken where what waits under the nonce is another program's: nobody else's call is pushed out.
        """
        newest = self._versions[-1]
        if not await self._any_waits() and await self._sender.next_nonce("pending") > newest.nonce:
            raise NonceTaken(newest.nonce, newest.hash)
        try:
            made = await self._sender.replacement(newest)
        except (FeeCapReached, BalanceTooLow) as error:
            self._hindrance = error
            return
        self._hindrance = None
        self._keep(made)
        self._versions.append(made)
        self._since = (time.monotonic(), await self._rpc.number("eth_blockNumber"))
        try:
            await self._sender.replace(made)
        except (NonceTaken, ChainUnreachable, RpcFault) as error:
            self._hindrance = error  # an older version may still be mined, and the next look sends this one again
