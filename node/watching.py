"""Watching tasks without taking part: follow the chain, judge every proposal, prove the wrong ones."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from foedus.contracts.calls import Call
from foedus.contracts.ledger import Ledger
from foedus.contracts.sender import Receipt
from foedus.network.netstore import NetworkStore
from foedus.node.answers import Answerer
from foedus.node.bench import load_terms
from foedus.node.courtfeed import CourtFeed
from foedus.node.follower import Follower
from foedus.node.gather import Post
from foedus.node.pauses import Resumer
from foedus.node.peers import PeerBook
from foedus.node.watch import Watchtower
from foedus.protocol.events import LogPoint, TaskCreated
from foedus.protocol.ids import Address
from foedus.protocol.ports import BlobMissing
from foedus.protocol.task import Task, create
from foedus.protocol.terms import InvalidTerms

log = structlog.get_logger(__name__)

SCAN_SECONDS = 10.0
"""Between two looks for new tasks."""


class TaskWatch:
    """One task that is watched: `tick` again and again."""

    def __init__(self, post: Post, follower: Follower) -> None:
        me = post.ledger.address
        known = (me, lambda: follower.state, lambda: follower.entries)
        self._follower = follower
        self._tower = Watchtower(post, *known, lambda made: made.aggregator != me, _sender(post.ledger), self._now)
        self._answerer = Answerer(post, *known, self._tower.holds, _sender(post.ledger), self._now)
        self._feed = CourtFeed(post.ledger, post.task, lambda: follower.entries)
        self._resumer = Resumer(me, lambda: follower.entries, _sender(post.ledger))

    @property
    def state(self) -> Task | None:
        """The task as the chain has it."""
        return self._follower.state

    def _now(self) -> float:
        head = self._follower.head
        return max(time.time(), float(head.timestamp) if head else 0.0)

    async def tick(self) -> None:
        """Catch up with the chain, and judge what is new. Raises ChainUnreachable."""
        task = await self._follower.poll()
        if task is not None:
            self._tower.look(task)
            self._answerer.look(await self._feed.fresh())
            self._resumer.look(task, self._now())

    def close(self) -> None:
        """Stop."""
        self._tower.close()
        self._answerer.close()
        self._resumer.close()


class Watchman:
    """Watches all tasks of a deployment."""

    def __init__(
        self, ledger: Ledger, store: NetworkStore, peers: PeerBook, treasury: Address, confirmations: int
    ) -> None:
        self._ledger, self._store, self._peers, self._treasury = ledger, store, peers, treasury
        self._confirmations, self._scan_at = confirmations, 0.0
        self._waiting: dict[Address, tuple[LogPoint, TaskCreated]] = {}
        self.tasks: dict[Address, TaskWatch] = {}

    async def tick(self) -> None:
        """Look at every task. Raises ChainUnreachable."""
        if time.monotonic() >= self._scan_at:
            self._scan_at = time.monotonic() + SCAN_SECONDS
            found = {event.task: (point, event) for point, event in await self._ledger.tasks()}
            self._waiting = {task: made for task, made in found.items() if task not in self.tasks}
        for task, (point, event) in list(self._waiting.items()):
            with suppress(BlobMissing):
                await self._begin(task, point, event)
        for watch in self.tasks.values():
            await watch.tick()

    async def _begin(self, task: Address, point: LogPoint, event: TaskCreated) -> None:
        try:
            terms, manifest = await load_terms(self._store, create(event))
        except InvalidTerms as error:
            log.warning("task not watched", task=task, why=str(error))
            del self._waiting[task]
            return
        post = Post(self._ledger, self._store, self._peers, task, terms, manifest, self._treasury)
        self.tasks[task] = TaskWatch(post, Follower(self._ledger, task, point.block, self._confirmations))
        del self._waiting[task]
        log.info("watching", task=task, name=terms.name)

    def close(self) -> None:
        """Stop watching."""
        for watch in self.tasks.values():
            watch.close()


def _sender(ledger: Ledger) -> Callable[[str, Call], Awaitable[Receipt]]:
    async def send(_: str, call: Call) -> Receipt:
        return await ledger.transact(call)

    return send
