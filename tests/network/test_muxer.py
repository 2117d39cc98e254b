"""The wire carries the same protocol as py-libp2p's own, with fewer copies and fewer words."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from libp2p import new_host
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.custom_types import TProtocol
from libp2p.peer.id import ID
from libp2p.peer.peerinfo import info_from_p2p_addr
from libp2p.stream_muxer.yamux.yamux import FLAG_SYN, TYPE_PING, YAMUX_HEADER_FORMAT, YamuxStream
from multiaddr import Multiaddr

from foedus.network import muxer
from foedus.network.errors import PeerUnreachable
from foedus.network.host import Host
from foedus.network.keys import generate_secret
from foedus.network.pieces import CRUMB_BYTES, Pieces
from foedus.network.stream import Stream
from foedus.network.wire import Wire
from foedus.protocol.ids import PeerId

ECHO, ASK = "/test/bulk/1", "/test/ask/1"
BULK = os.urandom(3_000_001)
Eventually = Callable[..., Awaitable[Any]]


@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("extend"), st.integers(0, 3 * CRUMB_BYTES)),
            st.tuples(st.just("take"), st.integers(0, 4 * CRUMB_BYTES)),
            st.tuples(st.just("look"), st.integers(0, 4 * CRUMB_BYTES)),
            st.tuples(st.just("drop"), st.integers(0, 4 * CRUMB_BYTES)),
            st.tuples(st.just("clear"), st.just(0)),
        ),
        max_size=30,
    )
)
def test_pieces_are_a_queue_of_bytes(steps: list[tuple[str, int]]) -> None:
    pieces, model = Pieces(), bytearray()
    for step, size in steps:
        match step:
            case "extend":
                pieces.extend(memoryview(BULK)[:size])
                model += BULK[:size]
            case "take":
                assert b"".join(pieces.take(size)) == model[:size]
                del model[:size]
            case "look":
                assert pieces[:size] == model[:size]
            case "drop":
                del pieces[:size]
                del model[:size]
            case _:
                pieces.clear()
                model.clear()
        assert (len(pieces), bytes(pieces)) == (len(model), bytes(model))


def test_crumbs_are_gathered_and_what_is_large_is_not_copied() -> None:
    pieces = Pieces()
    for _ in range(CRUMB_BYTES // 4):
        pieces.extend(b"word")
    pieces.extend(BULK)
    crumbs, large = pieces.take(len(pieces))
    assert crumbs == b"word" * (CRUMB_BYTES // 4)
    assert large.obj is BULK  # type: ignore[union-attr]


async def _echo(stream: Stream) -> None:
    size = int.from_bytes(await stream.read_exactly(4), "big")
    await stream.write(await stream.read_exactly(size))
    await stream.close()


def test_py_libp2ps_own_streams_and_ours_understand_each_other(eventually: Eventually) -> None:
    async def foreign(address: str) -> bytes:
        host = new_host(key_pair=create_new_key_pair())
        async with host.run([Multiaddr("/ip4/127.0.0.1/tcp/0")]):
            info = info_from_p2p_addr(Multiaddr(address))
            await host.connect(info)
            stream = await host.new_stream(info.peer_id, [TProtocol(ECHO)])
            back = bytearray()

            async def read() -> None:
                while len(back) < len(BULK):
                    back.extend(await stream.read(50_000))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(read)
                await stream.write(len(BULK).to_bytes(4, "big"))
                for start in range(0, len(BULK), 70_000):
                    await stream.write(BULK[start : start + 70_000])
            return bytes(back)

    async def main() -> None:
        async with await Host.start(generate_secret()) as host:
            host.serve_streams(ECHO, _echo, 1)
            assert await asyncio.to_thread(trio.run, foreign, host.addresses[0]) == BULK

    asyncio.run(main())


def test_a_reader_answers_with_few_window_updates(eventually: Eventually, monkeypatch: pytest.MonkeyPatch) -> None:
    updates = []
    real = YamuxStream.send_window_update

    async def counting(self: YamuxStream, increment: int, skip_lock: bool = False) -> None:
        updates.append(increment)
        await real(self, increment, skip_lock)

    monkeypatch.setattr(YamuxStream, "send_window_update", counting)

    async def pour(stream: Stream) -> None:
        for _ in range(200):
            await stream.read_exactly(1)
            await stream.write(BULK[:1000])
        await stream.close()

    async def drink(wire: Wire, peer: Any) -> None:
        async with wire.stream(peer, ECHO) as stream:
            for _ in range(200):
                await stream.write(b"!")
                assert await stream.read_exactly(1000) == BULK[:1000]
            await stream.close()

    async def main() -> None:
        async with await Host.start(generate_secret()) as one, await Host.start(generate_secret()) as two:
            one.serve_streams(ECHO, pour, 1)
            two.add_peer(one.addresses[0])
            await eventually(two.connected)
            updates.clear()
            await two.on_wire(drink, one.peer_id)
            assert len(updates) < 100  # one and a half windows here, and what libp2p's own streams do meanwhile

    asyncio.run(main())


def test_a_stream_that_ends_early_is_an_error_and_not_a_short_read(eventually: Eventually) -> None:
    async def half(stream: Stream) -> None:
        await stream.write(BULK[:1000])
        await stream.close()

    async def drink(wire: Wire, peer: Any) -> bytes:
        async with wire.stream(peer, ECHO) as stream:
            first = await stream.read_exactly(1000)
            with pytest.raises(PeerUnreachable):
                await stream.read_exactly(1)
            return first

    async def main() -> None:
        async with await Host.start(generate_secret()) as one, await Host.start(generate_secret()) as two:
            one.serve_streams(ECHO, half, 1)
            two.add_peer(one.addresses[0])
            await eventually(two.connected)
            assert await two.on_wire(drink, one.peer_id) == BULK[:1000]

    asyncio.run(main())


def test_a_write_that_is_cut_off_costs_the_others_nothing(eventually: Eventually) -> None:
    async def cut(wire: Wire, peer: Any) -> int:
        connections = set()
        for turns in range(16):
            async with wire.stream(peer, ECHO) as stream:
                connections.add(stream._muxer)
                await stream.write((1 << 20).to_bytes(4, "big"))
                scope = trio.CancelScope()

                async def write(stream: Stream = stream, scope: trio.CancelScope = scope) -> None:
                    with scope:
                        await stream.write(BULK[:100_000])

                async with trio.open_nursery() as nursery:
                    nursery.start_soon(write)
                    for _ in range(turns):
                        await trio.lowlevel.checkpoint()
                    scope.cancel()
                await stream.reset()
        async with wire.stream(peer, ECHO) as stream:
            connections.add(stream._muxer)
            await stream.write((5).to_bytes(4, "big"), b"whole")
            assert await stream.read_exactly(5) == b"whole"
        return len(connections)

    async def main() -> None:
        async with await Host.start(generate_secret()) as one, await Host.start(generate_secret()) as two:
            one.serve_streams(ECHO, _echo, 50)
            two.add_peer(one.addresses[0])
            await eventually(two.connected)
            assert await two.on_wire(cut, one.peer_id) == 1

    asyncio.run(main())


@pytest.fixture
def small_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a long way: little fits into a connection before somebody reads."""
    real = trio.SocketStream.__init__

    def small(self: trio.SocketStream, sock: trio.socket.SocketType) -> None:
        real(self, sock)
        for side in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            sock.setsockopt(socket.SOL_SOCKET, side, 1 << 14)

    monkeypatch.setattr(trio.SocketStream, "__init__", small)


