"""Who is connected now, and who is banned: followed from the swarm's notices, readable from any thread."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog
import trio
from libp2p.abc import INetConn, INetStream, INetwork, INotifee
from libp2p.network.swarm import Swarm
from libp2p.peer.id import ID
from multiaddr import Multiaddr

from foedus.network.errors import BadPeerId
from foedus.network.faults import FaultLog
from foedus.network.keys import parse_peer_id
from foedus.protocol.ids import PeerId

log = structlog.get_logger(__name__)


class Peers:
    """The swarm's peers. `connected` is replaced, never changed, so another thread may read it."""

    def __init__(self, me: PeerId) -> None:
        self.me = me
        self.connected: frozenset[PeerId] = frozenset()
        self.log = FaultLog()
        self._swarm: Swarm | None = None
        self._changed = trio.Event()
        self._expelled: list[PeerId] = []

    def follow(self, swarm: Swarm) -> None:
        """Begin to follow a swarm's connections."""
        self._swarm = swarm
        swarm.register_notifee(_Notices(self.refresh))

    def is_connected(self, peer: PeerId) -> bool:
        """Whether a connection to the peer is open."""
        return peer in self.connected

    def banned(self, peer: PeerId) -> str | None:
        """Why the peer is banned, or None."""
        return self.log.banned(peer, time.monotonic())

    def blame(self, peer: PeerId, reason: str) -> None:
        """Count a fault against the peer; the one that is too many bans and disconnects it."""
        log.warning("peer fault", peer=peer, reason=reason)
        if self.log.record(peer, reason, time.monotonic()):
            log.warning("peer banned", peer=peer, reason=reason)
            self._expelled.append(peer)
            self._notify()

    def lapse(self, peer: PeerId) -> None:
        """Prefer others to the peer for a while: it stalled, or could not be reached."""
        self.log.lapse(peer, time.monotonic())

    def score(self, peer: PeerId) -> float:
        """How the peer stands, 0 at best."""
        return self.log.score(peer, time.monotonic())

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds, looked at whenever a peer comes or goes."""
        while not condition():
            await self._changed.wait()

    async def expel(self) -> None:
        """Close the connections of the banned, for ever."""
        while True:
            await self.until(lambda: bool(self._expelled))
            await self.disconnect(self._expelled.pop())

    async def disconnect(self, peer: PeerId) -> None:
        """Close every connection to the peer."""
        if self._swarm is not None:
            await self._swarm.close_peer(ID.from_string(peer))
            self.refresh()

    def refresh(self) -> None:
        """Look at the swarm's connections again."""
        if self._swarm is None:
            return
        now = frozenset(
            PeerId(peer.to_base58())
            for peer, connections in self._swarm.connections.items()
            if any(not connection.is_closed for connection in connections)
        )
        for peer in now - self.connected:
            log.info("peer connected", peer=peer)
        for peer in self.connected - now:
            log.info("peer disconnected", peer=peer)
        unwelcome = [peer for peer in now - self.connected if self.banned(peer) or not _ed25519(peer)]
        if now != self.connected:
            self.connected = now
            self._expelled.extend(unwelcome)
            self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = trio.Event()


def _ed25519(peer: PeerId) -> bool:
    try:
        return parse_peer_id(peer) == peer
    except BadPeerId:
        return False


class _Notices(INotifee):
    def __init__(self, refresh: Callable[[], None]) -> None:
        self._refresh = refresh

    async def connected(self, network: INetwork, conn: INetConn) -> None:
        self._refresh()

    async def disconnected(self, network: INetwork, conn: INetConn) -> None:
        self._refresh()

    async def opened_stream(self, network: INetwork, stream: INetStream) -> None:
        return None

    async def closed_stream(self, network: INetwork, stream: INetStream) -> None:
        return None

    async def listen(self, network: INetwork, multiaddr: Multiaddr) -> None:
        return None

    async def listen_close(self, network: INetwork, multiaddr: Multiaddr) -> None:
        return None
