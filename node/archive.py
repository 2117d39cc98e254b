"""Keeps this node's share of a task's finished rounds: pins and fetches it, checks it, mends it, lets the rest go.

One thing at a time, in the background: a round that is to be kept and is not whole; else one blob, read and compared
with its name. A block that is gone or corrupt is fetched from whoever else keeps the round. Pins come before the fetch,
and go only when `retention` says so; blocks go when the store needs their room.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable

import structlog

from foedus.aggregator.aggregate import MalformedProposal, ProposalManifest
from foedus.aggregator.freeze import Fault, check_envelope
from foedus.aggregator.layout import ENVELOPE_LIMIT, Layout
from foedus.aggregator.modes import vector_mode
from foedus.aggregator.parts import opening_limit
from foedus.aggregator.rules import rule_of
from foedus.network.cid import InvalidCid, cid_of_block_digest
from foedus.network.netstore import NetworkStore
from foedus.network.scrub import drop_corrupt
from foedus.node.bench import MANIFEST_LIMIT, TASK_LABEL, keep_terms
from foedus.node.retention import Retention, keepers
from foedus.protocol.chunks import CHUNK_LANES
from foedus.protocol.ids import Address, Cid, Hash32, PeerId
from foedus.protocol.manifest import Manifest
from foedus.protocol.ports import BlobCorrupt, BlobMissing, BlobTooLarge
from foedus.protocol.round import Commitment, Round
from foedus.protocol.task import Task
from foedus.protocol.terms import Terms

log = structlog.get_logger(__name__)

PAUSE_SECONDS = 5.0
"""Between two looks when nothing is lacking."""

CHECK_SHARE = 0.1
"""Of the time, at most, goes into reading blobs to check them."""

CHECK_EVERY = 86_400.0
"""Seconds between two checks of the same blob, or more where there are many."""

RETRY_SECONDS, RETRY_MOST = 30.0, 900.0
"""Before a round of which something was missing is asked for again; each time twice as long, up to the most."""


class Archivist:
    """One task's archive: `look` at every tick. peers_of: the peers of accounts, as far as they are known."""

    def __init__(
        self,
        store: NetworkStore,
        terms: Terms,
        manifest: Manifest,
        me: Address,
        peers_of: Callable[[Iterable[Address]], list[PeerId]],
        retention: Retention | None = None,
    ) -> None:
        self._store, self._terms, self._manifest, self._me = store, terms, manifest, me
        self._peers_of, self.retention = peers_of, retention or Retention()
        self._whole: set[Hash32] = set()
        self._retry: dict[Hash32, tuple[float, float]] = {}
        self._basics = False
        self._unchecked: list[tuple[str, Cid]] = []
        self._check_at = self._next_at = 0.0
        self._work: asyncio.Task[None] | None = None

    def look(self, task: Task, now: float) -> None:
        """Begin the next piece of work where the last is done. now: the chain's time."""
        if (self._work is None or self._work.done()) and time.monotonic() >= self._next_at:
            self._work = asyncio.create_task(self._next(task, now))

    def close(self) -> None:
        """Stop."""
        if self._work is not None:
            self._work.cancel()

    async def _next(self, task: Task, now: float) -> None:
        pause = PAUSE_SECONDS
        try:
            kept = [done for done in task.finished if self.retention.keeps(task, done, self._me, now)]
            await asyncio.to_thread(self._let_go, task, frozenset(done.number for done in kept))
            tidying = await asyncio.to_thread(self._store.local.tidy)
            lacking = [done for done in kept if self._is_due(done)]
            if lacking:
                await self._keep(task, lacking[0])
                pause = 0.0
            elif not self._basics:
                await keep_terms(self._store, self._terms)
                self._basics, pause = True, 0.0
            else:
                pause = 0.0 if tidying else await self._check(task, kept)
        except Exception as error:  # a full store, or nobody who has the terms: the next look may find it better
            log.error("archive not kept up", task=task.address, why=str(error))
            pause = RETRY_SECONDS
        self._next_at = time.monotonic() + pause

    def _is_due(self, done: Round) -> bool:
        return _name(done) not in self._whole and time.monotonic() >= self._retry.get(_name(done), (0.0, 0.0))[0]

    def _let_go(self, task: Task, kept: frozenset[int]) -> None:
        """Unpin the finished rounds that others keep. What is pending, or under way, is no finished round."""
        pins = self._store.local.pins
        held = pins.labels_under(f"{task.address}/")
        for done in task.finished:
            if done.number not in kept and _label(task, done) in held:
                blobs = pins.release(_label(task, done))
                self._whole.discard(_name(done))
                log.info("round let go", task=task.address, round=done.number, blobs=blobs)

    async def _keep(self, task: Task, done: Round) -> None:
        """Pin and fetch all of a round that can be had; what is missing is asked for again later. Once all is here, the
        rest is let go: parts of which the sum was opened, proposals that were not taken."""
        holders, label = self._peers_of(keepers(task, done, self.retention.copies)), _label(task, done)
        fetching = _Fetching(self._store, label, holders)
        missing = await fetching.whole(done, self._terms, self._manifest)
        if not missing:
            for cid in await asyncio.to_thread(self._store.local.pins.roots, label) - fetching.kept:
                await self._store.local.unpin(cid, label)
            self._whole.add(_name(done))
            self._retry.pop(_name(done), None)
            log.info("round archived", task=task.address, round=done.number)
            return
        pause = min(RETRY_MOST, 2 * self._retry.get(_name(done), (0.0, RETRY_SECONDS / 2))[1])
        self._retry[_name(done)] = (time.monotonic() + pause, pause)
        log.info("round not archived yet", task=task.address, round=done.number, missing=len(missing), why=missing[0])

    async def _check(self, task: Task, kept: list[Round]) -> float:
        """Read one blob, and drop what is not as it was written; the seconds to rest."""
        if not self._unchecked:
            if time.monotonic() < self._check_at:
                return PAUSE_SECONDS
            self._check_at = time.monotonic() + CHECK_EVERY
            labels = [TASK_LABEL, *(_label(task, done) for done in kept)]
            roots = self._store.local.pins.roots
            self._unchecked = [(label, cid) for label in labels for cid in await asyncio.to_thread(roots, label)]
            return 0.0
        (label, cid), began = self._unchecked.pop(), time.monotonic()
        if dropped := await asyncio.to_thread(drop_corrupt, self._store.local.disk, cid):
            log.error("corrupt blocks dropped", task=task.address, cid=cid, blocks=dropped)
        if not await self._store.local.has(cid):
            self._whole -= {_name(done) for done in kept if _label(task, done) == label}
            self._basics = self._basics and label != TASK_LABEL
            return 0.0
        return (time.monotonic() - began) * (1 / CHECK_SHARE - 1)


