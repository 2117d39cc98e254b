"""Demands for seeds: this node's own are always answered, and those that it made are seen to their end.

An answer goes through the unmask guard like every reveal: where another set is bound on this base, nothing is shown,
whatever it costs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from foedus.aggregator.bundle import Secrets, pair_seeds
from foedus.aggregator.unmask import reveal
from foedus.contracts import court
from foedus.contracts.calls import Call
from foedus.contracts.errors import LedgerError
from foedus.node.bench import Bench
from foedus.node.errors import NodeError
from foedus.node.gather import standing
from foedus.protocol.claims import claim_of
from foedus.protocol.commitments import Context, seed_hash
from foedus.protocol.court import RevealDemand, RevealDemanded
from foedus.protocol.ids import ZERO32, Address, Hash32, Seed
from foedus.protocol.merkle import leaf_hash, prove
from foedus.protocol.round import Round
from foedus.protocol.task import Task

log = structlog.get_logger(__name__)

PAUSE_SECONDS = 5.0
"""Between tries that the chain refuses, or that come before this node has followed so far."""


class NotHeld(NodeError):
    """A seed was asked for that this journal cannot show."""

    def __init__(self, asked: RevealDemand, why: str) -> None:
        super().__init__(f"round {asked.round} of {asked.task}: the seed of row {asked.row} cannot be shown: {why}")


def round_of(task: Task, asked: RevealDemand) -> Round | None:
    """The round that a demand is about; None where it never was, or is not followed yet."""
    known = (*standing(task), *([task.round] if task.round is not None else []))
    return next((round_ for round_ in known if round_.opening == asked.opening), None)


class SeedDesk:
    """One task's demands for seeds; `look` at every tick."""

    def __init__(self, bench: Bench, now: Callable[[], float]) -> None:
        self._bench, self._now = bench, now
        self._work: dict[tuple[Hash32, bool], asyncio.Task[None]] = {}

    def look(self, task: Task) -> None:
        """Begin to answer what is asked of this node, and to end what it asked and nobody answered."""
        owed: set[tuple[Hash32, bool]] = set()
        for name, event in self._bench.seeds.open.items():
            passed = self._now() - task.paused_seconds > event.deadline
            if event.asked.owner == self._bench.me and not passed:
                owed.add((name, False))
            if event.demander == self._bench.me and passed:
                owed.add((name, True))
        for key in self._work.keys() - owed:
            self._work.pop(key).cancel()
        for name, ending in owed - self._work.keys():
            event = self._bench.seeds.open[name]
            self._work[name, ending] = asyncio.create_task(self._lapse(event) if ending else self._answer(event))

    def oldest(self, task: Task) -> Round | None:
        """The oldest round whose secrets may yet have to be shown."""
        mine = [event.asked for event in self._bench.seeds.open.values() if event.asked.owner == self._bench.me]
        rounds = [round_ for asked in mine if (round_ := round_of(task, asked)) is not None]
        return min(rounds, key=lambda round_: round_.opening, default=None)

    def close(self) -> None:
        """Stop."""
        for work in self._work.values():
            work.cancel()

    async def _answer(self, event: RevealDemanded) -> None:
        while True:
            task = self._bench.latest()
            round_ = round_of(task, event.asked) if task is not None else None
            try:
                if task is not None and round_ is not None and round_.freeze is not None:
                    call = await asyncio.to_thread(answer_to, self._bench, task, round_, event.asked)
                    await self._bench.send(f"reveal/{event.demand.hex()}", call)
                    log.info("seed shown", task=task.address, round=round_.number, row=event.asked.row)
                    return
            except (NodeError, ValueError) as error:  # above all: another set is bound, or this one is not safe
                log.error("seed not shown", task=event.task, demand=event.demand.hex(), why=str(error))
                return
            except LedgerError as error:
                log.info("seed not shown yet", task=event.task, demand=event.demand.hex(), why=str(error))
            await asyncio.sleep(PAUSE_SECONDS)

    async def _lapse(self, event: RevealDemanded) -> None:
        while True:
            task = self._bench.latest()
            after = () if task is None else (made for made in standing(task) if made.number >= event.asked.round)
            try:
                later = [claim_of(made).digest for made in after]
                call = court.lapse_reveal(self._bench.ledger.deployment, event.asked, later)
                await self._bench.send(f"lapse/{event.demand.hex()}", call)
                log.warning("seed withheld", task=event.task, round=event.asked.round, account=event.asked.owner)
                return
            except LedgerError as error:
                log.info("demand not ended", task=event.task, demand=event.demand.hex(), why=str(error))
            await asyncio.sleep(PAUSE_SECONDS)


def answer_to(bench: Bench, task: Task, round_: Round, asked: RevealDemand) -> Call:
    """The transaction that shows the seed, or that there is none. Raises NotHeld, StaleBackup, SecondFreeze,
    UnsafeFreeze, NotYours."""
    layout, context, me = bench.layout(round_), bench.context(round_), asked.position
    kept, keys = bench.journal.masking(bench.task, round_.opening), bench.round_keys(task, round_)
    if kept is None:
        raise NotHeld(asked, "its secrets were erased")
    secrets = Secrets.from_bytes(kept.secrets)
    shown = reveal(layout, context, round_.survivors, me, secrets, keys, bench.guard(round_))
    seeds = {
        layout.row(peer): (layout.roster[peer].address, seed)
        for peer, seed in pair_seeds(layout, context, me, keys).items()
    }
    seeds[layout.row(me)] = (bench.me, secrets.own)
    leaves = [leaf_hash(_committed(context, bench.me, seeds.get(row))) for row in range(asked.width)]
    other = seeds[asked.row][0] if asked.row in seeds else bench.me
    seed = dict(shown.seeds).get(asked.row, Seed(ZERO32))
    if asked.row in seeds and not any(seed):
        raise NotHeld(asked, "it is no seed that this round makes public")
    return court.answer_reveal(bench.ledger.deployment, asked, other, seed, prove(leaves, asked.row))


def _committed(context: Context, me: Address, secret: tuple[Address, Seed] | None) -> bytes:
    """What the commitment has in a row: the hash of a seed, zero where there is none."""
    return ZERO32 if secret is None else seed_hash(context, me, *secret)
