"""Can others reach this node where it says that it is? A connected peer is asked to dial it there.

Request: at most 8 addresses of the asker, one a line. Answer: a byte for each, 0 nobody there, 1 the asker is there,
2 not dialled. A peer dials only the address from which the asker is connected, and those that it keeps connected
anyway: nobody is sent to a stranger's door. Like all that peers say, an answer may be a lie: it is for the operator,
and nothing rests on it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import structlog
import trio

from foedus.network.addresses import PeerAddress, parse_address
from foedus.network.errors import BadAddress, Garbage, PeerMisbehaved, Refused
from foedus.protocol.ids import PeerId

if TYPE_CHECKING:
    from foedus.network.host import Host

log = structlog.get_logger(__name__)

PROTOCOL = "/foedus/dialback/1"
REQUEST_LIMIT = 4096
MAX_ADDRESSES = 8
AGAIN_SECONDS = 60.0
"""A peer is dialled back once in so long."""

ASKERS = 64
"""Peers dialled back within that time; more are refused."""

AT_ONCE = 2
DIAL_SECONDS = 5.0
ANSWER_SECONDS = 60.0
NOBODY, THERE, NOT_DIALLED = 0, 1, 2

Knock = Callable[[PeerAddress], Awaitable[bool]]


class DialBack:
    """Answers on the trio side. known: where a peer is by its connection (IP addresses), and by the address book."""

    def __init__(self, known: Callable[[PeerId], tuple[set[str], set[PeerAddress]]], knock: Knock) -> None:
        self._known, self._knock = known, knock
        self._asked: dict[PeerId, float] = {}
        self._turns = trio.CapacityLimiter(AT_ONCE)

    async def answer(self, peer: PeerId, request: bytes) -> bytes:
        """One byte an address. Raises Refused, Garbage."""
        now = trio.current_time()
        self._asked = {each: at for each, at in self._asked.items() if at > now - AGAIN_SECONDS}
        if peer in self._asked or len(self._asked) >= ASKERS:
            raise Refused("too-often")
        try:
            addresses = [parse_address(line) for line in request.decode("ascii").split("\n")]
        except (BadAddress, UnicodeDecodeError) as error:
            raise Garbage("not-addresses") from error
        if len(addresses) > MAX_ADDRESSES or any(address.peer != peer for address in addresses):
            raise Garbage("not-yours")
        self._asked[peer] = now
        hosts, book = self._known(peer)
        async with self._turns:
            return bytes([await self._try(each, each.host in hosts or each in book) for each in addresses])

    async def _try(self, address: PeerAddress, allowed: bool) -> int:
        if not allowed:
            return NOT_DIALLED
        try:
            with trio.fail_after(DIAL_SECONDS):
                return THERE if await self._knock(address) else NOBODY
        except Exception as error:
            log.debug("asker not reached", address=str(address), error=repr(error))
            return NOBODY


async def ask(host: Host, peer: PeerId, addresses: tuple[str, ...]) -> dict[str, bool]:
    """Whether the peer reached this node at each of its addresses; without those that it did not dial.

    Raises what Host.request raises.
    """
    mine = addresses[:MAX_ADDRESSES]
    answer = await host.request(peer, PROTOCOL, "\n".join(mine).encode(), MAX_ADDRESSES, ANSWER_SECONDS)
    if len(answer) != len(mine):
        raise PeerMisbehaved(peer, f"{PROTOCOL}: {len(answer)} answers to {len(mine)} addresses")
    return {address: said == THERE for address, said in zip(mine, answer, strict=True) if said != NOT_DIALLED}
