"""The wire carries the same protocol as py-libp2p's own, with fewer copies and fewer words."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from libp2p import new_host
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.custom_types import TProtocol
from libp2p.peer.peerinfo import info_from_p2p_addr
from libp2p.stream_muxer.yamux.yamux import YamuxStream
from multiaddr import Multiaddr

from foedus.network.errors import PeerUnreachable
from foedus.network.host import Host
from foedus.network.keys import generate_secret
from foedus.network.pieces import CRUMB_BYTES, Pieces
from foedus.network.stream import Stream
from foedus.network.wire import Wire

ECHO = "/test/bulk/1"
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
