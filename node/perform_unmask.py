"""Unmasking: open this node's own answers, and collect everybody's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import structlog

from foedus.aggregator.bundle import Envelope, Secrets
from foedus.aggregator.messages import reveal_place
from foedus.aggregator.shares import Share
from foedus.aggregator.unmask import (
    Collected,
    MalformedReveal,
    Release,
    Reveal,
    Slot,
    collect,
    release_shares,
    reveal,
)
from foedus.network.errors import NetworkError
from foedus.node.bench import Bench
from foedus.node.inspect import Inspector
from foedus.node.reveals import Answered, Key, Offer
from foedus.protocol.ids import PeerId, Position
from foedus.protocol.round import Round
from foedus.protocol.task import Task

log = structlog.get_logger(__name__)

GRACE_SECONDS = 3.0
"""How long survivors have to reveal by themselves before the committee is asked for their shares."""
LOOK_SECONDS = 0.3


def key_of(bench: Bench, round_: Round) -> Key:
    return (bench.task, round_.opening)


async def perform_reveal(bench: Bench, task: Task, round_: Round, inspector: Inspector) -> None:
    """Bind the guard, then answer for this attempt. Raises SecondFreeze, UnsafeFreeze: then nothing is answered."""
    key = key_of(bench, round_)
    if bench.reveals.is_open(key):
        return
    layout, context, me = inspector.layout, bench.context(round_), bench.position(round_)
    keys, survivors, guard = bench.round_keys(task, round_), round_.survivors, bench.guard(round_)
    own = b""
    kept = bench.journal.masking(bench.task, round_.opening)
    if me in survivors and kept is not None and kept.secrets:
        secrets = Secrets.from_bytes(kept.secrets)
        made = await asyncio.to_thread(reveal, layout, context, survivors, me, secrets, keys, guard)
        own = made.to_bytes()

    made_of: dict[Position, tuple[tuple[Slot, Share], ...]] = {}  # checked once, however often somebody asks

    def release(absent: frozenset[Position]) -> bytes:
        if me not in layout.committee:
            return b""
        envelopes, wanted = dict(inspector.envelopes), sorted(absent & survivors)
        for owner in wanted:
            if owner in envelopes and owner not in made_of:
                given = release_shares(layout, context, survivors, (owner,), envelopes, me, keys, bench.guard(round_))
                made_of[owner] = given.shares
        shares = tuple(share for owner in wanted for share in made_of.get(owner, ()))
        return Release(reveal_place(context), me, shares).to_bytes()

    if me in layout.committee:
        await asyncio.to_thread(release_shares, layout, context, survivors, (), {}, me, keys, guard)
    bench.reveals.open(key, Offer(round_.domain, own, release))
    log.info("revealing", task=bench.task, round=round_.number, attempt=round_.attempt)


class Collector:
    """Everything that came in for one frozen attempt."""

    def __init__(self, bench: Bench, round_: Round, inspector: Inspector) -> None:
        self._bench, self._round, self._layout = bench, round_, inspector.layout
        self._context = bench.context(round_)
        self._inspector = inspector
        self._reveals: dict[Position, Reveal] = {}
        self._releases: dict[Position, Release] = {}
        self._asking: dict[Position, asyncio.Task[None]] = {}

    def _envelopes(self) -> dict[Position, Envelope]:
        return {p: self._inspector.envelopes[p] for p in self._round.survivors}

    def _hear(self, sender: Position, answer: Answered) -> None:
        if answer.reveal:
            told = Reveal.from_bytes(answer.reveal, self._layout, self._context)
            if told.owner != sender or sender not in self._round.survivors:
                raise MalformedReveal(f"position {sender} sent the reveal of position {told.owner}")
            self._reveals[sender] = told
        if answer.release:
            given = Release.from_bytes(answer.release, self._layout, self._context)
            if given.member != sender:
                raise MalformedReveal(f"position {sender} sent the shares of position {given.member}")
            self._releases[sender] = given

    async def _ask(self, peer: PeerId, sender: Position, absent: frozenset[Position]) -> None:
        try:
            answer = await self._bench.reveals.ask(peer, key_of(self._bench, self._round), absent, self._round.domain)
            self._hear(sender, answer)
        except MalformedReveal as error:
            self._bench.host.blame(peer, str(error))
        except NetworkError as error:
            log.debug("no reveal", peer=peer, round=self._round.number, error=str(error))

    def _ask_all(self, absent: frozenset[Position]) -> None:
        """Begin to ask everyone who may still have something to tell, and who is not being asked already."""
        for position, member in self._round.roster.items():
            wanted = absent if position in self._layout.committee else frozenset()
            owes = position in self._round.survivors and position not in self._reveals
            if member.address == self._bench.me or position in self._asking or not (wanted or owes):
                continue
            for peer in self._bench.peers.of([member.address]):
                self._asking[position] = asyncio.create_task(self._ask(peer, position, wanted))
                self._asking[position].add_done_callback(partial(self._answered, position))

    def _answered(self, position: Position, _: object) -> None:
        self._asking.pop(position, None)

    def state(self) -> Collected:
        """What is open and what is missing now; what the court was shown counts as sent."""
        envelopes = self._envelopes()
        shown = self._bench.seeds.reveals(self._round, self._layout, self._context, envelopes)
        return collect(
            self._layout,
            self._context,
            self._round.survivors,
            envelopes,
            [*self._reveals.values(), *shown],
            self._releases.values(),
        )

    async def gather(self, now: Callable[[], float], until: float) -> Collected:
        """Ask until every group opens, or until `until`; then whatever opens. Raises UnsafeFreeze, KeyError."""
        me = self._bench.position(self._round)
        began, absent = now(), frozenset[Position]()
        grace = min(GRACE_SECONDS, (until - began) / 2)
        try:
            while True:
                self._hear(me, self._bench.reveals.mine(key_of(self._bench, self._round), absent))
                self._ask_all(absent)
                await asyncio.sleep(LOOK_SECONDS)
                found = await asyncio.to_thread(self.state)
                for fault in found.faults:
                    log.warning("wrong reveal", round=self._round.number, fault=repr(fault))
                if not any(found.missing.values()) or now() >= until:
                    return found
                if now() - began >= grace:  # whoever sent nothing, or what does not fit its commitment
                    absent = frozenset(owner for slots in found.missing.values() for owner, _ in slots)
        finally:
            for asked in list(self._asking.values()):
                asked.cancel()
