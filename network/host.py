"""This node's place in the network, as the rest of Foedus calls it: asyncio outside, libp2p on trio inside.

One host is one thread, one Ed25519 node key and one listen address. Connections are TCP, Noise and yamux; a peer that
offers anything else is refused. Peers are named by the ids that Noise proved.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from foedus.network.addresses import parse_address
from foedus.network.errors import BadAddress, HostStopped, TooLarge
from foedus.network.keys import parse_peer_id, peer_id_of
from foedus.network.portal import Portal
from foedus.protocol.ids import PeerId

if TYPE_CHECKING:
    from foedus.network.stream import Stream
    from foedus.network.wire import Wire

log = structlog.get_logger(__name__)
T = TypeVar("T")

RESPONSE_LIMIT = 1 << 20
STREAMS_PER_PEER = 24
"""Streams of one request protocol that a peer may have open; what exceeds the requests under way hears `busy`."""

Handler = Callable[[PeerId, bytes], Awaitable[bytes]]


class Host:
    """A running host. Make it with `start`, end it with `stop`; `async with await Host.start(...)` does both."""

    def __init__(self, wire: Wire, portal: Portal) -> None:
        self._wire, self._portal = wire, portal
        self.peer_id: PeerId = wire.peers.me
        self.addresses: tuple[str, ...] = wire.addresses

    @classmethod
    async def start(cls, secret: bytes, listen: str = "/ip4/127.0.0.1/tcp/0") -> Host:
        """Start with the 32-byte node secret and wait until it listens. Raises ListenFailed."""
        peer_id_of(secret)
        from foedus.network.wire import Wire  # 50 MB of libp2p, for those who start a host

        wires: list[Wire] = []

        async def body(ready: Callable[[], None]) -> None:
            wires.append(Wire(secret, listen))
            await wires[0].run(ready)

        portal = await Portal.open(body)
        host = cls(wires[0], portal)
        portal.ended.add_done_callback(
            lambda ended: ended.result() and log.error("network ended", error=repr(ended.result()))
        )
        log.info("network started", peer=host.peer_id, addresses=host.addresses)
        return host

    def add_peer(self, address: str) -> None:
        """Keep the peer at this multiaddr connected from now on. Raises BadAddress."""
        parsed = parse_address(address)
        self._portal.post(lambda: self._wire.dialer.add(parsed))

    def drop_address(self, address: str) -> None:
        """Dial there no longer; a peer that had no other address is not dialled at all. Connections stay."""
        with contextlib.suppress(BadAddress):
            parsed = parse_address(address)
            self._portal.post(lambda: self._wire.dialer.drop(parsed))

    def remove_peer(self, peer: PeerId) -> None:
        """Stop dialling the peer and close its connections."""
        self._portal.spawn(self._wire.remove, parse_peer_id(peer))

    def connected(self) -> frozenset[PeerId]:
        """The peers connected now."""
        return self._wire.peers.connected

    def banned(self, peer: PeerId) -> str | None:
        """Why the peer is banned, or None where it is not."""
        return self._wire.peers.banned(peer)

    def faults(self, peer: PeerId) -> tuple[str, ...]:
        """What the peer did wrong lately, oldest first."""
        return tuple(fault.reason for fault in self._wire.peers.log.faults(peer))

    def troubles(self) -> tuple[int, int]:
        """(faults of all peers since the start, peers banned now)."""
        return self._wire.peers.log.total, self._wire.peers.log.bans(time.monotonic())

    def score(self, peer: PeerId) -> float:
        """How the peer stands with this node, over all protocols: 0 at best, lower with every fault and every stall."""
        return self._wire.peers.score(peer)

    def worst(self, count: int) -> list[tuple[PeerId, float, str]]:
        """The peers that stand lowest: each with its score and what it did last."""
        return self._wire.peers.log.worst(time.monotonic(), count)

    def blame(self, peer: PeerId, reason: str) -> None:
        """Count a fault that the caller found against the peer; ten in quick succession ban it for fifteen minutes."""
        self._portal.post(self._wire.peers.blame, peer, reason)

    def lapse(self, peer: PeerId) -> None:
        """Prefer others to the peer for a while: it stalled. Nobody is banned for that."""
        self._portal.post(self._wire.peers.lapse, peer)

    def serve(self, protocol: str, handler: Handler, request_limit: int, response_limit: int = RESPONSE_LIMIT) -> None:
        """Answer requests of `protocol` with `await handler(peer, request)`; limits in bytes.

        The handler runs in asyncio's loop. It refuses by raising Refused(code), or Garbage(code) where the request
        itself is a fault; any other exception is logged here and reaches the requester as the code `internal`.
        """
        from foedus.network.requests import Responder

        async def answer(peer: PeerId, request: bytes) -> bytes:
            return await self._portal.call_back(handler, peer, request)

        responder = Responder(protocol, answer, request_limit, response_limit, self._wire.peers.blame)
        self._wire.serve(protocol, responder.serve, STREAMS_PER_PEER)

    async def request(
        self, peer: PeerId, protocol: str, payload: bytes, response_limit: int = RESPONSE_LIMIT, timeout: float = 30.0
    ) -> bytes:
        """Ask a peer; the answer is at most `response_limit` bytes and comes within `timeout` seconds.

        A peer in the address book that is not connected is waited for. Raises PeerUnreachable, RequestRefused,
        RequestTimeout, PeerMisbehaved.
        """
        return await self._portal.call(self._wire.request, peer, protocol, payload, response_limit, timeout)

    async def publish(self, topic: str, message: bytes) -> None:
        """Gossip a hint to a topic's listeners: lossy, under 10 KB. Raises TooLarge."""
        from foedus.network.gossip import MESSAGE_LIMIT

        if len(message) >= MESSAGE_LIMIT:
            raise TooLarge("gossip message", len(message), MESSAGE_LIMIT - 1)
        await self._portal.call(self._wire.gossip.publish, topic, message)

    async def subscribe(self, topic: str, handler: Callable[[PeerId, bytes], Awaitable[None]]) -> None:
        """Call `await handler(author, message)` for every hint of the topic that arrives, this node's own included.

        One at a time; what the handler raises is logged. The author signed the message.
        """

        async def deliver(author: PeerId, message: bytes) -> None:
            await self._portal.call_back(handler, author, message)

        await self._portal.call(self._wire.gossip.subscribe, topic, deliver)

    def serve_streams(self, protocol: str, handler: Callable[[Stream], Awaitable[None]], streams_per_peer: int) -> None:
        """Give whole streams of `protocol` to a handler that runs on the trio side: for bulk, as in `blocks`."""
        self._wire.serve(protocol, handler, streams_per_peer)

    async def on_wire(self, fn: Callable[..., Awaitable[T]], *args: Any) -> T:
        """Await `fn(wire, *args)` on the trio side: for bulk, as in `blocks`."""
        return await self._portal.call(fn, self._wire, *args)

    async def stop(self) -> None:
        """Close every connection and end the thread. Safe to call again."""
        with contextlib.suppress(HostStopped):
            await self._portal.call(self._wire.hang_up)
        await self._portal.close()
        log.info("network stopped", peer=self.peer_id)

    async def wait_stopped(self) -> None:
        """Return when the host was stopped; raises HostStopped where it ended by itself."""
        failure = await asyncio.shield(self._portal.ended)
        if failure is not None:
            raise HostStopped(repr(failure)) from failure

    async def __aenter__(self) -> Host:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
