"""Opening a frozen round's sums, whatever the mode: by seeds, or by parts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from foedus.aggregator.aggregate import opened_by_seeds
from foedus.aggregator.parts import MalformedParts, Opened, parts_from_bytes
from foedus.aggregator.unmask import seed_fits
from foedus.aggregator.unmasked import MalformedUnmask, unmask_from_bytes
from foedus.network.cid import cid_of
from foedus.node.bench import Bench
from foedus.node.errors import NodeError
from foedus.node.inspect import Inspector
from foedus.node.inspect_vectors import VectorInspector
from foedus.node.perform_parts import PartCollector, opened_by, perform_parts
from foedus.node.perform_unmask import Collector, perform_reveal
from foedus.node.seed_demands import demand_missing
from foedus.protocol.ids import Position
from foedus.protocol.round import Round
from foedus.protocol.task import Task


class WrongOpening(NodeError):
    """What a claim says that its sums were opened with is not what opens them."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What could be opened, and how many seeds or parts are still missing."""

    opened: Opened
    missing: int


async def perform_opening(bench: Bench, task: Task, round_: Round, inspector: Inspector) -> None:
    """Give what I owe to the opening. Raises SecondFreeze, UnsafeFreeze: then nothing is given."""
    if isinstance(inspector, VectorInspector):
        await perform_parts(bench, task, round_, inspector)
    else:
        await perform_reveal(bench, task, round_, inspector)


async def gather_opened(
    bench: Bench, task: Task, round_: Round, inspector: Inspector, now: Callable[[], float], until: float
) -> Gathered:
    """Collect until every group opens, or until `until`; then whatever opens."""
    if isinstance(inspector, VectorInspector):
        found = await PartCollector(bench, round_, inspector).gather(now, until)
        return Gathered(found.opened, sum(len(members) for members in found.wanted.values()))
    collected = await Collector(bench, round_, inspector).gather(now, until)
    if not collected.open_groups and bench.demands_seeds:
        await demand_missing(bench, task, round_, collected, now())
    blobs = await _vectors(round_, inspector)
    opened = await asyncio.to_thread(opened_by_seeds, inspector.layout, round_.survivors, blobs, collected.seeds)
    return Gathered(opened, sum(len(slots) for slots in collected.missing.values()))


async def reopened(bench: Bench, round_: Round, inspector: Inspector, blob: bytes) -> Opened:
    """What a claim's own list opens. Raises WrongOpening where the list is not one that the bundles allow."""
    try:
        if isinstance(inspector, VectorInspector):
            return await _by_parts(bench, round_, inspector, blob)
        seeds = unmask_from_bytes(inspector.layout, blob)
    except (MalformedUnmask, MalformedParts) as error:
        raise WrongOpening(str(error)) from error
    context = bench.context(round_)
    for (owner, row), seed in seeds.items():
        known = owner in inspector.envelopes
        if not known or not seed_fits(inspector.layout, context, inspector.envelopes[owner], row, seed):
            raise WrongOpening(f"the seed of position {owner} for row {row} is not the committed one")
    blobs = await _vectors(round_, inspector)
    return await asyncio.to_thread(opened_by_seeds, inspector.layout, round_.survivors, blobs, seeds)


async def _by_parts(bench: Bench, round_: Round, inspector: VectorInspector, blob: bytes) -> Opened:
    mode, layout, context = inspector.mode, inspector.layout, inspector.context
    parts = parts_from_bytes(mode, layout, context, bench.manifest.update_lanes, blob)
    mine = {(group, me): part for (group, me), part in parts.items() if me == bench.position(round_)}
    for (group, _), part in mine.items():
        if not _is_mine(bench, round_, group, part):
            raise WrongOpening(f"my own part of group {group} is not the one that I gave")
    found = await opened_by(bench, round_, inspector, parts, frozenset(group for group, _ in parts))
    if found.faults or found.wanted:
        raise WrongOpening(f"parts that do not open what they are of: {[*found.faults, *found.wanted]}")
    return found.opened


def _is_mine(bench: Bench, round_: Round, group: int, part: bytes) -> bool:
    kept = bench.journal.signed(bench.task, round_.opening, f"part/{group}")
    return kept is not None and kept[0] == cid_of(part).encode()


async def _vectors(round_: Round, inspector: Inspector) -> dict[Position, bytes]:
    return {position: await inspector.vector(position) for position in sorted(round_.survivors)}
