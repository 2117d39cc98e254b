"""What the performers of one task work with: the chain, the store, the journal, the keys, and the task's own facts."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import structlog
from eth_account.signers.local import LocalAccount
from numpy.typing import NDArray

from foedus.aggregator.aggregate import ProposalManifest
from foedus.aggregator.keys import RoundKeys
from foedus.aggregator.layout import Layout
from foedus.aggregator.modes import VectorMode, vector_mode
from foedus.aggregator.rules import initial_state, rule_of
from foedus.contracts.calls import Call
from foedus.contracts.ledger import Ledger
from foedus.contracts.sender import Receipt
from foedus.contracts.signatures import SigningDomain
from foedus.learning.analysis_terms import check_analysis
from foedus.learning.app import load_app
from foedus.learning.client import Client, open_client
from foedus.learning.noise import noise_of
from foedus.network.cid import cid_of_block_digest
from foedus.network.host import Host
from foedus.network.netstore import NetworkStore
from foedus.node.announcements import AnnouncementServer
from foedus.node.errors import NodeError, StaleBackup
from foedus.node.guard import JournalGuard, liars
from foedus.node.hints import Hints
from foedus.node.journal import Enrolment, Journal
from foedus.node.outbox import Outbox
from foedus.node.peers import PeerBook
from foedus.node.retention import Retention
from foedus.node.reveals import RevealServer
from foedus.node.seed_record import SeedRecord
from foedus.node.tally import Tally
from foedus.node.verdicts import Verdict
from foedus.node.words import Noticeboard
from foedus.protocol.chunks import lanes_from_bytes, vector_root
from foedus.protocol.commitments import Context
from foedus.protocol.events import Logged
from foedus.protocol.fixedpoint import signed
from foedus.protocol.ids import ZERO32, Address, Cid, Hash32, Opening, PeerId, Position
from foedus.protocol.law import Law
from foedus.protocol.manifest import MAX_LANES, Manifest
from foedus.protocol.ports import BlobStore
from foedus.protocol.round import Participant, Round
from foedus.protocol.task import Task
from foedus.protocol.terms import MAX_TERMS_BYTES, Terms

log = structlog.get_logger(__name__)

MANIFEST_LIMIT = 1 << 20
MAX_MODEL_BYTES = 4 * MAX_LANES
TASK_LABEL = "task"
"""Pins what a task began with, for as long as the home lives."""


class WrongModel(NodeError):
    """A model whose root is not the chain's: never trained on."""

    def __init__(self, cid: Cid, found: Hash32, expected: Hash32) -> None:
        super().__init__(f"the model {cid} has root {found.hex()}, the chain says {expected.hex()}: refusing to use it")


class WrongTerms(NodeError):
    """Terms in the store that are not what the contract enforces."""

    def __init__(self, task: Address, what: str) -> None:
        super().__init__(f"the terms of {task} say another {what} than its contract: do not take part")


async def keep_terms(store: NetworkStore, terms: Terms) -> None:
    """Pin what a task begins with: its terms, its manifest and its first model. Raises BlobMissing."""
    manifest = cid_of_block_digest(Hash32(bytes.fromhex(terms.manifest)))
    for cid, limit in ((cid_of_block_digest(terms.digest), MAX_TERMS_BYTES), (manifest, MANIFEST_LIMIT)):
        await store.fetch(cid, limit)
        await store.local.pin(cid, TASK_LABEL)
    await store.fetch(Cid(terms.model_cid), MAX_MODEL_BYTES)
    await store.local.pin(Cid(terms.model_cid), TASK_LABEL)


async def load_terms(store: BlobStore, task: Task) -> tuple[Terms, Manifest]:
    """A task's terms and manifest, checked against the chain. Raises WrongTerms, InvalidTerms, BlobMissing."""
    terms = Terms.from_bytes(await store.get(cid_of_block_digest(task.terms), MAX_TERMS_BYTES))
    if terms.params != task.params:
        raise WrongTerms(task.address, "params")
    if terms.pool != task.pool:
        raise WrongTerms(task.address, "pool")
    manifest = Manifest.from_bytes(
        await store.get(cid_of_block_digest(Hash32(bytes.fromhex(terms.manifest))), MANIFEST_LIMIT)
    )
    if Law.of(terms, manifest).digest != task.law:
        raise WrongTerms(task.address, "law")
    noise_of(terms, manifest)
    check_analysis(terms, manifest)
    return terms, manifest


