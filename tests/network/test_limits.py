"""What one peer, or many, can make a node hold: the bounds of docs/network.md that no other test reaches."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from libp2p.peer.id import ID
from libp2p.pubsub.pb import rpc_pb2
from libp2p.pubsub.pubsub import Pubsub
from libp2p.pubsub.rpc_queue import OutBoundQueueSize

from foedus.network import dialer
from foedus.network import swarm as swarms
from foedus.network.host import Host
from foedus.network.keys import generate_secret, peer_id_of
from foedus.network.mesh import TOPICS_PER_PEER
from foedus.network.wire import PING, Wire
from foedus.protocol.ids import PeerId

TOPIC = "foedus/test"
Eventually = Callable[..., Awaitable[Any]]


async def _ignore(author: PeerId, message: bytes) -> None:
    return None


def _pubsub(wire: Wire) -> Pubsub:
    assert wire.gossip._pubsub is not None
    return wire.gossip._pubsub


async def _joined(hub: Host, *others: Host) -> None:
    """Connect everybody to the hub, and wait until gossip knows them."""
    for host in (hub, *others):
        await host.subscribe(TOPIC, _ignore)
    for other in others:
        other.add_peer(hub.addresses[0])

    async def known(wire: Wire) -> int:
        return len(wire.gossip._pubsub.peers) if wire.gossip._pubsub is not None else 0

    async def met() -> bool:
        return await hub.on_wire(known) == len(others) and all([await each.on_wire(known) for each in others])

    async with asyncio.timeout(20):
        while not await met():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def test_streams_of_a_peer_past_their_number_are_its_fault(eventually: Eventually) -> None:
    async def main() -> None:
        async with await Host.start(generate_secret()) as asker, await Host.start(generate_secret()) as other:
            asker.add_peer(other.addresses[0])
            await eventually(asker.connected)

            async def hold(wire: Wire) -> None:
                for _ in range(swarms.MAX_STREAMS_PER_PEER + 1):
                    await wire._swarm.new_stream(ID.from_string(other.peer_id))

            await asker.on_wire(hold)
            assert "too many streams" in await eventually(lambda: other.faults(asker.peer_id))

    asyncio.run(main())


def test_strangers_cannot_take_the_places_of_those_whom_this_node_dials(
    eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(swarms, "MAX_INBOUND", 2)

    async def main() -> None:
        async with await Host.start(generate_secret()) as host, await Host.start(generate_secret()) as friend:
            place = ("127.0.0.1", int(host.addresses[0].split("/")[4]))
            with contextlib.ExitStack() as stack:
                for _ in range(2):
                    stack.enter_context(socket.create_connection(place))
                await asyncio.sleep(0.3)
                refused = stack.enter_context(socket.create_connection(place, timeout=5))
                assert await asyncio.to_thread(refused.recv, 1) == b""
                host.add_peer(friend.addresses[0])
                await eventually(lambda: host.connected() == {friend.peer_id})

    asyncio.run(main())


def test_the_book_of_peers_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialer, "MAX_PEERS", 3)

    async def main() -> None:
        async with await Host.start(generate_secret()) as host:
            strangers = [peer_id_of(generate_secret()) for _ in range(5)]
            for peer in strangers:
                for port in range(1, 2 * dialer.MAX_ADDRESSES):
                    host.add_peer(f"/ip4/127.0.0.1/tcp/{port}/p2p/{peer}")

            async def book(wire: Wire) -> list[int]:
                return [len(wire.dialer.addresses(peer)) for peer in strangers]

            assert await host.on_wire(book) == [dialer.MAX_ADDRESSES] * 3 + [0, 0]

    asyncio.run(main())


def test_only_so_many_dials_are_under_way_at_a_time(eventually: Eventually, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialer, "DIALS", 2)
    monkeypatch.setattr(dialer, "DIAL_SECONDS", 0.5)
    calls, at_once, most = 0, 0, 0

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls, at_once, most
        calls, at_once = calls + 1, at_once + 1
        most = max(most, at_once)
        with contextlib.suppress(ConnectionError):
            while await reader.read(1000):
                continue
        at_once -= 1
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(mute, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, await Host.start(generate_secret()) as host:
            for _ in range(8):
                host.add_peer(f"/ip4/127.0.0.1/tcp/{port}/p2p/{peer_id_of(generate_secret())}")
            await eventually(lambda: calls >= 8, 30)
        assert most <= 3  # one may not have been seen to end

    asyncio.run(main())


def test_a_peer_that_reads_no_gossip_costs_a_short_queue_and_holds_up_nobody() -> None:
    async def main() -> None:
        heard: list[bytes] = []

        async def hear(author: PeerId, message: bytes) -> None:
            heard.append(message)

        async with (
            await Host.start(generate_secret()) as hub,
            await Host.start(generate_secret()) as slow,
            await Host.start(generate_secret()) as good,
        ):
            await _joined(hub, slow, good)
            await good.subscribe("second", hear)
            await hub.subscribe("second", _ignore)
            await slow.subscribe("second", _ignore)

            async def never(data: bytes) -> None:
                await trio.sleep_forever()

            async def jam(wire: Wire) -> None:
                _pubsub(wire).peers[ID.from_string(slow.peer_id)].write = never  # type: ignore[method-assign]

            async def queued(wire: Wire) -> int:
                return len(_pubsub(wire).peer_queues[ID.from_string(slow.peer_id)])

            async with asyncio.timeout(20):
                while not heard:
                    await hub.publish("second", b"first")
                    await asyncio.sleep(0.1)
            await hub.on_wire(jam)
            for number in range(3 * OutBoundQueueSize):
                await hub.publish("second", b"%d" % number)
                await asyncio.sleep(0)
            async with asyncio.timeout(20):
                while b"last" not in heard:  # the good one's queue is as short, and may be full too
                    await hub.publish("second", b"last")
                    await asyncio.sleep(0.1)
            assert 0 < await hub.on_wire(queued) <= OutBoundQueueSize

    asyncio.run(main())


def test_a_peer_subscribes_to_so_many_topics_and_no_more(eventually: Eventually) -> None:
    async def main() -> None:
        async with await Host.start(generate_secret()) as host, await Host.start(generate_secret()) as eager:
            await _joined(host, eager)

            async def subscribe(wire: Wire) -> None:
                stream = _pubsub(wire).peers[ID.from_string(host.peer_id)]
                for start in range(0, 10 * TOPICS_PER_PEER, 10):
                    wanted = [rpc_pb2.RPC.SubOpts(subscribe=True, topicid=f"t{start + at}") for at in range(10)]
                    await _pubsub(wire).write_msg(stream, rpc_pb2.RPC(subscriptions=wanted))

            async def topics(wire: Wire) -> int:
                return len(_pubsub(wire).peer_topics)

            await eager.on_wire(subscribe)
            await host.request(eager.peer_id, PING, b"", 0, 10)
            await asyncio.sleep(0.3)
            assert await host.on_wire(topics) == TOPICS_PER_PEER

    asyncio.run(main())
