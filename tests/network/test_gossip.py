"""Hints reach who listens, bear their author's name, and break nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from libp2p.peer.id import ID
from libp2p.peer.peerstore import env_to_send_in_RPC
from libp2p.pubsub.pb import rpc_pb2

from foedus.network.errors import TooLarge
from foedus.network.faults import OUTCAST
from foedus.network.gossip import MESSAGE_LIMIT
from foedus.network.host import Host
from foedus.network.keys import generate_secret
from foedus.network.mesh import HEARTBEAT_SECONDS, MESSAGES_PER_SECOND, Router
from foedus.network.wire import PING, Wire
from foedus.protocol.ids import PeerId

TOPIC = "foedus/test"
Eventually = Callable[..., Awaitable[Any]]


class Ear:
    def __init__(self) -> None:
        self.heard: list[tuple[PeerId, bytes]] = []

    async def __call__(self, author: PeerId, message: bytes) -> None:
        self.heard.append((author, message))
        if message == b"crash":
            raise RuntimeError("handler")


def test_hints_cross_a_peer_in_the_middle_and_name_their_author(eventually: Eventually) -> None:
    async def main() -> None:
        hosts = [await Host.start(generate_secret()) for _ in range(3)]
        ears = [Ear() for _ in hosts]
        try:
            hosts[0].add_peer(hosts[1].addresses[0])
            hosts[2].add_peer(hosts[1].addresses[0])
            for host, ear in zip(hosts, ears, strict=True):
                await host.subscribe(TOPIC, ear)
            await eventually(lambda: len(hosts[1].connected()) == 2)
            await asyncio.sleep(2.5)  # two heartbeats build the mesh
            author = hosts[0].peer_id
            await hosts[0].publish(TOPIC, b"crash")
            for number in range(60):  # more than the library's ten a second
                await hosts[0].publish(TOPIC, b"%d" % number)
            await eventually(lambda: all(len(ear.heard) >= 58 for ear in ears))
            for ear in ears:
                assert {each for each, _ in ear.heard} == {author}
                assert len({message for _, message in ear.heard}) == len(ear.heard)
        finally:
            for host in hosts:
                await host.stop()

    asyncio.run(main())


def test_a_large_message_is_refused_here_and_counted_there(eventually: Eventually) -> None:
    async def main() -> None:
        async with await Host.start(generate_secret()) as one, await Host.start(generate_secret()) as two:
            ear = Ear()
            await two.subscribe(TOPIC, ear)
            await one.subscribe(TOPIC, Ear())
            one.add_peer(two.addresses[0])
            await eventually(one.connected)
            await asyncio.sleep(2.5)
            with pytest.raises(TooLarge):
                await one.publish(TOPIC, bytes(MESSAGE_LIMIT))

            async def shout(wire: Wire) -> None:
                assert wire.gossip._pubsub is not None
                wire.gossip._pubsub.remove_topic_validator(TOPIC)
                await wire.gossip._pubsub.publish(TOPIC, bytes(MESSAGE_LIMIT + 1))

            await one.on_wire(shout)
            assert "too large" in (await eventually(lambda: two.faults(one.peer_id)))[0]
            assert ear.heard == []

    asyncio.run(main())


def test_gossip_that_breaks_starts_again_with_its_topics(eventually: Eventually) -> None:
    async def main() -> None:
        async with await Host.start(generate_secret()) as one, await Host.start(generate_secret()) as two:
            ear = Ear()
            await one.subscribe(TOPIC, ear)
            await two.subscribe(TOPIC, Ear())
            one.add_peer(two.addresses[0])
            await eventually(one.connected)

            async def sabotage(wire: Wire) -> None:
                async def crash() -> None:
                    raise RuntimeError("planted")

                assert wire.gossip._nursery is not None
                wire.gossip._nursery.start_soon(crash)

            await one.on_wire(sabotage)
            await asyncio.sleep(2.5)
            assert one.connected() == {two.peer_id}
            async with asyncio.timeout(15):
                while not ear.heard:
                    await two.publish(TOPIC, b"hint")
                    await asyncio.sleep(0.5)
            assert ear.heard[0] == (two.peer_id, b"hint")

    asyncio.run(main())


async def _meshed(hosts: list[Host], eventually: Eventually) -> list[Ear]:
    """Everybody dials the first, and has it in the mesh of the topic."""
    ears = [Ear() for _ in hosts]
    for host, ear in zip(hosts, ears, strict=True):
        await host.subscribe(TOPIC, ear)
    for host in hosts[1:]:
        host.add_peer(hosts[0].addresses[0])
    await eventually(lambda: len(hosts[0].connected()) == len(hosts) - 1)
    async with asyncio.timeout(20):
        for host in hosts[1:]:
            while hosts[0].peer_id not in await host.on_wire(_mesh):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    return ears


async def _mesh(wire: Wire) -> set[str]:
    return {peer.to_base58() for peer in _router(wire).mesh.get(TOPIC, ())}


def _router(wire: Wire) -> Router:
    assert wire.gossip._pubsub is not None
    return cast(Router, wire.gossip._pubsub.router)


def test_the_mesh_of_a_small_network_beats_as_fast_as_any() -> None:
    async def main() -> None:
        async with await Host.start(generate_secret()) as alone:
            await alone.subscribe(TOPIC, Ear())

            async def in_half_a_minute(wire: Wire) -> int:
                router = _router(wire)
                router.last_health_update = 0
                router._update_network_health()
                router._adapt_gossip_parameters()
                return router.heartbeat_interval

            assert await alone.on_wire(in_half_a_minute) == HEARTBEAT_SECONDS

    asyncio.run(main())


def test_who_subscribed_before_its_stream_was_known_is_grafted_with_it(eventually: Eventually) -> None:
    async def main() -> None:
        async with await Host.start(generate_secret()) as one, await Host.start(generate_secret()) as two:
            await _meshed([one, two], eventually)

            async def late(wire: Wire) -> set[str]:
                router, pubsub = _router(wire), wire.gossip._pubsub
                assert pubsub is not None
                other = ID.from_string(one.peer_id)
                router.mesh[TOPIC].discard(other)
                del pubsub.peers[other]
                await pubsub._handle_new_peer(other)
                return await _mesh(wire)

            assert await two.on_wire(late) == {one.peer_id}

    asyncio.run(main())


def test_a_node_that_comes_back_with_its_key_hears_and_is_heard_again(eventually: Eventually) -> None:
    async def main() -> None:
        secret = generate_secret()
        async with await Host.start(generate_secret()) as hub, await Host.start(generate_secret()) as third:
            lost = await Host.start(secret)
            ears = await _meshed([hub, third, lost], eventually)
            place = lost.addresses[0].split("/p2p/")[0]
            await lost.stop()
            await eventually(lambda: hub.connected() == {third.peer_id})
            async with await Host.start(secret, place) as back:
                ear = Ear()
                await back.subscribe(TOPIC, ear)
                back.add_peer(hub.addresses[0])
                async with asyncio.timeout(20):
                    while not (ear.heard and (back.peer_id, b"here") in ears[1].heard):
                        await third.publish(TOPIC, b"there")
                        await back.publish(TOPIC, b"here")
                        await asyncio.sleep(0.2)

    asyncio.run(main())


def test_a_flood_of_one_peer_is_cut_before_it_is_looked_at(eventually: Eventually) -> None:
    async def main() -> None:
        async with await Host.start(generate_secret()) as victim, await Host.start(generate_secret()) as flooder:
            ear, _ = await _meshed([victim, flooder], eventually)

            async def flood(wire: Wire) -> None:
                pubsub = wire.gossip._pubsub
                assert pubsub is not None
                sent: list[rpc_pb2.Message] = []
                pubsub.router.publish = lambda _, message: _later(sent.append, message)  # type: ignore[method-assign]
                for number in range(5 * MESSAGES_PER_SECOND):
                    await pubsub.publish(TOPIC, b"%d" % number)
                await pubsub.write_msg(pubsub.peers[ID.from_string(victim.peer_id)], rpc_pb2.RPC(publish=sent))

            await flooder.on_wire(flood)
            await eventually(lambda: ear.heard)
            await victim.request(flooder.peer_id, PING, b"", 0, 10)
            await asyncio.sleep(0.5)

            async def looked_at(wire: Wire) -> int:
                assert wire.gossip._pubsub is not None
                return len(wire.gossip._pubsub.seen_messages.cache)

            assert await victim.on_wire(looked_at) <= 2 * MESSAGES_PER_SECOND  # one frame may lie across two seconds

    asyncio.run(main())


async def _later(call: Callable[[Any], object], argument: object) -> None:
    call(argument)


def test_a_prune_leaves_nothing_for_topics_nobody_has_and_its_addresses_are_not_dialled(eventually: Eventually) -> None:
    async def main() -> None:
        async with (
            await Host.start(generate_secret()) as victim,
            await Host.start(generate_secret()) as pruner,
            await Host.start(generate_secret()) as stranger,
        ):
            await _meshed([victim, pruner], eventually)

            async def record(wire: Wire) -> bytes:
                return env_to_send_in_RPC(wire._host)[0]

            place = rpc_pb2.PeerInfo(
                peerID=ID.from_string(stranger.peer_id).to_bytes(), signedPeerRecord=await stranger.on_wire(record)
            )

            async def prune(wire: Wire) -> list[str]:
                router, sender = _router(wire), ID.from_string(pruner.peer_id)
                for number in range(50):
                    await router.handle_prune(rpc_pb2.ControlPrune(topicID=f"/strange/{number}"), sender)
                await router.handle_prune(rpc_pb2.ControlPrune(topicID=TOPIC, peers=[place]), sender)
                return list(router.back_off)

            assert await victim.on_wire(prune) == [TOPIC]
            assert victim.connected() == {pruner.peer_id}

    asyncio.run(main())


def test_the_mesh_lets_go_of_a_peer_that_stands_low(eventually: Eventually) -> None:
    async def main() -> None:
        async with (
            await Host.start(generate_secret()) as hub,
            await Host.start(generate_secret()) as good,
            await Host.start(generate_secret()) as bad,
        ):
            await _meshed([hub, good, bad], eventually)
            for _ in range(6):
                hub.blame(bad.peer_id, "broke it")
            async with asyncio.timeout(20):
                while await hub.on_wire(_mesh) != {good.peer_id}:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            assert hub.banned(bad.peer_id) is None
            assert hub.connected() == {good.peer_id, bad.peer_id}
            assert hub.score(bad.peer_id) < OUTCAST < hub.score(good.peer_id) == 0
            assert hub.worst(1)[0][0::2] == (bad.peer_id, "broke it")

    asyncio.run(main())
