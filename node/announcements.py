"""Keys that a group's participants need before they can commit: made once an opening, written down, served to them.

Only some modes have any (`VectorMode.announcer`). An announcement proves by itself whose it is and what for, so anybody
may be asked for it, and nobody is believed.
"""

from __future__ import annotations

import asyncio
import json
import os

import structlog

from foedus.aggregator.keys import RoundKeys
from foedus.aggregator.layout import Layout
from foedus.aggregator.modes import VectorMode
from foedus.network.errors import Garbage, NetworkError, Refused
from foedus.network.host import Host
from foedus.node.journal import Journal
from foedus.node.peers import PeerBook
from foedus.protocol.commitments import Context
from foedus.protocol.hostile import load_json
from foedus.protocol.ids import Address, Opening, PeerId, Position

log = structlog.get_logger(__name__)

PROTOCOL = "/foedus/announce/1"
REQUEST_LIMIT = 256
RESPONSE_LIMIT = 1 << 22
RETRY_SECONDS = 0.5

Key = tuple[Address, Opening, int]
"""A group of an opening of a task."""


class AnnouncementServer:
    """Serves this node's own announcements."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._made: dict[Key, bytes] = {}
        host.serve(PROTOCOL, self._answer, REQUEST_LIMIT, RESPONSE_LIMIT)

    def offer(self, key: Key, public: bytes) -> None:
        """Begin to serve one."""
        self._made[key] = public

    def forget_before(self, task: Address, opening: Opening) -> None:
        """Stop serving for a task's earlier openings."""
        self._made = {key: public for key, public in self._made.items() if key[0] != task or key[1] >= opening}

    async def _answer(self, peer: PeerId, request: bytes) -> bytes:
        try:
            task, opening, group = load_json(request)
            key = (Address(str(task)), Opening(int(opening)), int(group))
        except (ValueError, TypeError, OverflowError) as error:
            raise Garbage("not-a-request") from error
        if key not in self._made:
            raise Refused("not-announced-here")
        return self._made[key]

    async def ask(self, peer: PeerId, key: Key) -> bytes:
        """A peer's announcement, unverified. Raises NetworkError."""
        return await self._host.request(peer, PROTOCOL, json.dumps(key).encode(), RESPONSE_LIMIT, timeout=10.0)


async def announce(
    mode: VectorMode,
    server: AnnouncementServer,
    journal: Journal,
    layout: Layout,
    context: Context,
    opening: Opening,
    me: Position,
    keys: RoundKeys,
) -> None:
    """Make, or take from the journal, what I owe the groups that I am the announcer of, and serve it."""
    for group in range(layout.groups.count):
        if mode.announcer(layout, context, group) != me:
            continue
        kept = journal.announcement(context.task, opening, group)
        if kept is None:
            made = await asyncio.to_thread(mode.announce, layout, context, group, me, keys, os.urandom)
            kept = journal.keep_announcement(context.task, opening, group, made)
        server.offer((context.task, opening, group), kept.public)
        log.info("key announced", task=context.task, opening=opening, group=group, bytes=len(kept.public))


async def announced(
    mode: VectorMode,
    server: AnnouncementServer,
    journal: Journal,
    peers: PeerBook,
    layout: Layout,
    context: Context,
    opening: Opening,
    me: Position,
) -> bytes | None:
    """The checked announcement for my group, asked for until it comes; None where the mode has none."""
    group = layout.group(me)
    announcer = mode.announcer(layout, context, group)
    if announcer is None:
        return None
    while True:
        if announcer == me:
            kept = journal.announcement(context.task, opening, group)
            if kept is not None:
                return kept.public
        for peer in peers.of([layout.roster[announcer].address]) if announcer != me else []:
            try:
                public = await server.ask(peer, (context.task, opening, group))
            except NetworkError as error:
                log.debug("no announcement", peer=peer, error=str(error))
                continue
            why = await asyncio.to_thread(mode.check_announcement, layout, context, group, public)
            if why is None and len(public) <= mode.announcement_limit(layout):
                return public
            log.warning("announcement refused", task=context.task, group=group, why=why or "too long")
        await asyncio.sleep(RETRY_SECONDS)
