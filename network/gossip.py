"""Hints to everyone who listens: gossipsub over `/meshsub/1.1.0`, messages under 10 KB, lossy by design.

Nothing may rest on a hint's arrival: truth is the chain, and request and response. A failure in here restarts gossip,
not the host.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

import structlog
import trio
from libp2p.host.basic_host import BasicHost
from libp2p.network.swarm import Swarm
from libp2p.peer.id import ID
from libp2p.pubsub.pb import rpc_pb2
from libp2p.tools.anyio_service import background_trio_service

from foedus.network.errors import BadPeerId, HostStopped
from foedus.network.faults import OUTCAST
from foedus.network.keys import parse_peer_id
from foedus.network.mesh import Messages, Router
from foedus.network.peers import Peers
from foedus.protocol.ids import PeerId

log = structlog.get_logger(__name__)

MESSAGE_LIMIT = 10_000
"""Bytes of one message."""

HANDLER_SECONDS = 30.0
FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0
"""Seconds before a service that failed starts again."""

Deliver = Callable[[PeerId, bytes], Awaitable[None]]


class Gossip:
    """The node's topics. `run` keeps the service up; `subscribe` and `publish` go through whichever run is current."""

    def __init__(self, host: BasicHost, swarm: Swarm, peers: Peers) -> None:
        self._host, self._swarm, self._peers = host, swarm, peers
        self._topics: dict[str, Deliver] = {}
        self._pubsub: Messages | None = None
        self._nursery: trio.Nursery | None = None
        self.up = trio.Event()
        """Set once peers may connect: a service meets only those who do after it has begun."""

    async def run(self) -> None:
        """Serve until cancelled."""
        wait = FIRST_WAIT
        while True:
            before = list(self._swarm.notifees)
            try:
                await self._run_once()
            except Exception as error:
                log.error("gossip restarted", error=repr(error))
            finally:
                self._pubsub = self._nursery = None
            self._swarm.notifees[:] = [each for each in self._swarm.notifees if each in before]
            await trio.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)

    async def publish(self, topic: str, message: bytes) -> None:
        """Send a hint to the topic's mesh."""
        if self._pubsub is None:
            raise HostStopped("gossip is starting again: repeat the hint later")
        await self._pubsub.publish(topic, message)

    async def subscribe(self, topic: str, deliver: Deliver) -> None:
        """Hand every message of the topic to `deliver(author, message)`, one at a time, from now on."""
        if topic in self._topics:
            raise ValueError(f"topic {topic!r} has a subscriber: fan out in its handler")
        self._topics[topic] = deliver
        if self._pubsub is not None and self._nursery is not None:
            await self._listen(self._pubsub, self._nursery, topic)

    async def _run_once(self) -> None:
        router = Router(lambda peer: self._peers.score(PeerId(peer.to_base58())), OUTCAST)
        pubsub = Messages(self._host, router)
        try:
            async with background_trio_service(pubsub), background_trio_service(router), trio.open_nursery() as nursery:
                await pubsub.wait_until_ready()
                for peer in self._peers.connected:  # of a service that failed
                    await self._peers.disconnect(peer)
                self._pubsub, self._nursery = pubsub, nursery
                self.up.set()
                for topic in self._topics:
                    await self._listen(pubsub, nursery, topic)
                await trio.sleep(math.inf)
        finally:
            pubsub.seen_messages.stop()  # a thread of its own, which would outlive the service

    async def _listen(self, pubsub: Messages, nursery: trio.Nursery, topic: str) -> None:
        pubsub.set_topic_validator(topic, self._valid, is_async_validator=False)
        subscription = await pubsub.subscribe(topic)
        deliver = self._topics[topic]

        async def loop() -> None:
            while True:
                message = await subscription.get()
                try:
                    author = parse_peer_id(ID(message.from_id).to_base58())
                    with trio.move_on_after(HANDLER_SECONDS) as scope:
                        await deliver(author, message.data)
                    if scope.cancelled_caught:
                        log.warning("gossip handler too slow", topic=topic, seconds=HANDLER_SECONDS)
                except BadPeerId:
                    continue
                except Exception as error:
                    log.error("gossip handler failed", topic=topic, error=repr(error))

        nursery.start_soon(loop)

    def _valid(self, forwarder: ID, message: rpc_pb2.Message) -> bool:
        if len(message.data) <= MESSAGE_LIMIT and len(message.topicIDs) == 1:
            return True
        self._peers.blame(PeerId(forwarder.to_base58()), "gossip message too large")
        return False
