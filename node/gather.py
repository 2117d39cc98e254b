"""What a proposal is judged by: commitments from the chain, bundles and blobs from whoever has them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import structlog

from foedus.aggregator.aggregate import MalformedProposal, ProposalManifest, proposal_limit
from foedus.aggregator.bundle import Envelope
from foedus.aggregator.freeze import Fault, check_envelope, check_update
from foedus.aggregator.inputs import Inputs
from foedus.aggregator.layout import ENVELOPE_LIMIT, Layout
from foedus.aggregator.messages import Slot
from foedus.aggregator.modes import Bundle, VectorMode, vector_mode
from foedus.aggregator.parts import opening_limit
from foedus.aggregator.rules import rule_of
from foedus.aggregator.testimony import Testimony
from foedus.aggregator.unmask import seed_fits
from foedus.aggregator.unmasked import MalformedUnmask, unmask_from_bytes
from foedus.contracts.ledger import Ledger
from foedus.network.cid import InvalidCid, cid_of_block_digest
from foedus.network.netstore import NetworkStore
from foedus.node.bench import load_model, load_state
from foedus.node.errors import NodeError
from foedus.node.peers import PeerBook
from foedus.protocol.claims import Case, claim_of, commitment_digest, next_digest
from foedus.protocol.commitments import Context
from foedus.protocol.events import Logged, RoundOpened, UpdateCommitted
from foedus.protocol.ids import Address, Cid, Hash32, Opening, PeerId, Position, Seed
from foedus.protocol.law import Law
from foedus.protocol.manifest import Manifest
from foedus.protocol.ports import BlobCorrupt, BlobMissing, BlobTooLarge
from foedus.protocol.proofs import Base, Committed
from foedus.protocol.round import Commitment, Proposal, Round
from foedus.protocol.task import Task
from foedus.protocol.terms import Terms

log = structlog.get_logger(__name__)

HINT_SECONDS = 15.0
"""How long to look for a blob that an aggregator says there is: it may never have been."""


class Incomplete(NodeError):
    """Something that survivors committed to cannot be had, so nothing can be said of the sum."""

    def __init__(self, number: int, position: Position, what: str) -> None:
        super().__init__(f"round {number}: the {what} of position {position} cannot be had: looking again")


@dataclass(frozen=True, slots=True)
class Post:
    """Where one task is watched from."""

    ledger: Ledger
    store: NetworkStore
    peers: PeerBook
    task: Address
    terms: Terms
    manifest: Manifest
    treasury: Address

    @property
    def law(self) -> Law:
        return Law.of(self.terms, self.manifest)


def standing(task: Task) -> tuple[Round, ...]:
    """The rounds whose proposals stand, final or not."""
    return (*task.finished, *task.pending)


def case_of(task: Task, law: Law, round_: Round, proposal: Proposal) -> Case:
    """A proposal as the court takes it."""
    later = tuple(claim_of(after).digest for after in standing(task) if after.number > round_.number)
    return Case(task.address, law, proposal.before, claim_of(round_), later)


def base_of(task: Task, round_: Round, initial: Hash32) -> Base:
    """What a round's claim builds on: the claim before it, or the task's initial model."""
    before = [done for done in standing(task) if done.number < round_.number]
    if not before or before[-1].proposal is None:
        return Base(initial, None)
    return Base(before[-1].proposal.before, claim_of(before[-1]))


def commitments_of(entries: Sequence[Logged], chain_id: int, round_: Round, task: Address) -> dict[Position, Committed]:
    """The survivors' commitments with their places in their authors' chains, from the task's log."""
    opening = Opening(0)
    made: dict[Address, list[Commitment]] = {}
    for entry in entries:
        event = entry.event
        if isinstance(event, RoundOpened):
            opening = event.opening
        elif isinstance(event, UpdateCommitted):
            roots = (event.update_root, event.seeds_root, event.bundle, event.data_root)
            place = (opening, event.round, event.attempt, event.participant, event.position, event.generation)
            made.setdefault(event.participant, []).append(Commitment(*place, *roots))
    found: dict[Position, Committed] = {}
    for chain in made.values():
        digest, links = bytes(24), [commitment_digest(chain_id, task, commitment) for commitment in chain]
        for at, commitment in enumerate(chain):
            if commitment.opening == round_.opening and commitment.position in round_.survivors:
                found[commitment.position] = Committed(digest, commitment, tuple(links[at + 1 :]))
            digest = next_digest(digest, links[at])
    return found