@pytest.mark.usefixtures("small_sockets")
def test_new_streams_are_answered_while_both_directions_are_full(eventually: Eventually) -> None:
    """Neither end's reader waits for the other's: each would wait for ever."""
    size = 12_000_000

    async def drink(stream: Stream) -> None:
        for _ in range(size // 50_000):
            await stream.read_exactly(50_000)
        await stream.write(b"!")
        await stream.close()

    async def answer(peer: PeerId, request: bytes) -> bytes:
        return request

    async def pour(wire: Wire, peer: PeerId) -> None:
        async with wire.stream(peer, ECHO) as stream:
            for _ in range(size // 1_000_000):
                await stream.write(BULK[:1_000_000])
            assert await stream.read_exactly(1) == b"!"

    async def main() -> None:
        async with await Host.start(generate_secret()) as one, await Host.start(generate_secret()) as two:
            for host in (one, two):
                host.serve_streams(ECHO, drink, 1)
                host.serve(ASK, answer, 1)
            two.add_peer(one.addresses[0])
            await eventually(lambda: one.connected() and two.connected())
            answered = 0

            async def ask(host: Host, other: Host) -> None:
                nonlocal answered
                while True:
                    await host.request(other.peer_id, ASK, b"?")
                    answered += 1

            asking = [asyncio.create_task(ask(*ends)) for ends in ((one, two), (two, one)) for _ in range(4)]
            await asyncio.gather(one.on_wire(pour, two.peer_id), two.on_wire(pour, one.peer_id))
            assert answered > len(asking)
            assert not any(task.done() for task in asking)
            for task in asking:
                task.cancel()

    asyncio.run(main())


@pytest.mark.usefixtures("small_sockets")
def test_who_asks_and_never_reads_is_left(eventually: Eventually, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(muxer, "SOCKET_SECONDS", 60)
    pings = struct.pack(YAMUX_HEADER_FORMAT, 0, TYPE_PING, FLAG_SYN, 0, 7) * 5000

    async def flood(wire: Wire, peer: PeerId) -> None:
        (connection,) = wire._swarm.get_connections(ID.from_string(peer))
        frames = cast(muxer.Muxer, connection.muxed_conn)._frames
        frames._socket.read = _never  # type: ignore[method-assign]
        for _ in range(4):
            with contextlib.suppress(Exception):
                await frames.write(pings)

    async def main() -> None:
        async with await Host.start(generate_secret()) as one, await Host.start(generate_secret()) as two:
            two.add_peer(one.addresses[0])
            await eventually(lambda: one.connected() and two.connected())
            two.drop_address(one.addresses[0])
            async with asyncio.timeout(30):
                await two.on_wire(flood, one.peer_id)
            await eventually(lambda: not one.connected())

    asyncio.run(main())


async def _never(_: int | None = None) -> bytes:
    await trio.sleep_forever()
    raise AssertionError
