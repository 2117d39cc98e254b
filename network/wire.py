"""The trio side of a host: everything that touches libp2p while it runs, in the order in which it runs."""

from __future__ import annotations

import contextlib
import math
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import cast

import structlog
import trio
from libp2p.abc import INetStream
from libp2p.custom_types import TProtocol
from libp2p.host.exceptions import StreamFailure
from libp2p.peer.id import ID
from libp2p.protocol_muxer.exceptions import MultiselectCommunicatorError
from libp2p.stream_muxer.yamux.yamux import Yamux
from multiaddr import Multiaddr
from multiaddr.utils import get_thin_waist_addresses

from foedus.network import dialback
from foedus.network import swarm as swarms
from foedus.network.addresses import PeerAddress
from foedus.network.dialer import Dialer, resolve
from foedus.network.errors import (
    ListenFailed,
    PeerMisbehaved,
    PeerUnreachable,
    RequestRefused,
    RequestTimeout,
)
from foedus.network.gossip import Gossip
from foedus.network.keys import peer_id_of
from foedus.network.peers import Peers
from foedus.network.requests import Responder, ask, where
from foedus.network.stream import Stream
from foedus.protocol.ids import PeerId

log = structlog.get_logger(__name__)

PING = "/foedus/ping/1"
PING_EVERY = 15.0
PING_SECONDS = 20.0
"""A peer that answers nothing for so long is disconnected, and dialled again if it is in the book."""

HANG_UP_SECONDS = 3.0
StreamHandler = Callable[[Stream], Awaitable[None]]