async def load_model(
    store: BlobStore, task: Task, terms: Terms, manifest: Manifest, root: Hash32 | None = None
) -> NDArray[np.int32]:
    """A finished round's model by its root, or the initial one: int32, shape (manifest.model_lanes,).

    Raises WrongModel where the stored bytes are not what the chain says, BlobMissing where nobody has them.
    """
    cid, expected = Cid(terms.model_cid), Hash32(bytes.fromhex(terms.model))
    for done in (*task.finished, *task.pending):
        if root is not None and done.proposal is not None and done.proposal.aggregate.model_root == root:
            block = cid_of_block_digest(done.proposal.aggregate.manifest)
            cid, expected = ProposalManifest.from_bytes(await store.get(block, MANIFEST_LIMIT)).model, root
    if root is not None and root != expected:
        raise NodeError(f"{root.hex()} is no model of {task.address}")
    blob = await store.get(cid, 4 * manifest.model_lanes)
    found = vector_root(blob)
    if found != expected:
        raise WrongModel(cid, found, expected)
    return signed(lanes_from_bytes(blob, manifest.model_lanes))


async def load_state(store: BlobStore, task: Task, terms: Terms, manifest: Manifest, root: Hash32) -> NDArray[np.int32]:
    """The server's state by its root, all zero for that of 32 zero bytes: int32, shape (model_lanes * state_lanes,).

    Raises WrongModel where the stored bytes are not what the chain says, BlobMissing where nobody has them.
    """
    rule = rule_of(terms)
    if root == ZERO32:
        return initial_state(rule, manifest.model_lanes)
    lanes = manifest.model_lanes * rule.state_lanes
    for done in (*task.finished, *task.pending):
        if done.proposal is not None and done.proposal.aggregate.state_root == root:
            block = cid_of_block_digest(done.proposal.aggregate.manifest)
            cid = ProposalManifest.from_bytes(await store.get(block, MANIFEST_LIMIT)).state
            if cid is None:
                continue
            blob = await store.get(cid, 4 * lanes)
            found = vector_root(blob)
            if found != root:
                raise WrongModel(cid, found, root)
            return signed(lanes_from_bytes(blob, lanes))
    raise NodeError(f"{root.hex()} is no state of {task.address}")


