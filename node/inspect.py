"""Fetches and checks the bundles of an opening as they are committed: the verdicts stand when the freeze comes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection

import structlog

from foedus.aggregator.bundle import BundleError, Envelope
from foedus.aggregator.freeze import check_envelope, check_shares, check_update, disputes_of, find_disputes
from foedus.aggregator.keys import RoundKeys
from foedus.aggregator.layout import ENVELOPE_LIMIT, Layout
from foedus.network.cid import InvalidCid, cid_of_block_digest
from foedus.node.bench import Bench
from foedus.protocol.bitmap import Pair
from foedus.protocol.ids import Cid, Position, RoundNumber
from foedus.protocol.ports import BlobCorrupt, BlobMissing, BlobTooLarge
from foedus.protocol.round import Commitment, Round

log = structlog.get_logger(__name__)

RETRY_SECONDS = 0.7


class Inspector:
    """The verdicts on one opening's bundles. A bundle that nobody serves yet is asked for again and again."""

    def __init__(self, bench: Bench, round_: Round, keys: RoundKeys) -> None:
        self._bench = bench
        self._keys = keys
        self.opening = round_.opening
        self.layout: Layout = bench.layout(round_)
        self.context = bench.context(round_)
        self._me = bench.position(round_)
        self._checks: dict[Position, asyncio.Task[None]] = {}
        self.envelopes: dict[Position, Envelope] = {}
        self.valid: set[Position] = set()
        self.faulty: set[Position] = set()

    def watch(self, round_: Round) -> None:
        """Start on the commitments that are new."""
        for position, commitment in round_.commitments.items():
            check = self._checks.get(position)
            if check is not None and check.done() and position not in self.valid | self.faulty:
                log.warning("bundle not judged", round=round_.number, position=position, why=str(check.exception()))
                check = None  # a fault of this node's own, such as a full disk: it is tried again
            if check is None:
                self._checks[position] = asyncio.create_task(self._check(round_, commitment))

    def settled(self, round_: Round) -> bool:
        """Whether every commitment has its verdict."""
        return all(p in self.valid or p in self.faulty for p in round_.commitments)

    async def ready(self, positions: Collection[Position]) -> None:
        """Wait until these participants' bundles were fetched and judged."""
        await asyncio.gather(*(asyncio.shield(self._checks[position]) for position in positions))

    def disputes(self) -> frozenset[Pair]:
        """The pairs that disagree, by the envelopes and by my own seeds."""
        mine = disputes_of(self.layout, self.context, self._me, self._keys, self.envelopes)
        return find_disputes(self.layout, self.envelopes) | mine

    async def vector(self, position: Position) -> bytes:
        """A valid participant's masked vector, from the local store."""
        return await self._bench.store.get(self.envelopes[position].update, self._vector_bytes)

    @property
    def _vector_bytes(self) -> int:
        return 4 * self._bench.manifest.update_lanes

    async def _fetch(self, cid: Cid, limit: int, owner: Position) -> bytes:
        holders = self._bench.peers.of([self.layout.roster[owner].address])
        while True:
            try:
                return await self._bench.store.get(cid, limit, holders)
            except BlobMissing:
                await asyncio.sleep(RETRY_SECONDS)

    async def _check(self, round_: Round, commitment: Commitment) -> None:
        owner = commitment.position
        try:
            faults = await self._faults(round_.number, commitment)
        except (BundleError, BlobCorrupt, BlobTooLarge, InvalidCid) as error:
            faults = [error]
        if faults:
            named = [f"{type(fault).__name__}: {fault}" for fault in faults]
            log.warning("bundle refused", round=round_.number, participant=commitment.participant, faults=named)
            self.faulty.add(owner)
        else:
            self.valid.add(owner)

    async def _faults(self, round_number: RoundNumber, commitment: Commitment) -> list[object]:
        owner, box = commitment.position, (self._me, self._keys)
        sealed = await self._fetch(cid_of_block_digest(commitment.bundle), ENVELOPE_LIMIT, owner)
        read = await asyncio.to_thread(check_envelope, self.layout, commitment, sealed)
        if not isinstance(read, Envelope):
            return [read]
        self.envelopes[owner] = read
        blob = await self._fetch(read.update, self._vector_bytes, owner)
        label = f"{self._bench.task}/{round_number}"
        await self._bench.store.local.pin(cid_of_block_digest(commitment.bundle), label)
        await self._bench.store.local.pin(read.update, label)
        wrong = await asyncio.to_thread(check_update, commitment, blob, self._bench.manifest.update_lanes)
        found: list[object] = [wrong] if wrong is not None else []
        if self._me in self.layout.committee:
            shares = await asyncio.to_thread(check_shares, self.layout, self.context, read, *box, os.urandom)
            found.extend(shares)
        return found

    def close(self) -> None:
        """Stop what still runs."""
        for check in self._checks.values():
            check.cancel()
