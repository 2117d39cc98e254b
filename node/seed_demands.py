"""Asking through the court for seeds without which a round cannot be aggregated: the last resort of its aggregator.

Only where the operator chose to (`demand_reveals`): who does not answer loses its stake, though it may only be away.
"""

from __future__ import annotations

import structlog

from foedus.aggregator.messages import Slot
from foedus.aggregator.unmask import Collected
from foedus.contracts import court
from foedus.node.bench import Bench
from foedus.node.gather import commitments_of, standing
from foedus.protocol.claims import NO_CLAIM, Case, claim_of
from foedus.protocol.ids import ZERO32, Wei
from foedus.protocol.law import Law
from foedus.protocol.merkle import height
from foedus.protocol.round import Round
from foedus.protocol.task import Task

log = structlog.get_logger(__name__)


def is_late(task: Task, round_: Round, now: float) -> bool:
    """Whether to wait no more: half of the time is over, or what is left hardly holds an answer; and some is left."""
    middle = (round_.aggregate_from + task.stall_at) / 2
    return min(middle, task.stall_at - 2 * task.params.answer_seconds) <= now < task.stall_at


def wanted(found: Collected) -> tuple[Slot, ...]:
    """What is missing in the group that lacks the least, where no group opens."""
    if found.open_groups:
        return ()
    return min((slots for slots in found.missing.values() if slots), key=lambda slots: (len(slots), slots), default=())


async def demand_missing(bench: Bench, task: Task, round_: Round, found: Collected, now: float) -> None:
    """Ask for what one group lacks, each seed once, where it is late and a conviction would pay for the bonds."""
    slots = wanted(found)
    if not slots or round_.freeze is None or not is_late(task, round_, now):
        return
    layout, deployment = bench.layout(round_), bench.ledger.deployment
    bond = await _bond(bench, 32 + 32 * height(layout.width))
    reward = task.params.stake * task.params.challenger_share // 10_000
    if bond * len(slots) > reward:
        log.info("seeds not demanded", task=bench.task, round=round_.number, bonds=bond * len(slots), reward=reward)
        return
    committed = commitments_of(bench.entries(), deployment.chain_id, round_, bench.task)
    for owner, row in slots:
        other = layout.at(layout.group(owner), row)
        if other is None or bench.seeds.was_asked(committed[owner].made.seeds_root, other):
            continue
        frozen = round_.freeze.bitmap + round_.freeze.signers_bitmap
        call = court.demand_reveal(deployment, _last(bench, task), committed[owner], frozen, other, bond)
        await bench.send(f"demand/{round_.opening}/{owner}/{row}", call)
        log.warning("seed demanded", task=bench.task, round=round_.number, account=committed[owner].made.participant)


def _last(bench: Bench, task: Task) -> Case:
    """The claim that stands last, which the round is built on; in round 1 task and law alone count."""
    law, made = Law.of(bench.terms, bench.manifest), standing(task)
    if not made or made[-1].proposal is None:
        return Case(bench.task, law, ZERO32, NO_CLAIM, ())
    return Case(bench.task, law, made[-1].proposal.before, claim_of(made[-1]), ())


async def _bond(bench: Bench, size: int) -> Wei:
    """At twice the base fee: it may rise before the transaction is mined."""
    fee, address = 2 * await bench.ledger.base_fee(), bench.ledger.deployment.contracts["Court"].address
    (bond,) = await bench.ledger.view("Court", address, "bondFor", size, fee)
    return Wei(bond)