class _Fetching:
    """Pins and fetches the blobs of one round, and notes which they are, and what cannot be had."""

    def __init__(self, store: NetworkStore, label: str, holders: list[PeerId]) -> None:
        self._store, self._label, self._holders = store, label, holders
        self.kept: set[Cid] = set()
        self.missing: list[str] = []

    async def whole(self, done: Round, terms: Terms, manifest: Manifest) -> list[str]:
        """The bundles, seeds and models of a finished round; why some are not here, empty where all are."""
        layout = Layout.of(done, terms)
        for position in sorted(done.survivors):
            sealed = await self._read(cid_of_block_digest(done.commitments[position].bundle), ENVELOPE_LIMIT)
            if sealed is not None:
                await self._keep_bundle(layout, done.commitments[position], sealed, terms, manifest)
        if done.proposal is None:
            return self.missing
        block = await self._read(cid_of_block_digest(done.proposal.aggregate.manifest), MANIFEST_LIMIT)
        if block is None:
            return self.missing
        try:
            made = ProposalManifest.from_bytes(block)
        except MalformedProposal as error:
            return [*self.missing, str(error)]
        await self._keep(made.model, 4 * manifest.model_lanes)
        await self._keep(made.unmask, opening_limit(terms.mode, layout, manifest.update_lanes))
        await self._keep(made.tops, 32 * manifest.update_lanes // CHUNK_LANES)
        if made.state is not None:
            await self._keep(made.state, 4 * manifest.model_lanes * rule_of(terms).state_lanes)
        return self.missing

    async def _keep_bundle(
        self, layout: Layout, made: Commitment, sealed: bytes, terms: Terms, manifest: Manifest
    ) -> None:
        """The blobs that an envelope names, as far as an auditor needs them."""
        mode, lanes = vector_mode(terms.mode), manifest.update_lanes
        if mode is None:
            read = check_envelope(layout, made, sealed)
            if isinstance(read, Fault):
                self.missing.append(str(read))
            else:
                await self._keep(read.update, 4 * lanes)
            return
        found = mode.check_envelope(layout, made, sealed)
        if isinstance(found, Fault):
            self.missing.append(str(found))
            return
        await self._keep(found.update, mode.vector_limit(lanes))
        for blob in mode.beside(layout, found, None, lanes):
            await self._keep(blob.cid, blob.limit)

    async def _keep(self, cid: Cid, limit: int) -> bool:
        self.kept.add(cid)
        try:
            await self._store.local.pin(cid, self._label)
            await self._store.fetch(cid, limit, self._holders)
        except (BlobMissing, BlobCorrupt, BlobTooLarge, InvalidCid) as error:
            self.missing.append(str(error))
            return False
        return True

    async def _read(self, cid: Cid, limit: int) -> bytes | None:
        return await self._store.get(cid, limit, self._holders) if await self._keep(cid, limit) else None


def _label(task: Task, done: Round) -> str:
    return f"{task.address}/{done.number}"


def _name(done: Round) -> Hash32:
    """What a finished round goes by: a reorganisation may have finished it otherwise."""
    return done.proposal.digest if done.proposal is not None else done.seed
