"""Whether others reach this node where the registry says that it is: peers are asked, the operator is told."""

from __future__ import annotations

import random
import time

import structlog

from foedus.network.dialback import ask
from foedus.network.errors import NetworkError
from foedus.network.host import Host

log = structlog.get_logger(__name__)

ASKED = 3
"""Peers that are asked, one after another, until one has reached this node."""

REACHED_SECONDS, UNREACHED_SECONDS, UNKNOWN_SECONDS = 1800.0, 150.0, 20.0
"""Until the next look: where somebody reached this node, where all who tried did not, and where nobody tried."""


class Reach:
    """unreached: why nobody reaches this node, and what to do; empty where somebody did, or nobody has tried yet."""

    def __init__(self, host: Host, places: tuple[str, ...]) -> None:
        self._host, self._places = host, places
        self._next = 0.0
        self.unreached = ""

    async def look(self) -> None:
        """Ask, where it is time to and somebody is connected."""
        peers = list(self._host.connected())
        if time.monotonic() < self._next or not peers:
            return
        tried = 0
        for peer in random.sample(peers, min(ASKED, len(peers))):
            try:
                found = await ask(self._host, peer, self._places)
            except NetworkError as error:
                log.debug("not dialled back", peer=peer, error=str(error))
                continue
            if any(found.values()):
                return self._say("", REACHED_SECONDS)
            tried += bool(found)
        if not tried:
            self._next = time.monotonic() + UNKNOWN_SECONDS
            return
        where = ", ".join(place.rpartition("/p2p/")[0] for place in self._places)
        self._say(
            f"none of {tried} peers that tried reaches this node at {where}: open and forward the port of `listen`, and"
            " set `announce` to the address that others see",
            UNREACHED_SECONDS,
        )

    def _say(self, unreached: str, seconds: float) -> None:
        if unreached and not self.unreached:
            log.warning("not reachable", why=unreached)
        elif self.unreached and not unreached:
            log.info("reachable again")
        self.unreached, self._next = unreached, time.monotonic() + seconds
