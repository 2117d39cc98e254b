"""A libp2p host with the doors that Foedus wants shut: Noise alone, yamux alone, TCP alone, everything bounded.

py-libp2p 0.8.1, found by trying: its default host also accepts plaintext; it dials whatever addresses its peers claim;
a slot of its inbound limit is never given back; an exception in a stream handler ends the whole swarm; a stream's
receive buffer has no bound; its logging calls install a root handler. Each is mended here, and nowhere else.
"""

from __future__ import annotations

import logging
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
from libp2p.stream_muxer.yamux.yamux import MAX_WINDOW_SIZE, Yamux
from libp2p.stream_muxer.yamux.yamux import PROTOCOL_ID as YAMUX
from libp2p.transport.tcp.tcp import TCP
from libp2p.transport.upgrader import TransportUpgrader
from multiaddr import Multiaddr

from foedus.protocol.ids import PeerId

MAX_CONNECTIONS = 256
MAX_STREAMS_PER_PEER = 64
"""Streams that one peer may have open to this node."""

DIAL_SECONDS = 10.0
BUFFERED_PER_STREAM = MAX_WINDOW_SIZE + (1 << 20)
"""Unread bytes of a stream: the largest window that yamux grants, and room for what was in flight."""

BUFFERED_PER_CONNECTION = 2 * MAX_WINDOW_SIZE
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
        TransportUpgrader({NOISE: noise}, {TProtocol(YAMUX): Yamux}),
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


class _Swarm(Swarm):
    async def add_conn(self, muxed_conn: IMuxedConn, direction: str = "unknown") -> SwarmConn:
        if isinstance(muxed_conn, Yamux):
            muxed_conn.stream_buffers = _Buffers()
        return await super().add_conn(muxed_conn, direction)

    def _schedule_auto_connect(self) -> None:
        """Nothing: `dialer` decides whom to dial."""

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


class _Buffers(dict[int, bytearray]):
    """The receive buffers of one connection."""

    def __setitem__(self, stream: int, _: bytearray) -> None:
        super().__setitem__(stream, _Buffer(self))


class _Buffer(bytearray):
    def __init__(self, siblings: _Buffers) -> None:
        super().__init__()
        self._siblings = siblings

    def extend(self, data: Any) -> None:
        size = len(self) + len(data)
        if size > BUFFERED_PER_STREAM or sum(map(len, self._siblings.values())) + len(data) > BUFFERED_PER_CONNECTION:
            self._siblings = _Buffers()
            raise BufferError("the peer sends past its window")
        super().extend(data)


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
