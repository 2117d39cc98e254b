"""py-libp2p's gossipsub, mended: what it forgets too late or never, and what makes a small network slow.

Version 0.8.1, found by reading and trying: where a mesh is small it takes the network to be ill, and slows its
heartbeat to a minute; who subscribes before its stream is registered waits for a heartbeat; delivery times are kept
for ever; a peer that prunes topics which nobody has is remembered for each; its rate limit comes after a message was
delivered.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import structlog
from libp2p.host.basic_host import BasicHost
from libp2p.peer.id import ID
from libp2p.pubsub.gossipsub import PROTOCOL_ID_V11, GossipSub
from libp2p.pubsub.pb import rpc_pb2
from libp2p.pubsub.pubsub import Pubsub
from libp2p.pubsub.score import ScoreParams

log = structlog.get_logger(__name__)

HEARTBEAT_SECONDS = 1
DEGREE, DEGREE_LOW, DEGREE_HIGH = 6, 4, 12
"""Peers that a topic's mesh should have, below how many it is filled, and above how many it is cut."""

MESSAGES_PER_SECOND = 200
"""Messages of one peer that are looked at; the rest of that second is dropped."""

RPC_LIMIT = 640_000
"""Bytes of one frame: many messages and control words."""

TOPICS_PER_PEER = 32
SEEN_SECONDS = 120
"""For so long a message that comes again is known: at most 200 a second of each peer."""


class Router(GossipSub):
    """The mesh. score: how a peer stands, 0 at best; below `least` it is in no mesh."""

    def __init__(self, score: Callable[[ID], float], least: float) -> None:
        super().__init__(
            protocols=[PROTOCOL_ID_V11],
            degree=DEGREE,
            degree_low=DEGREE_LOW,
            degree_high=DEGREE_HIGH,
            heartbeat_interval=HEARTBEAT_SECONDS,
            adaptive_gossip_enabled=False,
            spam_protection_enabled=False,  # `Messages.push_msg` counts, before any work
            eclipse_protection_enabled=False,  # it wants three addresses in every mesh; a consortium may have one
            score_params=ScoreParams(app_specific_score_fn=score, p6_appl_slack_weight=1.0, graylist_threshold=least),
        )

    def mesh_heartbeat(self) -> tuple[dict[ID, list[str]], dict[ID, list[str]]]:  # type: ignore[override]
        """Graft and prune, the badly behaved first; and forget what is over."""
        self.recent_message_deliveries.clear()
        now = int(time.time())
        for topic, waits in list(self.back_off.items()):
            self.back_off[topic] = {peer: until for peer, until in waits.items() if until > now}
        unwelcome = {topic: self._unwelcome(topic, peers) for topic, peers in self.mesh.items()}
        for topic, peers in unwelcome.items():
            for peer in peers:
                self.mesh[topic].discard(peer)
                self._add_back_off(peer, topic, False)
        grafts, prunes = super().mesh_heartbeat()
        for topic, peers in unwelcome.items():
            for peer in peers:
                prunes[peer].append(topic)
        return grafts, prunes

    def _unwelcome(self, topic: str, peers: Iterable[ID]) -> list[ID]:
        return [peer for peer in peers if self.scorer is not None and self.scorer.is_graylisted(peer, [topic])]

    async def handle_prune(self, prune_msg: rpc_pb2.ControlPrune, sender_peer_id: ID) -> None:
        """Only of a topic that is heard here. Addresses that come with it are not dialled."""
        if prune_msg.topicID in self.mesh:
            del prune_msg.peers[:]
            await super().handle_prune(prune_msg, sender_peer_id)

    async def handle_ihave(self, ihave_msg: rpc_pb2.ControlIHave, sender_peer_id: ID) -> None:
        """Only of a topic that is heard here."""
        if ihave_msg.topicID in self.mesh:
            await super().handle_ihave(ihave_msg, sender_peer_id)


class Messages(Pubsub):
    """Messages in and out. Those past a peer's limit a second are dropped unread."""

    def __init__(self, host: BasicHost, router: Router) -> None:
        super().__init__(
            host,
            router,
            seen_ttl=SEEN_SECONDS,
            max_inbound_rpc_size=RPC_LIMIT,
            max_subscriptions_per_rpc=TOPICS_PER_PEER,
            max_subscriptions_per_peer=TOPICS_PER_PEER,
        )
        self._second, self._counts = 0, dict[ID, int]()

    async def push_msg(self, msg_forwarder: ID, msg: rpc_pb2.Message) -> None:
        """Check, deliver and forward one message. Nothing of a peer's message is raised: it would end the service."""
        try:
            if msg_forwarder == self.my_id or self._counted(msg_forwarder) <= MESSAGES_PER_SECOND:
                await super().push_msg(msg_forwarder, msg)
        except Exception as error:
            if msg_forwarder == self.my_id:
                raise
            log.warning("gossip message dropped", peer=msg_forwarder.to_base58(), error=type(error).__name__)

    def _counted(self, peer: ID) -> int:
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._counts = second, {}
        self._counts[peer] = self._counts.get(peer, 0) + 1
        return self._counts[peer]

    async def _handle_new_peer(self, peer_id: ID) -> None:
        await super()._handle_new_peer(peer_id)
        for topic, peers in list(self.peer_topics.items()):
            if peer_id in peers:
                await self.router.on_peer_subscribed(peer_id, topic)
