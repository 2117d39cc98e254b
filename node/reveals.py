"""Request and response for what opens a round: what this node reveals of a frozen round, to whoever asks.

Nothing is answered before `open` was called for the opening, and that only happens once the freeze is final on the
chain and the guard is bound. What is answered is public by then, and proves itself against the commitments.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass

from foedus.network.errors import Garbage, Refused
from foedus.network.host import Host
from foedus.protocol.bitmap import MalformedBitmap, from_bitmap, to_bitmap
from foedus.protocol.hostile import load_json
from foedus.protocol.ids import Address, Opening, PeerId, Position

PROTOCOL = "/foedus/reveal/1"
REQUEST_LIMIT = 1024
RESPONSE_LIMIT = 1 << 22


@dataclass(frozen=True, slots=True)
class Answered:
    """A peer's own reveal, and its shares of those who are absent; empty where it has none to give."""

    reveal: bytes
    release: bytes


@dataclass(frozen=True, slots=True)
class Offer:
    """One opening's answers: `release` makes the shares of absent survivors."""

    domain: int
    reveal: bytes
    release: Callable[[frozenset[Position]], bytes]


Key = tuple[Address, Opening]


class RevealServer:
    """Answers for the openings that were frozen."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._offers: dict[Key, Offer] = {}
        host.serve(PROTOCOL, self._answer, REQUEST_LIMIT, RESPONSE_LIMIT)

    def open(self, key: Key, offer: Offer) -> None:
        """Begin to answer for an opening."""
        self._offers[key] = offer

    def is_open(self, key: Key) -> bool:
        return key in self._offers

    def forget_before(self, task: Address, opening: Opening) -> None:
        """Stop answering for a task's earlier openings."""
        self._offers = {key: offer for key, offer in self._offers.items() if key[0] != task or key[1] >= opening}

    def mine(self, key: Key, absent: frozenset[Position]) -> Answered:
        """What this node would answer. Raises KeyError where it is not open."""
        offer = self._offers[key]
        return Answered(offer.reveal, offer.release(absent) if absent else b"")

    async def _answer(self, peer: PeerId, request: bytes) -> bytes:
        try:
            task, opening, absent = load_json(request)
            key = (Address(str(task)), Opening(int(opening)))
            bitmap = bytes.fromhex(absent)
        except (ValueError, TypeError, OverflowError) as error:
            raise Garbage("not-a-request") from error
        if key not in self._offers:
            raise Refused("not-frozen-here")
        try:
            missing = from_bitmap(bitmap, self._offers[key].domain)
        except MalformedBitmap as error:
            raise Garbage("not-a-bitmap") from error
        given = await asyncio.to_thread(self.mine, key, missing)
        return len(given.reveal).to_bytes(4, "big") + given.reveal + given.release

    async def ask(self, peer: PeerId, key: Key, absent: frozenset[Position], domain: int) -> Answered:
        """A peer's answer, unverified. Raises NetworkError."""
        request = json.dumps([*key, to_bitmap(absent, domain).hex()]).encode()
        answer = await self._host.request(peer, PROTOCOL, request, RESPONSE_LIMIT, timeout=10.0)
        size = int.from_bytes(answer[:4], "big")
        return Answered(answer[4 : 4 + size], answer[4 + size :])
