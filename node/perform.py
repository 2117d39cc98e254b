"""Which function does which duty."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

import structlog

from foedus.contracts import calls
from foedus.contracts.errors import Reverted
from foedus.node.bench import Bench
from foedus.node.inspect import Inspector
from foedus.node.openings import perform_opening
from foedus.node.perform_aggregate import perform_attest, perform_propose
from foedus.node.perform_commit import perform_commit
from foedus.node.perform_freeze import perform_freeze
from foedus.protocol.claims import claim_of
from foedus.protocol.duties import Advertise, Attest, Commit, Duty, Poke, Propose, Reveal, Settle, SignSurvivors
from foedus.protocol.ids import Opening, RoundNumber
from foedus.protocol.task import Task

log = structlog.get_logger(__name__)


async def perform(bench: Bench, task: Task, inspector: Inspector | None, duty: Duty, now: Callable[[], float]) -> None:
    """Do one duty. What the contract refuses is told and raised: most often another was first, as the chain shows."""
    try:
        await _perform(bench, task, inspector, duty, now)
    except Reverted as error:
        log.info("not accepted", task=bench.task, duty=type(duty).__name__, why=str(error))
        raise


async def _perform(bench: Bench, task: Task, inspector: Inspector | None, duty: Duty, now: Callable[[], float]) -> None:
    match duty:
        case Poke(phase):
            mark = task.beacon_block if not task.deadline else task.deadline
            await bench.send(f"poke/{phase.name}/{task.opening}/{mark}", calls.poke(bench.task))
            return
        case Advertise(opening):
            await _advertise(bench, opening)
            return
        case Settle(number):
            await _settle(bench, task, number)
            return
    round_ = task.round
    if round_ is None or inspector is None:
        return
    match duty:
        case Commit():
            await perform_commit(bench, task, round_)
        case SignSurvivors():
            await perform_freeze(bench, task, round_, inspector, now)
        case Reveal():
            await perform_opening(bench, task, round_, inspector)
        case Propose():
            await perform_propose(bench, task, round_, inspector, now)
        case Attest():
            if round_.proposal is not None:
                await perform_attest(bench, task, round_, round_.proposal, inspector, now)
        case _:
            assert_never(duty)


async def _advertise(bench: Bench, opening: Opening) -> None:
    keys = bench.fresh_keys(opening)
    await bench.send(f"advertise/{opening}", calls.advertise(bench.task, keys.mask_key, keys.box_key))
    log.info("keys advertised", task=bench.task, opening=opening)


async def _settle(bench: Bench, task: Task, number: RoundNumber) -> None:
    """Make a pending round final whose window has passed, and all before it."""
    waiting = [made for made in task.pending if made.number >= number]
    claims = [claim_of(made) for made in waiting]
    if not waiting or waiting[0].proposal is None:
        return
    proposal, later = waiting[0].proposal, [claim.digest for claim in claims[1:]]
    call = calls.settle(bench.task, proposal.before, claims[0], later)
    receipt = await bench.send(f"settle/{proposal.digest.hex()}/{len(later)}", call)
    log.info("rounds settled", task=bench.task, through=number, gas=receipt.gas_used)
