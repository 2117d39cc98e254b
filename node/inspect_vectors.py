"""The inspector in the modes where a few members open a whole group's sum.

A bundle has what everybody reads, and what is for one member alone. Who lacks the second, or finds it wrong, signs no
freeze and gives no part, but can still add up and attest: others' parts may open the group.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Sequence

import structlog

from foedus.aggregator.freeze import Fault
from foedus.aggregator.keys import RoundKeys
from foedus.aggregator.layout import ENVELOPE_LIMIT
from foedus.aggregator.modes import Bundle, VectorEnvelope, VectorMode
from foedus.network.cid import cid_of_block_digest
from foedus.node.announcements import announce
from foedus.node.bench import Bench
from foedus.node.inspect import Inspector
from foedus.protocol.bitmap import Pair
from foedus.protocol.ids import Position, RoundNumber
from foedus.protocol.round import Commitment, Round

log = structlog.get_logger(__name__)


class VectorInspector(Inspector):
    """Fetches and checks what the mode says, and announces what this node owes its groups.

    read: the envelopes of bundles of which all that everybody needs is here and right; giving: makes my parts.
    """

    def __init__(self, bench: Bench, round_: Round, keys: RoundKeys, mode: VectorMode) -> None:
        super().__init__(bench, round_, keys)
        self.mode = mode
        self.read: dict[Position, VectorEnvelope] = {}
        self.giving: asyncio.Task[None] | None = None
        self._readable: defaultdict[Position, asyncio.Event] = defaultdict(asyncio.Event)
        self._announcing = asyncio.create_task(self._announce())

    async def _announce(self) -> None:
        bench = self._bench
        place = (self.layout, self.context, self.opening, self._me, self._keys)
        try:
            await announce(self.mode, bench.announcements, bench.journal, *place)
        except Exception as error:  # without it a group cannot commit, and the attempt is given up
            log.error("key not announced", task=bench.task, opening=self.opening, why=repr(error))

    def disputes(self) -> frozenset[Pair]:
        """No two participants share anything."""
        return frozenset()

    def may_aggregate(self, position: Position) -> bool:
        """Whether a position may propose this round's aggregate."""
        return self.mode.may_aggregate(self.layout, self.context, position)

    async def ready(self, positions: Collection[Position]) -> None:
        """Wait until what everybody needs of these bundles was fetched and judged."""
        for position in positions:
            await self._readable[position].wait()

    async def whole(self, positions: Collection[Position]) -> None:
        """Wait until what is for me alone was, too."""
        await super().ready(positions)

    async def bundles(self, members: Sequence[Position], *, mine: bool) -> dict[Position, Bundle]:
        """Valid participants' bundles from the local store. mine: with the blobs that are for me; else an auditor's."""
        store, me = self._bench.store, self._me if mine else None
        found: dict[Position, Bundle] = {}
        for position in members:
            envelope = self.read[position]
            vector = await store.get(envelope.update, self._vector_bytes)
            blobs = self.mode.beside(self.layout, envelope, me, self._lanes)
            beside = tuple([await store.get(blob.cid, blob.limit) for blob in blobs])
            found[position] = Bundle(envelope, vector, beside)
        return found

    @property
    def _lanes(self) -> int:
        return self._bench.manifest.update_lanes

    @property
    def _vector_bytes(self) -> int:
        return self.mode.vector_limit(self._lanes)

    async def _check(self, round_: Round, commitment: Commitment) -> None:
        await super()._check(round_, commitment)
        self._readable[commitment.position].set()

    async def _faults(self, round_number: RoundNumber, commitment: Commitment) -> list[object]:
        owner, lanes, label = commitment.position, self._lanes, f"{self._bench.task}/{round_number}"
        bundle = cid_of_block_digest(commitment.bundle)
        sealed = await self._fetch(bundle, ENVELOPE_LIMIT, owner)
        read = await asyncio.to_thread(self.mode.check_envelope, self.layout, commitment, sealed)
        if isinstance(read, Fault):
            return [read]
        vector = await self._fetch(read.update, self._vector_bytes, owner)
        await self._bench.store.local.pin(read.update, label)
        wrong = await asyncio.to_thread(self.mode.check_vector, commitment, vector, lanes)
        if wrong is not None:
            return [wrong]
        if found := await self._beside(read, vector, label, mine=False):
            return found
        self.read[owner] = read
        self._readable[owner].set()
        found = await self._beside(read, vector, label, mine=True)
        await self._bench.store.local.pin(bundle, label)  # last: it tells that all of the bundle is here
        return found

    async def _beside(self, read: VectorEnvelope, vector: bytes, label: str, *, mine: bool) -> list[object]:
        """Fetch the blobs beside an envelope that everybody needs, or I; what is wrong with them."""
        receiver = (self._me, self._keys) if mine else None
        beside: list[bytes] = []
        for blob in self.mode.beside(self.layout, read, self._me if mine else None, self._lanes):
            beside.append(await self._fetch(blob.cid, blob.limit, read.owner))
            await self._bench.store.local.pin(blob.cid, label)
        announced = self._bench.journal.announcement(self._bench.task, self.opening, self.layout.group(read.owner))
        secret = announced.secret if announced is not None and mine else None
        place = (self.layout, self.context, read, vector, beside, receiver, secret)
        return list(await asyncio.to_thread(self.mode.check_beside, *place))

    def close(self) -> None:
        """Stop what still runs."""
        self._announcing.cancel()
        if self.giving is not None:
            self.giving.cancel()
        super().close()
