"""The terms of tasks, from the store: what is promised in them stands only as a digest on the chain."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from foedus.protocol.cids import block_cid
from foedus.protocol.ids import Hash32
from foedus.protocol.ports import BlobCorrupt, BlobMissing, BlobStore, BlobTooLarge
from foedus.protocol.task import Task
from foedus.protocol.terms import MAX_TERMS_BYTES, InvalidTerms, Terms

RETRY_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class NoTerms:
    """Why a task's terms cannot be shown. wrong: they were there, and are not what the chain says; else nobody had
    them, which says nothing about them."""

    reason: str
    wrong: bool


class Library:
    """Terms by task; what could not be read is asked for again after RETRY_SECONDS."""

    def __init__(self, store: BlobStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._clock = store, clock
        self._known: dict[Hash32, Terms | NoTerms] = {}
        self._asked: dict[Hash32, float] = {}

    def terms(self, task: Task) -> Terms | NoTerms:
        """What is known now, without waiting. Terms that do not fit the contract are never answered."""
        found = self._known.get(task.terms, NoTerms("not read from the store yet", wrong=False))
        return self._fitting(task, found) if isinstance(found, Terms) else found

    async def read(self, tasks: Iterable[Task]) -> bool:
        """Ask the store for terms not known yet; whether anything new was learned."""
        news = False
        for task in tasks:
            digest, now = task.terms, self._clock()
            due = digest not in self._asked or now - self._asked[digest] >= RETRY_SECONDS
            if due and not isinstance(self._known.get(digest), Terms):
                self._asked[digest] = now
                found = await self._fetch(digest)
                news = news or found != self._known.get(digest)
                self._known[digest] = found
        return news

    async def _fetch(self, digest: Hash32) -> Terms | NoTerms:
        try:
            blob = await self._store.get(block_cid(digest), MAX_TERMS_BYTES)
        except (BlobMissing, OSError) as error:
            return NoTerms(str(error), wrong=False)
        except (BlobCorrupt, BlobTooLarge) as error:
            return NoTerms(str(error), wrong=True)
        try:
            return Terms.from_bytes(blob)
        except InvalidTerms as error:
            return NoTerms(f"not terms of this protocol: {error}", wrong=True)

    @staticmethod
    def _fitting(task: Task, terms: Terms) -> Terms | NoTerms:
        for name, promised, enforced in (("params", terms.params, task.params), ("pool", terms.pool, task.pool)):
            if promised != enforced:
                return NoTerms(f"the terms say another {name} than the contract enforces", wrong=True)
        return terms
