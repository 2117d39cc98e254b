"""One task's life in a daemon: follow the chain, see what is owed, keep it being done."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from functools import partial

import structlog

from foedus.learning.errors import LearningError
from foedus.node.agenda import Agenda
from foedus.node.answers import Answerer
from foedus.node.archive import Archivist
from foedus.node.bench import Bench
from foedus.node.courtfeed import CourtFeed
from foedus.node.errors import StaleBackup
from foedus.node.follower import Follower
from foedus.node.forgetting import Forgetting
from foedus.node.gather import Post
from foedus.node.inspect import Inspector
from foedus.node.inspect_vectors import VectorInspector
from foedus.node.journal import Enrolment
from foedus.node.pauses import Resumer
from foedus.node.perform import perform
from foedus.node.seed_desk import SeedDesk
from foedus.node.watch import Watchtower
from foedus.protocol.duties import Advertise, Clock, Duty, Poke, Settle, duties
from foedus.protocol.events import Phase
from foedus.protocol.ids import Hash32, Opening, Timestamp
from foedus.protocol.round import Proposal, Round
from foedus.protocol.task import Task

log = structlog.get_logger(__name__)


class TaskRunner:
    """Runs one task: `tick` again and again."""

    def __init__(self, bench: Bench, follower: Follower) -> None:
        self._bench, self._follower = bench, follower
        bench.latest, bench.entries = lambda: follower.state, lambda: follower.entries
        self._agenda = Agenda(self._perform, time.monotonic)
        self._inspector: Inspector | None = None
        self._beacon: tuple[int, Hash32, Hash32] | None = None
        memories = [part.forget_before for part in (bench.board, bench.reveals, bench.announcements)]
        self._forgetting = Forgetting(bench.journal, memories)
        known_peers, retention = bench.peers.of, bench.retention
        self._archivist = Archivist(bench.store, bench.terms, bench.manifest, bench.me, known_peers, retention)
        self._told: tuple[object, ...] = ()
        self._stale: Opening | None = None
        post = Post(*(getattr(bench, name) for name in Post.__slots__))
        known = (bench.me, lambda: follower.state, lambda: follower.entries)
        self._tower = Watchtower(post, *known, self._suspects, bench.send, self.now)
        bench.verdict = self._tower.verdicts.get
        self._answerer = Answerer(post, *known, self._tower.holds, bench.send, self.now)
        self._feed = CourtFeed(bench.ledger, bench.task, bench.entries)
        self._desk = SeedDesk(bench, self.now)
        self._resumer = Resumer(bench.me, lambda: follower.entries, bench.send)
        self._warming = asyncio.create_task(self._warm_up())

    @property
    def state(self) -> Task | None:
        return self._follower.state

    @property
    def enrolment(self) -> Enrolment:
        """How this node takes part, as it was when the runner began."""
        return self._bench.enrolment

    def now(self) -> float:
        """The chain's time: the local clock, or the head's timestamp where that is ahead."""
        head = self._follower.head
        return max(time.time(), float(head.timestamp) if head else 0.0)

    async def _warm_up(self) -> None:
        """Load the app and the data before they are needed; what fails will fail again, and be told, when they are."""
        with suppress(LearningError):
            await self._bench.client()

    async def tick(self) -> None:
        """Catch up with the chain and set what is owed. Raises ChainUnreachable."""
        task = await self._follower.poll()
        if task is None:
            return
        self._tell(task)
        self._inspect(task)
        events = await self._feed.fresh()
        self._bench.seeds.hear(events)
        self._desk.look(task)
        owed = duties(task, self._bench.me, await self._clock(task))
        if self._inspector is None:
            owed = tuple(duty for duty in owed if isinstance(duty, Poke | Advertise | Settle))
        self._agenda.set(task.opening, owed)
        self._tower.look(task)
        self._answerer.look(events)
        self._resumer.look(task, self.now())
        self._archivist.look(task, self.now())
        self._forgetting.look(task, self._desk.oldest(task))

    def _suspects(self, made: Proposal) -> bool:
        """Which proposals to judge: all but my own, and under FAST but those that attesting makes again anyway, unless
        I refused them or a quorum was faster than I."""
        task = self._follower.state
        if task is None or made.aggregator == self._bench.me or made.digest in self._bench.vouched:
            return False
        waiting = task.round is not None and task.round.proposal == made
        return task.is_optimistic or made.digest in self._bench.refused or not waiting

    async def _perform(self, duty: Duty) -> None:
        task = self._follower.state
        if task is not None:
            work = partial(perform, self._bench, task, self._inspector, duty, self.now)
            await self._bench.tally.count(duty, work)

    def _inspect(self, task: Task) -> None:
        """Keep one inspector, for the opening that runs; none where this journal lacks the opening's keys."""
        round_ = task.round
        if round_ is None or round_.position_of(self._bench.me) is None:
            self._drop_inspector()
            return
        if self._inspector is None or self._inspector.opening != round_.opening:
            self._drop_inspector()
            self._inspector = self._new_inspector(task, round_)
        if self._inspector is not None:
            self._inspector.watch(round_)

    def _new_inspector(self, task: Task, round_: Round) -> Inspector | None:
        if self._stale == round_.opening:
            return None
        try:
            keys, mode = self._bench.round_keys(task, round_), self._bench.mode
            if mode is not None:
                return VectorInspector(self._bench, round_, keys, mode)
            return Inspector(self._bench, round_, keys)
        except StaleBackup as error:
            self._stale = round_.opening
            log.error("sitting out", task=task.address, round=round_.number, why=str(error))
            return None

    def _drop_inspector(self) -> None:
        if self._inspector is not None:
            self._inspector.close()
            self._inspector = None

    async def _clock(self, task: Task) -> Clock:
        head = self._follower.head
        number = head.number if head else 0
        beacon = None
        if task.phase is Phase.AGGREGATE and task.round is not None and task.round.freeze is not None:
            beacon = await self._beacon_hash(task.round.freeze.beacon_block, task.round.freeze.point.block_hash, number)
        return Clock(Timestamp(int(self.now())), number, beacon)

    async def _beacon_hash(self, block: int, frozen_in: Hash32, head: int) -> Hash32 | None:
        """The beacon's hash once its block exists; asked again where a reorganisation moved the freeze."""
        if head <= block:
            return None
        if self._beacon is None or self._beacon[:2] != (block, frozen_in):
            self._beacon = (block, frozen_in, await self._bench.ledger.block_hash(block))
        return self._beacon[2]

    def _tell(self, task: Task) -> None:
        attempt = task.round.attempt if task.round else 0
        now = (task.phase, task.opening, attempt)
        if now != self._told:
            self._told = now
            log.info("phase", task=task.address, phase=task.phase.name, round=task.next_round, attempt=attempt)

    async def drain(self, seconds: float) -> None:
        """End: let running duties finish for so long."""
        self._warming.cancel()
        self._archivist.close()
        self._tower.close()
        self._answerer.close()
        self._desk.close()
        self._resumer.close()
        await self._agenda.drain(seconds)
        self._drop_inspector()
