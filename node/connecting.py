"""Waiting for the chain: at a daemon's start, and whenever it cannot be relied on later."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog
from eth_account.signers.local import LocalAccount

from foedus.contracts.deployment import Deployment
from foedus.contracts.errors import ChainUnreachable, EndpointsDiffer, HeadImplausible, LogsIncoherent, LogsMissing
from foedus.network.kubo_rpc import KuboError
from foedus.node.config import Config
from foedus.node.tally import CountedLedger
from foedus.node.vitals import Vitals

log = structlog.get_logger(__name__)

LONGEST_WAIT = 15.0
"""Seconds between tries of a chain that does not answer."""

PASSING = (ChainUnreachable, EndpointsDiffer, HeadImplausible, LogsMissing, LogsIncoherent, KuboError)
"""What is wrong with the chain now, or with the IPFS daemon that keeps the blocks, and may not be at the next look.
Nothing is made of what was read."""


class Wait:
    """How long one loop of the daemon rests: `seconds`, and twice as long after each failure."""

    def __init__(self, vitals: Vitals, seconds: float) -> None:
        self.seconds = self._usual = seconds
        self._vitals = vitals

    def lengthen(self, error: Exception) -> None:
        """Rest longer because of one of PASSING, which is logged once while any loop meets its kind."""
        met = self._vitals.troubles.values()
        if type(error) not in map(type, met):
            log.warning(f"waiting for the {_source(error)}", error=str(error))
        self._vitals.troubles[self], self._vitals.waiting = error, str(error)
        self.seconds = min(2 * self.seconds, LONGEST_WAIT)

    def end(self) -> None:
        """Rest as usual; said once no loop is kept waiting any more."""
        self.seconds = self._usual
        if (last := self._vitals.troubles.pop(self, None)) is not None:
            self._vitals.waiting = " ".join(map(str, list(self._vitals.troubles.values())[:1]))
            if not self._vitals.troubles:
                log.info(f"{_source(last)} reached again")


def _source(trouble: Exception) -> str:
    return "IPFS daemon" if isinstance(trouble, KuboError) else "chain"


async def connect_patiently(
    config: Config, deployment: Deployment, signer: LocalAccount, vitals: Vitals, stop: asyncio.Event
) -> CountedLedger | None:
    """Connect to the chain, waiting while it cannot be reached; None where `stop` comes first. Raises WrongChain."""
    pause = 0.5
    while not stop.is_set():
        try:
            vitals.ledger = await CountedLedger.connect(config.rpc, deployment, signer, config.confirmations)
            vitals.waiting = ""
            return vitals.ledger
        except ChainUnreachable as error:
            vitals.waiting = str(error)
            log.warning("waiting for the chain", error=str(error))
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)
            pause = min(2 * pause, LONGEST_WAIT)
    return None
