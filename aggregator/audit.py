"""The auditor: anyone with a task's log and a store of blobs re-does every finished round and compares each byte.

The log is folded as every node folds it; for each round the bundles, the unmask blob and the models are fetched by
content, checked against their commitments, and aggregated again (`audit_round`). Nothing is taken from an aggregator
but hints of where to look.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from foedus.aggregator.audit_base import Base, Plan, Stored
from foedus.aggregator.audit_round import Payouts, audit_round
from foedus.aggregator.evidence import Evidence
from foedus.aggregator.report import Report, RoundReport, Unavailable
from foedus.aggregator.rules import initial_state
from foedus.protocol.cids import block_cid
from foedus.protocol.events import Logged, RoundFinalized, TaskCreated, UpdateCommitted
from foedus.protocol.fold import apply, fold
from foedus.protocol.ids import Address, Cid, Hash32
from foedus.protocol.law import Law
from foedus.protocol.manifest import MalformedManifest, Manifest
from foedus.protocol.ports import BlobStore
from foedus.protocol.round import Round
from foedus.protocol.task import Task, create
from foedus.protocol.terms import MAX_TERMS_BYTES, InvalidTerms, Terms

MANIFEST_LIMIT = 1 << 20
"""A model manifest is one block, in bytes."""


async def audit_task(
    entries: Sequence[Logged],
    store: BlobStore,
    genesis: Hash32,
    chain_id: int,
    payouts: Payouts | None = None,
    workers: int = 1,
) -> Report:
    """Audit every finished round of a task.

    entries: the task's whole log, oldest first; payouts: recomputes payouts, else they are listed as unchecked;
    workers: see `sumtree.group_nodes`. Hostile blobs make findings, never exceptions; ImpossibleEvent is raised where
    the log itself cannot be whole. Computes in the calling thread, for seconds a round with large models.
    """
    task = fold(entries)
    evidence = Evidence(store)
    _check_log(entries, evidence)
    plan = await _plan_of(task, evidence, genesis, chain_id, workers)
    if plan is None:
        return Report(task.address, tuple(evidence.findings), tuple(_unread(task)))
    root, initial = Hash32(bytes.fromhex(plan.terms.model)), Cid(plan.terms.model_cid)
    lanes = plan.manifest.model_lanes
    base = Base(
        Stored(initial, await evidence.fetch_lanes("initial model", initial, lanes, root, task.sponsor)),
        Stored(initial, initial_state(plan.rule, lanes)),
    )
    rounds: list[RoundReport] = []
    for before, round_ in _finished(entries):
        audited = await audit_round(before, round_, plan, store, base, payouts)
        rounds.append(audited.report)
        base = audited.base
        if audited.outcome is None:
            payouts = None
    return Report(task.address, tuple(evidence.findings), tuple(rounds))


def _finished(entries: Sequence[Logged]) -> Iterator[tuple[Task, Round]]:
    """Each finished round with the task's state just before it was final."""
    task: Task | None = None
    for entry in entries:
        if isinstance(entry.event, TaskCreated):
            task = create(entry.event)
        elif task is not None:
            before, task = task, apply(task, entry)
            if isinstance(entry.event, RoundFinalized):
                for done in task.finished[len(before.finished) :]:
                    yield before, done


def _unread(task: Task) -> Iterator[RoundReport]:
    """Reports of rounds that cannot be looked at without terms and manifest."""
    for round_ in task.finished:
        finding = Unavailable("terms or manifest", task.sponsor, block_cid(task.terms))
        yield RoundReport(round_.number, round_.attempt, (), ("everything",), (finding,))


def _check_log(entries: Sequence[Logged], evidence: Evidence) -> None:
    """Generation counters grow."""
    generations: dict[Address, int] = {}
    for entry in entries:
        event = entry.event
        if isinstance(event, UpdateCommitted):
            last = generations.get(event.participant, 0)
            if event.generation <= last:
                what = f"generation in round {event.round}"
                evidence.refute(what, event.participant, f"more than {last}", str(event.generation))
            generations[event.participant] = event.generation


async def _plan_of(task: Task, evidence: Evidence, genesis: Hash32, chain_id: int, workers: int) -> Plan | None:
    blob = await evidence.fetch("terms", block_cid(task.terms), MAX_TERMS_BYTES, task.sponsor, task.terms)
    if blob is None:
        return None
    try:
        terms = Terms.from_bytes(blob)
    except InvalidTerms as error:
        evidence.refute("terms", task.sponsor, "terms of this protocol", str(error))
        return None
    if not evidence.expect("params", task.sponsor, terms.params, task.params):
        return None
    if not evidence.expect("pool", task.sponsor, terms.pool, task.pool):
        return None
    digest = Hash32(bytes.fromhex(terms.manifest))
    blob = await evidence.fetch("manifest", block_cid(digest), MANIFEST_LIMIT, task.sponsor, digest)
    if blob is None:
        return None
    try:
        manifest = Manifest.from_bytes(blob)
    except MalformedManifest as error:
        evidence.refute("manifest", task.sponsor, "a manifest", str(error))
        return None
    if not evidence.expect("law", task.sponsor, Law.of(terms, manifest).digest, task.law):
        return None
    return Plan(terms, manifest, genesis, chain_id, workers)
