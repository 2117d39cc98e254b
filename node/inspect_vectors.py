"""The inspector in the modes where a few members open a whole group's sum."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

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
    """Fetches and checks what the mode says, and announces what this node owes its groups."""

    def __init__(self, bench: Bench, round_: Round, keys: RoundKeys, mode: VectorMode) -> None:
        super().__init__(bench, round_, keys)
        self.mode = mode
        self.read: dict[Position, VectorEnvelope] = {}
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

    async def _faults(self, round_number: RoundNumber, commitment: Commitment) -> list[object]:
        owner, lanes = commitment.position, self._lanes
        sealed = await self._fetch(cid_of_block_digest(commitment.bundle), ENVELOPE_LIMIT, owner)
        read = await asyncio.to_thread(self.mode.check_envelope, self.layout, commitment, sealed)
        if isinstance(read, Fault):
            return [read]
        blobs = {blob.cid: blob for me in (None, self._me) for blob in self.mode.beside(self.layout, read, me, lanes)}
        vector = await self._fetch(read.update, self._vector_bytes, owner)
        got = {cid: await self._fetch(cid, blob.limit, owner) for cid, blob in blobs.items()}
        label = f"{self._bench.task}/{round_number}"
        for cid in (cid_of_block_digest(commitment.bundle), read.update, *blobs):
            await self._bench.store.local.pin(cid, label)
        wrong = await asyncio.to_thread(self.mode.check_vector, commitment, vector, lanes)
        beside = tuple(got[blob.cid] for blob in self.mode.beside(self.layout, read, self._me, lanes))
        announced = self._bench.journal.announcement(self._bench.task, self.opening, self.layout.group(owner))
        found = await asyncio.to_thread(
            self.mode.check_beside,
            self.layout,
            self.context,
            read,
            vector,
            beside,
            (self._me, self._keys),
            announced.secret if announced is not None else None,
        )
        if wrong is None and not found:
            self.read[owner] = read
        return [*([wrong] if wrong is not None else []), *found]

    def close(self) -> None:
        """Stop what still runs."""
        self._announcing.cancel()
        super().close()
