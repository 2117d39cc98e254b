"""Proposing and attesting: the same computation, once to claim its result and once to compare it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import fields

import structlog

from foedus.aggregator.aggregate import Outcome, ProposalManifest, aggregate
from foedus.aggregator.parts import Opened, opening_limit
from foedus.contracts import calls
from foedus.contracts.signatures import InvalidSignature, recover_attestation, sign_attestation
from foedus.incentives.settlement import after_round, rewards_before
from foedus.network.cid import cid_of_block_digest, digest_of
from foedus.node.bench import MANIFEST_LIMIT, Bench
from foedus.node.errors import NodeError
from foedus.node.inspect import Inspector
from foedus.node.inspect_vectors import VectorInspector
from foedus.node.openings import WrongOpening, gather_opened, perform_opening, reopened
from foedus.node.words import Check, Topic, Word
from foedus.protocol.bitmap import from_bitmap
from foedus.protocol.duties import STAGGER_SECONDS, committee_turn
from foedus.protocol.events import Aggregate
from foedus.protocol.ids import Address, Hash32
from foedus.protocol.round import Proposal, Round
from foedus.protocol.task import Task

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.25
ASK_SECONDS = 1.5


class NothingOpens(NodeError):
    """Nobody has given enough yet to open any group."""

    def __init__(self, round_: int, missing: int) -> None:
        super().__init__(f"round {round_}: no group opens yet, {missing} seeds or parts are missing; asking again")


class WrongProposal(NodeError):
    """A proposal that the public data refutes: not signed."""

    def __init__(self, aggregator: Address, field: str, found: object, expected: object) -> None:
        super().__init__(f"the proposal of {aggregator} has {field} {found}, the data give {expected}: not attesting")


async def _compute(bench: Bench, task: Task, round_: Round, inspector: Inspector, opened: Opened) -> Outcome:
    base, state = await bench.model(task, round_.base_root), await bench.state(task, round_.base_state)
    return await asyncio.to_thread(
        aggregate, inspector.layout, bench.terms, bench.manifest, base, state, round_.survivors, opened
    )


def _claim(
    bench: Bench, task: Task, round_: Round, outcome: Outcome, aggregator: Address, manifest: Hash32
) -> Aggregate:
    before = rewards_before(task, round_, bench.terms, bench.treasury)
    paid = after_round(before, round_, bench.terms, aggregator, outcome, bench.treasury)
    return Aggregate(
        sum_root=outcome.sum_root,
        unmask_root=outcome.unmask_root,
        state_root=outcome.state_root,
        model_root=outcome.model_root,
        payout_root=paid.root,
        manifest=manifest,
        payout_total=paid.total,
        total_weight=outcome.total_weight,
        groups=outcome.groups,
        quarantined=outcome.quarantined,
    )


async def _store(bench: Bench, outcome: Outcome, label: str) -> ProposalManifest:
    """Keep an outcome's blobs, and say where."""
    model = await bench.store.put(outcome.model_blob, label)
    unmask = await bench.store.put(outcome.unmask_blob, label)
    state = await bench.store.put(outcome.state_blob, label) if outcome.state_blob else None
    tops = await bench.store.put(outcome.tops_blob, label)
    return ProposalManifest(model, unmask, tops, state, outcome.causes)


async def perform_propose(
    bench: Bench, task: Task, round_: Round, inspector: Inspector, now: Callable[[], float]
) -> None:
    """Collect, add up, store, propose. Waits for all groups for a rank's time, then takes what opens. Who opens a group
    leaves the round to the next rank, where the mode wants it so."""
    if isinstance(inspector, VectorInspector) and not inspector.may_aggregate(bench.position(round_)):
        log.info("left to the next rank", task=bench.task, round=round_.number)
        return
    await inspector.ready(round_.survivors)
    await perform_opening(bench, task, round_, inspector)
    found = await gather_opened(bench, task, round_, inspector, now, now() + task.params.rank_seconds)
    if not found.opened.groups:
        raise NothingOpens(round_.number, found.missing)
    outcome = await _compute(bench, task, round_, inspector, found.opened)
    label = f"{bench.task}/{round_.number}"
    made = await _store(bench, outcome, label)
    manifest = Hash32(digest_of(await bench.store.put(made.to_bytes(), label)))
    claim = _claim(bench, task, round_, outcome, bench.me, manifest)
    frozen = round_.freeze
    survivors, signers = (frozen.bitmap, frozen.signers_bitmap) if frozen is not None else (b"", b"")
    turn_of = f"propose/{round_.opening}/{round_.aggregate_from}"  # a dropped one is made anew
    receipt = await bench.send(turn_of, calls.propose(bench.task, claim, survivors, signers, task.head))
    log.info("aggregate proposed", task=bench.task, round=round_.number, gas=receipt.gas_used, **outcome.metrics)


