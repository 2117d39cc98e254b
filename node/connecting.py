"""Reaching the chain at a daemon's start, however long that takes."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog
from eth_account.signers.local import LocalAccount

from foedus.contracts.deployment import Deployment
from foedus.contracts.errors import ChainUnreachable
from foedus.node.config import Config
from foedus.node.tally import CountedLedger
from foedus.node.vitals import Vitals

log = structlog.get_logger(__name__)

LONGEST_WAIT = 15.0
"""Seconds between tries of a chain that does not answer."""


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
            log.warning("waiting for the chain", rpc=config.rpc, error=str(error))
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)
            pause = min(2 * pause, LONGEST_WAIT)
    return None