async def gather(post: Post, task: Task, entries: Sequence[Logged], round_: Round, proposal: Proposal) -> Inputs:
    """Everything but the seeds. Raises Incomplete, BlobMissing, UnfitLayout."""
    layout, deployment = Layout.of(round_, post.terms), post.ledger.deployment
    genesis, chain_id = deployment.genesis_hash, deployment.chain_id
    context = Context(genesis, chain_id, task.address, round_.number, round_.attempt, round_.base_root)
    commitments = commitments_of(entries, chain_id, round_, task.address)
    envelopes: dict[Position, Envelope] = {}
    vectors: dict[Position, bytes] = {}
    bundles: dict[Position, Bundle] = {}
    mode = vector_mode(post.terms.mode)
    for position in sorted(round_.survivors):
        made = commitments[position].made
        holders = post.peers.of([made.participant, proposal.aggregator])
        if mode is None:
            envelopes[position], vectors[position] = await _masked(post, layout, made, holders)
        else:
            bundles[position] = await _bundle(post, mode, layout, context, made, holders)
            vectors[position] = bundles[position].vector
    initial = Hash32(bytes.fromhex(post.terms.model))
    return Inputs(
        terms=post.terms,
        manifest=post.manifest,
        layout=layout,
        context=context,
        survivors=round_.survivors,
        signers=round_.freeze.signers_bitmap if round_.freeze is not None else b"",
        commitments=commitments,
        envelopes=envelopes,
        vectors=vectors,
        seeds={},
        before=base_of(task, round_, initial),
        model=await load_model(post.store, task, post.terms, post.manifest, round_.base_root),
        state=await load_state(post.store, task, post.terms, post.manifest, round_.base_state),
        bundles=bundles,
    )


async def _masked(post: Post, layout: Layout, made: Commitment, holders: list[PeerId]) -> tuple[Envelope, bytes]:
    sealed = await post.store.get(cid_of_block_digest(made.bundle), ENVELOPE_LIMIT, holders)
    read = await asyncio.to_thread(check_envelope, layout, made, sealed)
    if not isinstance(read, Envelope):
        raise Incomplete(made.round, made.position, "bundle")
    blob = await post.store.get(read.update, 4 * post.manifest.update_lanes, holders)
    if await asyncio.to_thread(check_update, made, blob, post.manifest.update_lanes) is not None:
        raise Incomplete(made.round, made.position, "update")
    return read, blob


async def _bundle(
    post: Post, mode: VectorMode, layout: Layout, context: Context, made: Commitment, holders: list[PeerId]
) -> Bundle:
    lanes = post.manifest.update_lanes
    sealed = await post.store.get(cid_of_block_digest(made.bundle), ENVELOPE_LIMIT, holders)
    read = await asyncio.to_thread(mode.check_envelope, layout, made, sealed)
    if isinstance(read, Fault):
        raise Incomplete(made.round, made.position, "bundle")
    vector = await post.store.get(read.update, mode.vector_limit(lanes), holders)
    blobs = mode.beside(layout, read, None, lanes)
    beside = tuple([await post.store.get(blob.cid, blob.limit, holders) for blob in blobs])
    wrong = await asyncio.to_thread(mode.check_vector, made, vector, lanes)
    if wrong is not None or mode.check_beside(layout, context, read, vector, beside, None):
        raise Incomplete(made.round, made.position, "update")
    return Bundle(read, vector, beside)


async def published(post: Post, inputs: Inputs, proposal: Proposal) -> Testimony:
    """The blobs that a proposal's manifest names, as far as they can be had: whatever is in them."""
    claim, holders = proposal.aggregate, post.peers.of([proposal.aggregator])

    async def fetch(cid: Cid, limit: int) -> bytes | None:
        try:
            return await asyncio.wait_for(post.store.get(cid, limit, holders), HINT_SECONDS)
        except (BlobMissing, BlobCorrupt, BlobTooLarge, InvalidCid, TimeoutError) as error:
            log.info("not to be had", task=post.task, cid=cid, why=str(error))
            return None

    block = await fetch(cid_of_block_digest(claim.manifest), proposal_limit(inputs.layout.groups.count))
    if block is None or sha256(block).digest() != claim.manifest:
        return Testimony()
    try:
        made = ProposalManifest.from_bytes(block)
    except MalformedProposal:
        return Testimony(manifest=block)
    lanes = post.manifest.model_lanes
    return Testimony(
        manifest=block,
        tops=await fetch(made.tops, 32 * inputs.chunks),
        unmask=await fetch(made.unmask, opening_limit(post.terms.mode, inputs.layout, post.manifest.update_lanes)),
        model=await fetch(made.model, 4 * lanes),
        state=await fetch(made.state, 4 * lanes * rule_of(post.terms).state_lanes) if made.state else None,
    )


def fitting_seeds(inputs: Inputs, unmask: bytes | None) -> dict[Slot, Seed]:
    """Those of a published list that are as committed."""
    try:
        listed = unmask_from_bytes(inputs.layout, unmask or b"")
    except MalformedUnmask:
        return {}
    return {
        (owner, row): seed
        for (owner, row), seed in listed.items()
        if owner in inputs.envelopes and seed_fits(inputs.layout, inputs.context, inputs.envelopes[owner], row, seed)
    }