class Wire:
    """A running libp2p host. Made before `run`; everything else is called while it runs, on the trio side."""

    def __init__(self, secret: bytes, listen: str) -> None:
        self.peers = Peers(peer_id_of(secret))
        self._host, self._swarm = swarms.build(secret, self.peers.blame)
        self._listen = listen
        self.gossip = Gossip(self._host, self._swarm, self.peers)
        self.dialer: Dialer
        self.addresses: tuple[str, ...] = ()

    async def run(self, ready: Callable[[], None]) -> None:
        """Listen, then serve until cancelled. Raises ListenFailed."""
        _probe(self._listen)
        self.peers.follow(self._swarm)
        self.serve(PING, Responder(PING, _pong, 0, 0, self.peers.blame).serve, 2)
        back = dialback.DialBack(self._known, self._knock).answer
        limits = dialback.REQUEST_LIMIT, dialback.MAX_ADDRESSES
        self.serve(dialback.PROTOCOL, Responder(dialback.PROTOCOL, back, *limits, self.peers.blame).serve, 1)
        async with self._host.run([]), trio.open_nursery() as nursery:
            nursery.start_soon(self.gossip.run)
            await self.gossip.up.wait()
            await self._swarm.listen(Multiaddr(self._listen))
            bound = [address for listener in self._swarm.listeners.values() for address in listener.get_addrs()]
            if not bound:
                raise ListenFailed(self._listen, "address refused by the transport")
            places = [place for address in bound for place in get_thin_waist_addresses(address)]  # 0.0.0.0 is all
            self.addresses = tuple(f"{place}/p2p/{self.peers.me}" for place in dict.fromkeys(map(str, places)))
            self.dialer = Dialer(self._swarm, self.peers, nursery)
            nursery.start_soon(self.peers.expel)
            nursery.start_soon(self._keep_alive)
            ready()
            await trio.sleep(math.inf)

    def serve(self, protocol: str, handler: StreamHandler, streams_per_peer: int) -> None:
        """Give every stream of `protocol` to `handler`; a peer's streams past the number are reset."""
        busy: Counter[PeerId] = Counter()

        async def handle(inner: INetStream) -> None:
            stream = Stream(inner, PeerId(inner.muxed_conn.peer_id.to_base58()))
            if self.peers.banned(stream.peer) or busy[stream.peer] >= streams_per_peer:
                await stream.reset()
                return
            busy[stream.peer] += 1
            try:
                await handler(stream)
            except (PeerUnreachable, trio.TooSlowError):
                await stream.reset()
            except PeerMisbehaved as error:
                self.peers.blame(error.peer, f"{protocol}: {error.reason}")
                await stream.reset()
            except Exception as error:
                log.error("stream handler failed", protocol=protocol, error=repr(error), at=where(error))
                await stream.reset()
            finally:
                busy[stream.peer] -= 1
                if not busy[stream.peer]:
                    del busy[stream.peer]

        self._host.set_stream_handler(TProtocol(protocol), handle)

    @contextlib.asynccontextmanager
    async def stream(self, peer: PeerId, protocol: str) -> AsyncIterator[Stream]:
        """A stream to the peer, reset unless the block ends well. Raises PeerUnreachable, RequestRefused."""
        if self.peers.banned(peer):
            raise PeerUnreachable(peer, f"banned: {self.peers.banned(peer)}")
        if not self.peers.is_connected(peer):
            if not self.dialer.knows(peer):
                raise PeerUnreachable(peer, "not connected, and no address is known")
            await self.peers.until(lambda: self.peers.is_connected(peer))
        try:
            stream = Stream(await self._host.new_stream(ID.from_string(peer), [TProtocol(protocol)]), peer)
        except StreamFailure as error:
            if error.__cause__ is not None and isinstance(error.__cause__.__cause__, MultiselectCommunicatorError):
                raise PeerUnreachable(peer, "the stream broke while its protocol was agreed on") from error
            raise RequestRefused(peer, protocol, "unsupported") from error
        except Exception as error:
            raise PeerUnreachable(peer, f"no stream: {type(error).__name__}") from error
        try:
            yield stream
        except PeerMisbehaved as error:
            self.peers.blame(error.peer, error.reason)
            await stream.reset()
            raise
        except BaseException:
            await stream.reset()
            raise

    async def request(self, peer: PeerId, protocol: str, payload: bytes, limit: int, timeout: float) -> bytes:
        """One request and its answer within `timeout` seconds, which include waiting for a known peer to connect."""
        with trio.move_on_after(timeout):
            async with self.stream(peer, protocol) as stream:
                return await ask(stream, protocol, payload, limit)
        if not self.peers.is_connected(peer):
            raise PeerUnreachable(peer, f"no connection within {timeout:g} s")
        self.peers.lapse(peer)
        raise RequestTimeout(peer, protocol, timeout)

    async def remove(self, peer: PeerId) -> None:
        """Forget the peer and disconnect it."""
        self.dialer.remove(peer)
        await self.peers.disconnect(peer)

    async def hang_up(self) -> None:
        """Stop dialling and listening, and close every connection, so that peers notice at once."""
        with trio.move_on_after(HANG_UP_SECONDS):
            self.dialer.clear()
            for listener in list(self._swarm.listeners.values()):
                await listener.close()
            async with trio.open_nursery() as nursery:
                for peer in self.peers.connected:
                    nursery.start_soon(self._swarm.close_peer, ID.from_string(peer))

    def _known(self, peer: PeerId) -> tuple[set[str], set[PeerAddress]]:
        """From where the peer is connected, and where the address book has it."""
        connections = self._swarm.get_connections(ID.from_string(peer))
        places = (cast(Yamux, connection.muxed_conn).get_remote_address() for connection in connections)
        return {place[0] for place in places if place is not None}, set(self.dialer.addresses(peer))

    async def _knock(self, address: PeerAddress) -> bool:
        for place in await resolve(address):
            await swarms.knock(self._swarm, place, ID.from_string(address.peer))
        return True

    async def _keep_alive(self) -> None:
        while True:
            await trio.sleep(PING_EVERY)
            self.peers.refresh()
            async with trio.open_nursery() as nursery:
                for peer in self.peers.connected:
                    nursery.start_soon(self._ping, peer)

    async def _ping(self, peer: PeerId) -> None:
        try:
            await self.request(peer, PING, b"", 0, PING_SECONDS)
        except (PeerMisbehaved, PeerUnreachable, RequestRefused):
            return
        except RequestTimeout:
            log.warning("peer silent", peer=peer, seconds=PING_SECONDS)
            await self.peers.disconnect(peer)


async def _pong(peer: PeerId, request: bytes) -> bytes:
    return b""


def _probe(listen: str) -> None:
    """Refuse a port that is taken: the transport binds with SO_REUSEPORT and would share it silently."""
    try:
        address = Multiaddr(listen)
        kind, place = next((p.name, str(v)) for p, v in address.items() if p.name in ("ip4", "ip6"))
        port = int(address.value_for_protocol("tcp"))
    except Exception as error:
        raise ListenFailed(listen, "not of the form /ip4/<address>/tcp/<port>") from error
    with socket.socket(socket.AF_INET if kind == "ip4" else socket.AF_INET6, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((place, port))
        except OSError as error:
            raise ListenFailed(listen, error.strerror or "bind failed") from error
