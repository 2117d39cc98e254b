"""Hints reach who listens, bear their author's name, and break nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from foedus.network.errors import TooLarge
from foedus.network.gossip import MESSAGE_LIMIT
from foedus.network.host import Host
from foedus.network.keys import generate_secret
from foedus.network.wire import Wire
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
