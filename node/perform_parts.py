"""Opening by parts: make this node's own, and collect everybody's."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from functools import partial

import structlog

from foedus.aggregator.messages import MalformedReveal
from foedus.aggregator.modes import Bundle, NoPart
from foedus.aggregator.parts import Found, PartKey, open_parts
from foedus.aggregator.tenders import Tender
from foedus.aggregator.unmask import bind_survivors
from foedus.network.cid import InvalidCid
from foedus.network.errors import NetworkError
from foedus.node.bench import Bench
from foedus.node.errors import NodeError
from foedus.node.inspect_vectors import VectorInspector
from foedus.node.reveals import Key, Offer
from foedus.protocol.ids import Cid, PeerId, Position
from foedus.protocol.ports import BlobCorrupt, BlobMissing, BlobTooLarge
from foedus.protocol.round import Round
from foedus.protocol.task import Task

log = structlog.get_logger(__name__)

GRACE_SECONDS = 3.0
"""How long openers are waited for that are not needed: what they send shows whether the others' parts are right."""
LOOK_SECONDS = 0.3
PART_SECONDS = 30.0


class SecondPart(NodeError):
    """Another part of a sum was given before, and is not here any more: a second one might tell more than the sum."""

    def __init__(self, round_: int, group: int) -> None:
        super().__init__(f"round {round_}: my part of group {group} was given before and is lost: it is not made again")


async def perform_parts(bench: Bench, task: Task, round_: Round, inspector: VectorInspector) -> None:
    """Bind the guard, then begin to make and offer my parts of this attempt; called again, begin again where that
    failed. Raises SecondFreeze, UnsafeFreeze: then nothing is offered."""
    layout, context = inspector.layout, inspector.context
    await asyncio.to_thread(bind_survivors, layout, context, round_.survivors, bench.guard(round_))
    if inspector.giving is not None:
        if not inspector.giving.done() or inspector.giving.exception() is None:
            return
        log.warning("parts not given", task=bench.task, round=round_.number, why=repr(inspector.giving.exception()))
    _offer(bench, round_, inspector, {})
    inspector.giving = asyncio.create_task(_give(bench, task, round_, inspector))


def _offer(bench: Bench, round_: Round, inspector: VectorInspector, parts: Mapping[int, Cid]) -> None:
    tender = Tender.of(inspector.context, bench.position(round_), parts)
    key: Key = (bench.task, round_.opening)
    bench.reveals.open(key, Offer(round_.domain, tender.to_bytes(), lambda absent: b""))


async def _give(bench: Bench, task: Task, round_: Round, inspector: VectorInspector) -> None:
    """Make my parts one after another, each as soon as its group's bundles are here: a group of which something for me
    never comes keeps no other waiting."""
    layout, me, parts = inspector.layout, bench.position(round_), dict[int, Cid]()
    waiting = {
        asyncio.create_task(inspector.whole(layout.members_of(group, round_.survivors))): group
        for group in sorted({layout.group(position) for position in round_.survivors})
        if me in inspector.mode.openers(layout, inspector.context, group)
    }
    try:
        while waiting:
            arrived, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for group, bundles in sorted((waiting.pop(each), each) for each in arrived):
                bundles.result()
                try:
                    parts[group] = await _made(bench, task, round_, inspector, group)
                except (NoPart, SecondPart) as error:
                    log.error("no part given", task=bench.task, round=round_.number, group=group, why=str(error))
                    continue
                _offer(bench, round_, inspector, parts)
                log.info("part offered", task=bench.task, round=round_.number, attempt=round_.attempt, group=group)
    finally:
        for each in waiting:
            each.cancel()


async def _made(bench: Bench, task: Task, round_: Round, inspector: VectorInspector, group: int) -> Cid:
    """My part of a group's sum in the store: told once, and from then on the same.

    It is stored before it is bound: a crash in between leaves a blob whose name nobody was told, and another is made.
    """
    layout, context, me = inspector.layout, inspector.context, bench.position(round_)
    kind, label = f"part/{group}", f"{bench.task}/{round_.number}"
    kept = bench.journal.signed(bench.task, round_.opening, kind)
    if kept is not None and await bench.store.local.has(Cid(kept[0].decode())):
        return Cid(kept[0].decode())
    members = layout.members_of(group, round_.survivors)
    if refused := sorted(set(members) - inspector.valid):
        raise NoPart(f"I refused the bundles of positions {refused}")
    bundles = await inspector.bundles(members, mine=True)
    announced = bench.journal.announcement(bench.task, round_.opening, group)
    part = await asyncio.to_thread(
        inspector.mode.part,
        layout,
        context,
        group,
        members,
        bundles,
        me,
        bench.round_keys(task, round_),
        announced.secret if announced is not None else None,
        os.urandom,
    )
    cid = await bench.store.put(part, label)
    if not bench.journal.sign_once(bench.task, round_.opening, kind, cid.encode(), b""):
        await bench.store.local.unpin(cid, label)
        raise SecondPart(round_.number, group)
    return cid


