"""The address book, kept connected: one task a peer, which dials again for as long as the peer is in the book.

libp2p caches a failed dial for 60 s and tries one address of a kind; this loop dials every address in turn, itself,
waits 0.2 s, then twice as long each time up to 5 s, and lifts the cache.
"""

from __future__ import annotations

import random
import socket

import structlog
import trio
from libp2p.network.swarm import Swarm
from libp2p.peer.id import ID
from multiaddr import Multiaddr

from foedus.network.addresses import PeerAddress
from foedus.network.peers import Peers
from foedus.network.swarm import DIAL_SECONDS
from foedus.protocol.ids import PeerId

log = structlog.get_logger(__name__)

FIRST_WAIT = 0.2
LONGEST_WAIT = 5.0
YIELD_WAIT = 0.3
"""Seconds by which the peer with the larger id dials later, so that two who know each other open one connection."""

MAX_ADDRESSES = 8
"""Addresses kept for a peer: the newest. They are tried in that order too."""

MAX_PEERS = 4096
"""Peers in the book; more are not dialled."""

DIALS = 16
"""Dials at a time; the others wait for their turn."""


class Dialer:
    """Runs in `nursery`; `add` and `remove` are called on the trio side."""

    def __init__(self, swarm: Swarm, peers: Peers, nursery: trio.Nursery) -> None:
        self._swarm, self._peers, self._nursery = swarm, peers, nursery
        self._book: dict[PeerId, list[PeerAddress]] = {}
        self._tasks: dict[PeerId, trio.CancelScope] = {}
        self._turns = trio.CapacityLimiter(DIALS)

    def add(self, address: PeerAddress) -> None:
        """Keep the address's peer connected from now on."""
        if address.peer == self._peers.me:
            return
        if address.peer not in self._book and len(self._book) >= MAX_PEERS:
            log.warning("book of peers full", peer=address.peer, peers=MAX_PEERS)
            return
        known = self._book.setdefault(address.peer, [])
        if address in known:
            known.remove(address)
        known.insert(0, address)
        del known[MAX_ADDRESSES:]
        if address.peer not in self._tasks:
            self._tasks[address.peer] = trio.CancelScope()
            self._nursery.start_soon(self._keep, address.peer, self._tasks[address.peer])

    def drop(self, address: PeerAddress) -> None:
        """Forget one address, and the peer with its last one."""
        known = self._book.get(address.peer, [])
        if address in known:
            known.remove(address)
            if not known:
                self.remove(address.peer)

    def remove(self, peer: PeerId) -> None:
        """Forget the peer's addresses and stop dialling it."""
        self._book.pop(peer, None)
        if peer in self._tasks:
            self._tasks.pop(peer).cancel()

    def clear(self) -> None:
        """Forget everyone."""
        for peer in tuple(self._book):
            self.remove(peer)

    def knows(self, peer: PeerId) -> bool:
        """Whether the peer is in the book."""
        return peer in self._book

    async def _keep(self, peer: PeerId, scope: trio.CancelScope) -> None:
        with scope:
            if self._peers.me > peer:
                await trio.sleep(YIELD_WAIT)
            wait = FIRST_WAIT
            while True:
                if self._peers.is_connected(peer) or (not self._peers.banned(peer) and await self._dial(peer)):
                    wait = FIRST_WAIT
                    await self._peers.until(lambda: not self._peers.is_connected(peer))
                await trio.sleep(wait * random.uniform(0.8, 1.2))
                wait = min(2 * wait, LONGEST_WAIT)

    def addresses(self, peer: PeerId) -> tuple[PeerAddress, ...]:
        """The peer's addresses in the book, the newest first."""
        return tuple(self._book.get(peer, ()))

    async def _dial(self, peer: PeerId) -> bool:
        target = ID.from_string(peer)
        for address in self.addresses(peer):
            try:
                async with self._turns:
                    with trio.fail_after(DIAL_SECONDS):
                        for place in await resolve(address):
                            await self._swarm.dial_addr(place, target)
                            if self._peers.is_connected(peer):
                                return True
            except Exception as error:
                log.debug("dial failed", address=str(address), error=repr(error))
            finally:
                self._swarm.unblock_peer(target)
        if self._peers.is_connected(peer):
            return True
        self._peers.lapse(peer)
        return False


async def resolve(address: PeerAddress) -> list[Multiaddr]:
    """Where the address is by IP. Raises OSError where its name has none."""
    if address.kind in ("ip4", "ip6"):
        return [Multiaddr(f"/{address.kind}/{address.host}/tcp/{address.port}")]
    family = {"dns4": socket.AF_INET, "dns6": socket.AF_INET6}.get(address.kind, socket.AF_UNSPEC)
    found = await trio.socket.getaddrinfo(address.host, address.port, family, socket.SOCK_STREAM)
    kinds = {socket.AF_INET: "ip4", socket.AF_INET6: "ip6"}
    return [
        Multiaddr(f"/{kinds[kind]}/{place[0]}/tcp/{address.port}") for kind, _, _, _, place in found if kind in kinds
    ]
