"""A libp2p host with the doors that Foedus wants shut: Noise alone, yamux alone, TCP alone, everything bounded.

py-libp2p 0.8.1, found by trying: its default host also accepts plaintext; it dials whatever addresses its peers
claim; a slot of its inbound limit is never given back; an exception in a stream handler ends the whole swarm; a
stream's receive buffer has no bound; its logging calls install a root handler; what it knows of a peer it keeps when
the peer is gone; of two connections to a peer it uses the older one, which may be dead. Each is mended here, and
nowhere else.
"""

from __future__ import annotations

import ipaddress
import logging
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, cast

import trio
from libp2p.abc import IMuxedConn, INetStream
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_noise_key
from libp2p.custom_types import TProtocol
from libp2p.host.basic_host import BasicHost
from libp2p.io.abc import ReadWriteCloser
from libp2p.io.exceptions import IOException
from libp2p.network.auto_connector import AutoConnector
from libp2p.network.config import ConnectionConfig, RetryConfig
from libp2p.network.connection.exceptions import RawConnError
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.network.connection.swarm_connection import SwarmConn
from libp2p.network.stream.exceptions import StreamError
from libp2p.network.swarm import Swarm
from libp2p.peer.id import ID
from libp2p.peer.peerstore import PeerStore
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE
from libp2p.security.noise.transport import Transport as NoiseTransport
from libp2p.stream_muxer.exceptions import MuxedConnError, MuxedStreamError
from libp2p.stream_muxer.yamux.yamux import PROTOCOL_ID as YAMUX
from libp2p.stream_muxer.yamux.yamux import Yamux
from libp2p.transport.tcp.tcp import TCP
from multiaddr import Multiaddr

from foedus.network.muxer import Upgrader
from foedus.protocol.ids import PeerId

MAX_CONNECTIONS = 256
MAX_INBOUND = 192
"""Connections that others opened: the rest is for those whom this node dials."""

MAX_PER_PLACE = 64
"""Connections from one IPv4 address or one IPv6 network of 64 bits."""

MAX_STREAMS_PER_PEER = 64
"""Streams that one peer may have open to this node."""

DIAL_SECONDS = 10.0
SETTLED_SECONDS = 15.0
"""A connection older than this is not one of two that peers opened to each other at once."""

Blame = Callable[[PeerId, str], None]

_BROKEN = (
    OSError,
    IOException,
    MuxedConnError,
    MuxedStreamError,
    RawConnError,
    StreamError,
    trio.BrokenResourceError,
    trio.ClosedResourceError,
    trio.TooSlowError,
)
"""What a connection that ends in the middle of something raises: nobody's fault."""


def build(secret: bytes, blame: Blame) -> tuple[BasicHost, Swarm]:
    """A host that has not begun to run, and its swarm; `blame(peer, reason)` is told of garbage on streams."""
    _quiet_logging()
    keys = create_new_key_pair(secret)
    me = ID.from_pubkey(keys.public_key)
    store = PeerStore()
    store.add_key_pair(me, keys)
    noise = NoiseTransport(keys, noise_privkey=create_noise_key().private_key)
    swarm = _Swarm(
        me,
        store,
        Upgrader({NOISE: noise}, {TProtocol(YAMUX): Yamux}),
        transports=[TCP()],
        retry_config=RetryConfig(max_retries=0),
        connection_config=ConnectionConfig(
            max_connections=MAX_CONNECTIONS,
            high_watermark=MAX_CONNECTIONS,
            low_watermark=0,  # no dialling of its own
            min_connections=0,
            dial_timeout=DIAL_SECONDS,
        ),
    )
    swarm.auto_connector = _NoConnector(swarm)
    swarm._from = Counter()
    swarm._inbound_limiter = trio.CapacityLimiter(MAX_INBOUND)
    host = _Host(swarm, disable_identify_address_discovery=True)
    swarm.set_stream_handler(_guard(host, blame))
    return host, swarm


class _Host(BasicHost):
    async def _identify_peer(self, peer_id: ID, *, reason: str) -> None:
        try:  # a system task of trio's: what it raises would end the thread
            await super()._identify_peer(peer_id, reason=reason)
        except Exception:
            logging.getLogger("libp2p.host").debug("identify failed", exc_info=True)