class PartCollector:
    """Every part that came in for one frozen attempt."""

    def __init__(self, bench: Bench, round_: Round, inspector: VectorInspector) -> None:
        self._bench, self._round, self._inspector = bench, round_, inspector
        self._layout, self._context, self._mode = inspector.layout, inspector.context, inspector.mode
        self._parts: dict[PartKey, bytes] = {}
        self._answered: set[Position] = set()
        self._asking: dict[Position, asyncio.Task[None]] = {}
        groups = {self._layout.group(position) for position in round_.survivors}
        self._openers = {group: self._mode.openers(self._layout, self._context, group) for group in sorted(groups)}

    async def _hear(self, member: Position, blob: bytes, peers: list[PeerId]) -> None:
        tender = Tender.from_bytes(blob, self._layout, self._context)
        if tender.member != member:
            raise MalformedReveal(f"position {member} sent the tender of position {tender.member}")
        limit = self._mode.part_limit(self._layout, self._bench.manifest.update_lanes)
        for group, cid in tender.parts.items():
            if member in self._openers.get(group, ()) and (group, member) not in self._parts:
                self._parts[group, member] = await self._bench.store.get(cid, limit, peers)
        if all(group in tender.parts for group, openers in self._openers.items() if member in openers):
            self._answered.add(member)

    async def _ask(self, peer: PeerId, member: Position) -> None:
        key: Key = (self._bench.task, self._round.opening)
        try:
            answer = await self._bench.reveals.ask(peer, key, frozenset(), self._round.domain)
            async with asyncio.timeout(PART_SECONDS):
                await self._hear(member, answer.reveal, [peer])
        except (MalformedReveal, BlobCorrupt, BlobTooLarge, InvalidCid) as error:
            self._bench.host.blame(peer, str(error))
        except (NetworkError, BlobMissing, TimeoutError) as error:
            log.debug("no parts", peer=peer, round=self._round.number, error=str(error))

    def _ask_all(self) -> None:
        """Begin to ask every opener that has not given all its parts, and is not being asked already."""
        for member in sorted({member for openers in self._openers.values() for member in openers}):
            account = self._layout.roster[member].address
            if account == self._bench.me or member in self._answered or member in self._asking:
                continue
            for peer in self._bench.peers.of([account]):
                self._asking[member] = asyncio.create_task(self._ask(peer, member))
                self._asking[member].add_done_callback(partial(self._done, member))

    def _done(self, member: Position, _: object) -> None:
        self._asking.pop(member, None)

    async def state(self) -> Found:
        """What the parts at hand open."""
        return await opened_by(self._bench, self._round, self._inspector, self._parts)

    async def gather(self, now: Callable[[], float], until: float) -> Found:
        """Ask until every group opens and those who are quick have answered, or until `until`; then whatever opens.

        Raises KeyError where this node has nothing open for the attempt itself.
        """
        me, key, began = self._bench.position(self._round), (self._bench.task, self._round.opening), now()
        members = {member for openers in self._openers.values() for member in openers}
        seen, found = -1, None
        try:
            while True:
                self._ask_all()
                await self._hear(me, self._bench.reveals.mine(key, frozenset()).reveal, [])
                await asyncio.sleep(LOOK_SECONDS)
                late = now() - began >= min(GRACE_SECONDS, (until - began) / 2) or members <= self._answered
                if (late and seen != len(self._parts)) or now() >= until:
                    seen, found = len(self._parts), await self.state()
                    for fault in found.faults:
                        log.warning("wrong part", round=self._round.number, fault=repr(fault))
                if found is not None and (not found.wanted or now() >= until):
                    return found
        finally:
            for asked in list(self._asking.values()):
                asked.cancel()


async def opened_by(
    bench: Bench,
    round_: Round,
    inspector: VectorInspector,
    parts: Mapping[PartKey, bytes],
    groups: frozenset[int] | None = None,
) -> Found:
    """What these parts open, group by group."""
    layout, context, lanes = inspector.layout, inspector.context, bench.manifest.update_lanes
    chosen = {layout.group(position) for position in round_.survivors} if groups is None else groups
    bundles: dict[int, dict[Position, Bundle]] = {}
    for group in sorted(chosen):
        bundles[group] = await inspector.bundles(layout.members_of(group, round_.survivors), mine=False)
    survivors = round_.survivors
    return await asyncio.to_thread(
        open_parts, inspector.mode, layout, context, survivors, bundles.__getitem__, parts, lanes, frozenset(chosen)
    )
