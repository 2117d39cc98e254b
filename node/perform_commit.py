"""The commit: train from the chain's model, mask, write down, store, commit."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from dataclasses import asdict, dataclass
from hashlib import sha256

import numpy as np
import structlog
from numpy.typing import NDArray

from foedus.aggregator.bundle import Prepared, make_bundle
from foedus.aggregator.keys import RoundKeys
from foedus.contracts import calls
from foedus.contracts.calls import Call
from foedus.learning.client import Client
from foedus.learning.update import LocalUpdate
from foedus.network.cid import cid_of
from foedus.node.announcements import announced
from foedus.node.bench import Bench
from foedus.node.budget import budget, opened
from foedus.node.journal import Masking
from foedus.protocol.ids import Address, Cid, Hash32, Opening, RoundNumber
from foedus.protocol.round import Round
from foedus.protocol.task import Task

log = structlog.get_logger(__name__)

_TRAINING = threading.Lock()


@dataclass(frozen=True, slots=True)
class CommitWords:
    """The words of one commit transaction, and where its blobs are; hex digests, as the journal keeps them."""

    generation: int
    update_root: str
    seeds_root: str
    bundle: str
    data_root: str
    update_cid: str
    envelope_cid: str
    beside: tuple[str, ...] = ()

    def to_bytes(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_bytes(cls, blob: bytes) -> CommitWords:
        kept = json.loads(blob)
        return cls(**{**kept, "beside": tuple(kept.get("beside", ()))})

    def call(self, task: Address, next_keys: RoundKeys) -> Call:
        """The transaction; `next_keys` serve the opening after this one."""

        def word(text: str) -> Hash32:
            return Hash32(bytes.fromhex(text))

        return calls.commit(
            task,
            self.generation,
            word(self.update_root),
            word(self.seeds_root),
            word(self.bundle),
            word(self.data_root),
            next_keys.mask_key,
            next_keys.box_key,
        )


async def perform_commit(bench: Bench, task: Task, round_: Round) -> None:
    """Make this participant's commitment, or send again the one that the journal holds. With its privacy budget spent
    the participant sits out."""
    words = await _written(bench, round_)
    if words is None:
        left = budget(bench.terms, bench.manifest, opened(bench.journal, bench.task, bench.me, bench.entries()))
        if left is not None and not left.allows:
            why = f"one more round would bring epsilon to {left.after:.4g}, the terms allow {left.limit:.4g}"
            log.error("sitting out", task=bench.task, round=round_.number, releases=left.releases, why=why)
            return
        words = await _make(bench, task, round_)
    next_keys = bench.fresh_keys(Opening(round_.opening + 1))
    receipt = await bench.send(_label(round_), words.call(bench.task, next_keys))
    log.info("update committed", task=bench.task, round=round_.number, attempt=round_.attempt, gas=receipt.gas_used)


def _label(round_: Round) -> str:
    return f"commit/{round_.opening}"


def _pins(bench: Bench, round_: Round) -> str:
    return f"{bench.task}/{round_.number}"


async def _written(bench: Bench, round_: Round) -> CommitWords | None:
    """What was written down before a crash, if its blobs were stored too, or its transaction signed: the chain may
    have that, and another masking would leave this node unable to open what it committed to. Otherwise the blobs that
    were stored are let go: the next masking makes others."""
    kept = bench.journal.masking(bench.task, round_.opening)
    if kept is None:
        return None
    words = CommitWords.from_bytes(kept.words)
    if bench.journal.sent(bench.task, _label(round_)) is not None:
        return words
    cids = [Cid(cid) for cid in (words.update_cid, words.envelope_cid, *words.beside)]
    if all([await bench.store.local.has(cid) for cid in cids]):
        return words
    for cid in cids:
        await bench.store.local.unpin(cid, _pins(bench, round_))
    return None


def _train(client: Client, base: NDArray[np.int32], round_: RoundNumber) -> LocalUpdate:
    """One training at a time: a thread cannot be called off, and model and random state are the process's own."""
    with _TRAINING:
        return client.update(base, round_)


async def _make(bench: Bench, task: Task, round_: Round) -> CommitWords:
    keys, client = bench.round_keys(task, round_), await bench.client()
    base = await bench.model(task, round_.base_root)
    update = await asyncio.to_thread(_train, client, base, round_.number)
    data_root = await asyncio.to_thread(client.data_root, bench.enrolment.salt)
    log.info("trained", task=bench.task, round=round_.number, **update.metrics)
    made = await _prepared(bench, round_, keys, update)
    update_cid, beside = cid_of(made.update_blob), tuple(cid_of(blob) for blob in made.beside)
    envelope = made.seal(update_cid, *beside)
    words = CommitWords(
        generation=task.participants[bench.me].generation + 1,
        update_root=made.update_root.hex(),
        seeds_root=made.seeds_root.hex(),
        bundle=sha256(envelope).hexdigest(),
        data_root=data_root.hex(),
        update_cid=update_cid,
        envelope_cid=cid_of(envelope),
        beside=beside,
    )
    secrets = made.secrets.to_bytes() if made.secrets is not None else b""
    masking = Masking(secrets, words.to_bytes())
    bench.journal.keep_masking(bench.task, round_.opening, masking)
    for blob in (made.update_blob, *made.beside, envelope):
        await bench.store.put(blob, _pins(bench, round_))
    return words


async def _prepared(bench: Bench, round_: Round, keys: RoundKeys, update: LocalUpdate) -> Prepared:
    """The bundle in the terms' mode; where a key is to be announced first, once it was."""
    layout, context, me = bench.layout(round_), bench.context(round_), bench.position(round_)
    mode = bench.mode
    if mode is None:
        return await asyncio.to_thread(make_bundle, layout, context, me, keys, update.source, os.urandom)
    place = (bench.announcements, bench.journal, bench.peers, layout, context, round_.opening, me)
    public = await announced(mode, *place)
    return await asyncio.to_thread(mode.prepare, layout, context, me, keys, update.lanes, os.urandom, public)
