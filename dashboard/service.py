"""The dashboard's one mutable thing: what it last read, what went wrong since, and the jobs that keep it fresh."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from foedus.contracts.deployment import Deployment
from foedus.contracts.errors import LedgerError
from foedus.contracts.ledger import Ledger
from foedus.dashboard.follower import Followed, Follower, Snapshot
from foedus.dashboard.library import Library
from foedus.dashboard.verifier import Subject, Verifier
from foedus.protocol.ids import Address
from foedus.protocol.ports import BlobStore
from foedus.protocol.task import ImpossibleEvent
from foedus.protocol.terms import Terms

POLL_SECONDS = 1.0
STALE_SECONDS = 10.0
"""A state older than this is shown with its age."""

NOBODY = Address("0x" + "00" * 20)


@dataclass(frozen=True, slots=True)
class Health:
    """How fresh the state is. fault: why the last reading failed, or empty; age: seconds since the last one that did
    not; version: grows with every change of what pages show."""

    fault: str
    age: float
    version: int

    @property
    def stale(self) -> bool:
        """Whether what is shown may no longer be so."""
        return bool(self.fault) or self.age > STALE_SECONDS


class Service:
    """Follows one deployment through one RPC, with one store. Belongs to one event loop."""

    def __init__(
        self, rpc: str, deployment: Deployment, store: BlobStore, poll_seconds: float = POLL_SECONDS, watch: bool = True
    ) -> None:
        self.rpc, self.deployment = rpc, deployment
        self.snapshot: Snapshot | None = None
        self.treasury = NOBODY
        self.library = Library(store)
        self.verifier = Verifier(store, deployment, self)
        self._poll_seconds, self._watch = poll_seconds, watch
        self._follower = Follower()
        self._fault = "the chain has not been read yet"
        self._read_at = time.monotonic()
        self._version = 1
        self._asked = asyncio.Event()

    @property
    def health(self) -> Health:
        """How fresh the state is, now."""
        return Health(self._fault, time.monotonic() - self._read_at, self._version)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep the state fresh while the context lasts."""
        async with asyncio.TaskGroup() as group:
            jobs = [group.create_task(job) for job in (self._follow(), self._shelve(), self.verifier.run(self._change))]
            try:
                yield
            finally:
                for job in jobs:
                    job.cancel()

    async def settled(self) -> None:
        """Return once the chain was asked for the first time, whether or not it answered."""
        await self._asked.wait()

    def followed(self, task: Address) -> Followed | None:
        """A task as it was last read."""
        return self.snapshot.tasks.get(task) if self.snapshot is not None else None

    def terms(self, task: Address) -> Terms | None:
        """A task's terms where they are known and fit the contract."""
        found = self.followed(task)
        terms = self.library.terms(found.state) if found is not None else None
        return terms if isinstance(terms, Terms) else None

    async def subject(self, task: Address) -> Subject | None:
        """What an audit of the task is of, its terms asked for first."""
        snapshot, found = self.snapshot, self.followed(task)
        if snapshot is None or found is None:
            return None
        await self.library.read([found.state])
        return Subject(found, snapshot.head.number, self.terms(task), self.treasury)

    def _change(self) -> None:
        self._version += 1

    async def _follow(self) -> None:
        """Read on, and connect again after any failure: what answers then is checked to be the same chain."""
        while True:
            try:
                async with await Ledger.connect(self.rpc, self.deployment) as ledger:
                    (treasury,) = await ledger.view("TaskFactory", self.deployment.factory, "TREASURY")
                    self.treasury = Address(treasury)
                    while True:
                        self._take(await self._follower.poll(ledger))
                        await asyncio.sleep(self._poll_seconds)
            except (LedgerError, ImpossibleEvent, LookupError) as error:
                if self._fault != str(error):
                    self._fault = str(error)
                    self._change()
                self._asked.set()
            await asyncio.sleep(self._poll_seconds)

    def _take(self, snapshot: Snapshot) -> None:
        before = self.snapshot
        self.snapshot, self._read_at = snapshot, time.monotonic()
        if self._fault or before is None or before.tasks != snapshot.tasks:
            self._change()
        self._fault = ""
        self._asked.set()
        if self._watch:
            self.verifier.request_watched()

    async def _shelve(self) -> None:
        """Read terms as tasks appear."""
        while True:
            if self.snapshot is not None and await self.library.read(
                [followed.state for followed in self.snapshot.tasks.values()]
            ):
                self._change()
            await asyncio.sleep(self._poll_seconds)