async def _verify(
    bench: Bench, task: Task, round_: Round, proposal: Proposal, inspector: Inspector, now: Callable[[], float]
) -> None:
    """Recompute everything that the proposal claims. Raises WrongProposal, BlobMissing."""
    claimed, aggregator = proposal.aggregate, proposal.aggregator
    if isinstance(inspector, VectorInspector) and not inspector.may_aggregate(proposal.position):
        raise WrongProposal(aggregator, "as its author", f"position {proposal.position}", "one who opens no group")
    await inspector.ready(round_.survivors)
    holders = bench.peers.of([aggregator])
    block = await bench.store.get(cid_of_block_digest(claimed.manifest), MANIFEST_LIMIT, holders)
    made = ProposalManifest.from_bytes(block)
    blob = await bench.store.get(
        made.unmask, opening_limit(bench.terms.mode, inspector.layout, bench.manifest.update_lanes), holders
    )
    try:
        opened = await reopened(bench, round_, inspector, blob)
    except WrongOpening as error:
        raise WrongProposal(aggregator, "the opening", str(error), "another") from error
    outcome = await _compute(bench, task, round_, inspector, opened)
    expected = _claim(bench, task, round_, outcome, aggregator, claimed.manifest)
    for field in fields(Aggregate):
        found, due = getattr(claimed, field.name), getattr(expected, field.name)
        if found != due:
            raise WrongProposal(aggregator, field.name, found, due)
    await _require_all_that_open(bench, task, round_, inspector, outcome, aggregator, now)
    due = await _store(bench, outcome, f"{bench.task}/{round_.number}")
    if made != due:  # seeds that nobody asked for would be in the unmask blob alone
        raise WrongProposal(aggregator, "the manifest", made, due)
    await bench.store.put(block, f"{bench.task}/{round_.number}")


async def _require_all_that_open(
    bench: Bench,
    task: Task,
    round_: Round,
    inspector: Inspector,
    outcome: Outcome,
    aggregator: Address,
    now: Callable[[], float],
) -> None:
    """A group may sit out only where it cannot be opened: its part of the pay would go to the others."""
    layout = inspector.layout
    left_out = {layout.group(p) for p in round_.survivors} - from_bitmap(outcome.groups, layout.groups.count)
    if not left_out:
        return
    await perform_opening(bench, task, round_, inspector)
    found = await gather_opened(bench, task, round_, inspector, now, now() + task.params.attest_seconds / 3)
    if hidden := sorted(left_out & found.opened.groups):
        raise WrongProposal(aggregator, "left out groups", hidden, "seeds that open them")


def _checker(bench: Bench, round_: Round, proposal: Proposal) -> Check:
    committee = frozenset(bench.layout(round_).committee)

    def check(word: Word) -> bool:
        try:
            signer = recover_attestation(word.signature, bench.domain, round_.number, round_.attempt, proposal.digest)
        except InvalidSignature:
            return False
        named = word.position in committee and word.content == proposal.digest
        return named and signer == round_.roster[word.position].address

    return check


async def perform_attest(
    bench: Bench, task: Task, round_: Round, proposal: Proposal, inspector: Inspector, now: Callable[[], float]
) -> None:
    """Verify, sign, and send the finalisation once a quorum has signed."""
    topic = Topic(bench.task, round_.opening, f"attestation/{proposal.digest.hex()}")
    bench.board.open(topic, _checker(bench, round_, proposal))
    layout, me = bench.layout(round_), bench.position(round_)
    try:
        await _verify(bench, task, round_, proposal, inspector, now)
    except WrongProposal:
        bench.refused.add(proposal.digest)
        raise
    bench.vouched.add(proposal.digest)
    signature = sign_attestation(bench.signer, bench.domain, round_.number, round_.attempt, proposal.digest)
    bench.journal.sign_once(bench.task, round_.opening, topic.kind, proposal.digest, signature)
    mine = [Word(me, proposal.digest, signature)]
    peers = bench.committee_peers(layout)
    bench.board.exchange(topic, peers, mine)
    asked, reached, my_turn = now(), None, committee_turn(round_, me)
    while True:
        leading = bench.board.leading(topic, bench.seated(round_))
        if leading is not None and len(leading[1]) >= round_.threshold:
            reached = reached or now()
            if now() - reached >= STAGGER_SECONDS * my_turn:
                break
        elif now() - asked >= ASK_SECONDS:
            asked = now()
            bench.board.exchange(topic, peers, mine)
        await asyncio.sleep(LOOK_SECONDS)
    words = leading[1][: round_.threshold]
    signatures = [(word.position, word.signature) for word in words]
    receipt = await bench.send(f"finalize/{proposal.digest.hex()}", calls.finalize(bench.task, signatures))
    log.info("round finalized", task=bench.task, round=round_.number, gas=receipt.gas_used)
