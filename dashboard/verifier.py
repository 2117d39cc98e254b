"""Audits, one at a time and in a thread of their own: on request, and as rounds become final while somebody watches.

A verdict belongs to the very block in which the chain made its round final; after a reorganisation it is nobody's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

from foedus.aggregator.audit import audit_task
from foedus.aggregator.report import Report, RoundReport
from foedus.contracts.deployment import Deployment
from foedus.dashboard.blobs import ThreadedStore
from foedus.dashboard.follower import Followed
from foedus.dashboard.timeline import Timeline
from foedus.incentives.settlement import payout_rule
from foedus.protocol.events import LogPoint
from foedus.protocol.ids import Address, Hash32
from foedus.protocol.ports import BlobStore
from foedus.protocol.terms import Terms

WATCHED_SECONDS = 60.0
"""A task is watched this long after somebody asked for it."""

REST = 3.0
"""Unasked audits leave this many times their own duration between them."""

RETRY_SECONDS = 15.0
"""The pause after an audit that could not be run."""


class State(StrEnum):
    """Whether a task was audited here. FAILED: it could not be run, which says nothing about the task."""

    NEVER = "never"
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Verification:
    """A task's last audit. finals: where each audited round was made final; block: how far the log was read; at: when
    it ended, in seconds since the epoch."""

    state: State = State.NEVER
    report: Report | None = None
    finals: Mapping[int, LogPoint] = field(default_factory=lambda: MappingProxyType({}))
    block: int = 0
    at: float = 0.0
    seconds: float = 0.0
    error: str = ""

    def of(self, timeline: Timeline) -> RoundReport | None:
        """What was found about this very attempt, if it was audited."""
        number = timeline.round.number
        if self.report is None or timeline.finalized is None or self.finals.get(number) != timeline.finalized:
            return None
        return next((entry for entry in self.report.rounds if entry.round == number), None)

    def covers(self, task: Followed) -> bool:
        """Whether every finished round was audited."""
        return self.finals == finals_of(task)


def finals_of(task: Followed) -> dict[int, LogPoint]:
    """Where each finished round was made final."""
    return {line.round.number: line.finalized for line in task.timelines if line.finalized is not None}


class Source(Protocol):
    """Who knows the tasks; None where there is no such task."""

    def followed(self, task: Address) -> Followed | None: ...

    async def subject(self, task: Address) -> Subject | None: ...


@dataclass(frozen=True, slots=True)
class Subject:
    """What one audit is of: a task as of a block, and what it promised where that is known."""

    task: Followed
    block: int
    terms: Terms | None
    treasury: Address


class Verifier:
    """The audits of all tasks."""

    def __init__(self, store: BlobStore, deployment: Deployment, source: Source) -> None:
        self._store, self._deployment, self._source = store, deployment, source
        self._known: dict[Address, Verification] = {}
        self._waiting: dict[Address, None] = {}
        self._watched: dict[Address, float] = {}
        self._wake = asyncio.Event()

    def of(self, task: Address) -> Verification:
        """The task's last audit, and whether another is under way."""
        return self._known.get(task, Verification())

    def request(self, task: Address) -> None:
        """Audit the task as soon as those before it are done; once, however often it is asked."""
        known = self.of(task)
        if known.state not in (State.WAITING, State.RUNNING):
            self._known[task] = replace(known, state=State.WAITING, error="")
            self._waiting[task] = None
            self._wake.set()

    def watch(self, task: Address) -> None:
        """Somebody looks at the task: audit it, now and as its rounds become final."""
        self._watched[task] = time.monotonic()

    def request_watched(self) -> None:
        """Queue watched tasks whose finished rounds were not all audited."""
        now = time.monotonic()
        self._watched = {task: at for task, at in self._watched.items() if now - at < WATCHED_SECONDS}
        for task in self._watched:
            followed, known = self._source.followed(task), self.of(task)
            pause = RETRY_SECONDS if known.state is State.FAILED else REST * known.seconds
            rested = time.time() - known.at >= pause
            if followed is not None and followed.state.finished and rested and not known.covers(followed):
                self.request(task)

    async def run(self, changed: Callable[[], None]) -> None:
        """Work off what is asked for, for ever; `changed` is called as states change."""
        store = ThreadedStore(self._store, asyncio.get_running_loop())
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._waiting:
                    task = next(iter(self._waiting))
                    del self._waiting[task]
                    self._known[task] = replace(self.of(task), state=State.RUNNING)
                    changed()
                    self._known[task] = await self._verify(task, store)
                    changed()
        finally:
            store.close()

    async def _verify(self, task: Address, store: ThreadedStore) -> Verification:
        subject, before, began = await self._source.subject(task), self.of(task), time.monotonic()
        if subject is None:
            return Verification()
        finals, block = MappingProxyType(finals_of(subject.task)), subject.block
        try:
            report = await asyncio.to_thread(self._audit, subject, store)
        except Exception as error:
            return replace(before, state=State.FAILED, at=time.time(), error=f"{type(error).__name__}: {error}")
        return Verification(State.DONE, report, finals, block, time.time(), time.monotonic() - began)

    def _audit(self, subject: Subject, store: ThreadedStore) -> Report:
        """The audit itself, in the caller's thread."""
        terms = subject.terms
        payouts = payout_rule(terms, subject.treasury) if terms is not None else None
        genesis = Hash32(bytes.fromhex(self._deployment.genesis.removeprefix("0x")))
        return asyncio.run(audit_task(subject.task.entries, store, genesis, self._deployment.chain_id, payouts))