class _NoConnector(AutoConnector):
    """In place of the one that dials whatever peers identify themselves with."""

    async def maybe_connect(self) -> None:
        return None

    async def run_background_task(self, nursery: trio.Nursery) -> None:
        return None

    def record_disconnect(self, peer_id: ID) -> None:
        """Nothing: it would be kept for ever."""


class _Swarm(Swarm):
    _from: Counter[str]

    def _schedule_auto_connect(self) -> None:
        """Nothing: `dialer` decides whom to dial."""

    async def add_conn(self, muxed_conn: IMuxedConn, direction: str = "unknown") -> SwarmConn:
        """Who connects anew has lost the connection before: that is closed first, for everybody who follows it."""
        for older in list(self.connections.get(muxed_conn.peer_id, ())):
            if time.time() - cast(SwarmConn, older)._created_at > SETTLED_SECONDS:
                with trio.move_on_after(1):
                    await older.close()
        return await super().add_conn(muxed_conn, direction)

    def remove_conn(self, swarm_conn: SwarmConn) -> None:
        """Forget the connection, and the peer with its last one: keys cost nothing, and there is no end to them."""
        super().remove_conn(swarm_conn)
        peer, store = swarm_conn.muxed_conn.peer_id, cast(PeerStore, self.peerstore)
        if peer not in self.connections:
            store.peer_data_map.pop(peer, None)
            store.peer_record_map.pop(peer, None)

    async def _handle_inbound_connection(self, read_write_closer: ReadWriteCloser, maddr: Multiaddr) -> None:
        place = _place(read_write_closer)
        if self._from[place] >= MAX_PER_PLACE:
            await read_write_closer.close()
            return
        self._from[place] += 1
        try:
            await super()._handle_inbound_connection(read_write_closer, maddr)
        finally:
            self._from[place] -= 1
            if not self._from[place]:
                del self._from[place]

    async def _do_handle_inbound_connection(self, read_write_closer: ReadWriteCloser, *_: object) -> None:
        raw = RawConnection(read_write_closer, False)
        try:
            muxed = await self.upgrade_inbound_raw_conn(raw, Multiaddr("/ip4/0.0.0.0/tcp/0"))
            await cast(Yamux, muxed).event_closed.wait()
        except Exception:
            logging.getLogger("libp2p.network").debug("inbound connection refused", exc_info=True)
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 1):
                await raw.close()


async def knock(swarm: Swarm, place: Multiaddr, peer: ID) -> None:
    """Open a connection of its own to the peer at this place, as far as Noise, and close it. Raises what goes wrong."""
    raw = cast(RawConnection, await TCP().dial(place))
    try:
        await (await swarm.upgrader.upgrade_security(raw, True, peer)).close()
    finally:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + 1):
            await raw.close()


def _place(connection: ReadWriteCloser) -> str:
    """Where a connection comes from, as far as one party is likely to have more of the same."""
    host, _ = connection.get_remote_address() or ("", 0)
    if ":" not in host:
        return host
    return str(ipaddress.ip_network((host.partition("%")[0], 64), strict=False))


def _guard(host: BasicHost, blame: Blame) -> Callable[[INetStream], Any]:
    open_streams: Counter[PeerId] = Counter()

    async def handle(stream: INetStream) -> None:
        peer = PeerId(stream.muxed_conn.peer_id.to_base58())
        if open_streams[peer] >= MAX_STREAMS_PER_PEER:
            blame(peer, "too many streams")
            await stream.reset()
            return
        open_streams[peer] += 1
        try:
            await host._swarm_stream_handler(stream)
        except Exception as error:
            if not isinstance(error, _BROKEN):
                blame(peer, f"garbage on a stream: {type(error).__name__}")
            with trio.move_on_after(1):
                await stream.reset()
        finally:
            open_streams[peer] -= 1
            if not open_streams[peer]:
                del open_streams[peer]

    return handle


def _quiet_logging() -> None:
    root = logging.getLogger()
    if not root.handlers:  # libp2p calls logging.debug(), which would install a handler that writes to stderr
        root.addHandler(logging.NullHandler())
    library = logging.getLogger("libp2p")
    if not library.handlers:  # it does not propagate: a failed dial would be written to stderr
        library.addHandler(logging.NullHandler())