@dataclass(slots=True)
class Bench:
    """One task's tools. `latest` is the task as the chain has it now; what performers are handed is as it was.
    `refused`, `vouched`: the proposals that this node found wrong, or right, when it was to attest them. `verdict`:
    what the watchtower found of one. `entries`: the task's log. `seeds`: what was asked of the court, and shown;
    `demands_seeds`: whether this node asks. `retention`: what it keeps. `tally`: what became of duties."""

    ledger: Ledger
    host: Host
    store: NetworkStore
    journal: Journal
    board: Noticeboard
    reveals: RevealServer
    announcements: AnnouncementServer
    hints: Hints
    peers: PeerBook
    signer: LocalAccount
    treasury: Address
    task: Address
    enrolment: Enrolment
    terms: Terms
    manifest: Manifest
    latest: Callable[[], Task | None] = field(default=lambda: None)
    refused: set[Hash32] = field(default_factory=set)
    vouched: set[Hash32] = field(default_factory=set)
    verdict: Callable[[Hash32], Verdict | None] = field(default=lambda _: None)
    entries: Callable[[], Sequence[Logged]] = field(default=tuple)
    seeds: SeedRecord = field(default_factory=SeedRecord)
    demands_seeds: bool = field(default=False)
    retention: Retention = field(default_factory=Retention)
    tally: Tally = field(default_factory=Tally)
    _client: asyncio.Task[Client] | None = field(default=None)

    @property
    def me(self) -> Address:
        return Address(self.signer.address)

    @property
    def domain(self) -> SigningDomain:
        """Where this task's signed words count."""
        return SigningDomain(self.ledger.deployment.chain_id, self.task)

    def guard(self, round_: Round) -> JournalGuard:
        """What binds this node in a round, before it reveals anything."""
        return JournalGuard(self.journal, round_.seed, liars(self.entries()))

    @property
    def mode(self) -> VectorMode | None:
        """The terms' mode where it opens sums by parts; None for those that do it by seeds."""
        return vector_mode(self.terms.mode)

    def position(self, round_: Round) -> Position:
        """My position in the round. Raises NodeError where I have none."""
        position = round_.position_of(self.me)
        if position is None:
            raise NodeError(f"{self.me} is not on the roster of round {round_.number}")
        return position

    def layout(self, round_: Round) -> Layout:
        return Layout.of(round_, self.terms)

    def seated(self, round_: Round) -> frozenset[Position]:
        """The committee members whose signatures the contract still counts: who has left since counts no more."""
        task = self.latest()
        current = task.round if task is not None else None
        return frozenset((current if current is not None and current.opening == round_.opening else round_).seated)

    def context(self, round_: Round) -> Context:
        """Where and when the round's secrets are good."""
        deployment = self.ledger.deployment
        genesis = deployment.genesis_hash
        return Context(genesis, deployment.chain_id, self.task, round_.number, round_.attempt, round_.base_root)

    async def client(self) -> Client:
        """The approved app on this participant's data, loaded once. Raises AppError, AppNotApproved."""
        if self._client is None or (self._client.done() and self._client.exception() is not None):
            self._client = asyncio.create_task(asyncio.to_thread(self._load))
        return await asyncio.shield(self._client)

    def _load(self) -> Client:
        mine = self.enrolment
        app = load_app(Path(mine.app), expected=mine.app_digest)
        data = Path(mine.data) if mine.data else None
        client = open_client(app, self.terms, self.manifest, mine.partition, count=mine.partitions, data_path=data)
        client.data_root(mine.salt)
        return client

    def round_keys(self, task: Task, round_: Round) -> RoundKeys:
        """The private keys that the roster knows me by. Raises StaleBackup where this journal never had them."""
        member = round_.roster[self.position(round_)]
        kept = self.journal.keys(self.task, key_slot(member, round_.opening))
        if kept is None:
            raise StaleBackup(self.task, task.participants[self.me].generation, round_.opening)
        return RoundKeys.from_bytes(kept)

    def fresh_keys(self, opening: Opening) -> RoundKeys:
        """The keys for an opening to come, in the journal before they are used."""
        kept = self.journal.keep_keys(self.task, opening, RoundKeys.generate(os.urandom).to_bytes())
        return RoundKeys.from_bytes(kept)

    def committee_peers(self, layout: Layout) -> list[PeerId]:
        """The other committee members' peers, as far as the registry knows them."""
        accounts = [layout.roster[p].address for p in layout.committee]
        return self.peers.of(account for account in accounts if account != self.me)

    async def model(self, task: Task, root: Hash32) -> NDArray[np.int32]:
        """A model by its root: int32, shape (manifest.model_lanes,). Raises WrongModel, BlobMissing."""
        return await load_model(self.store, task, self.terms, self.manifest, root)

    async def state(self, task: Task, root: Hash32) -> NDArray[np.int32]:
        """The server's state by its root, see `load_state`."""
        return await load_state(self.store, task, self.terms, self.manifest, root)

    async def send(self, label: str, call: Call) -> Receipt:
        """Sign, write down, send and await a transaction; under a label sent before, the same bytes go out again.

        A transaction once begun is seen through, even where the duty that asked for it is called off meanwhile.
        """
        return await asyncio.shield(asyncio.create_task(self._send(label, call)))

    async def _send(self, label: str, call: Call) -> Receipt:
        receipt = await Outbox(self.ledger, self.journal, self.task).send(label, call)
        await self.hints.tell(self.task)
        return receipt


def key_slot(member: Participant, opening: Opening) -> Opening:
    """Where the journal keeps the keys that serve `opening`: those made at join go by their epoch, negated."""
    return opening if member.ready_opening == opening else Opening(-member.ready_epoch)
