"""A real history: four members play a task to its end on a chain, with masks, bundles and blobs of real nodes; another
task is contested, and two wait."""

from __future__ import annotations

import asyncio
import random as random_module
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

from foedus.aggregator.aggregate import Outcome, ProposalManifest, aggregate, opened_by_seeds
from foedus.aggregator.bundle import parse_envelope
from foedus.aggregator.keys import RoundKeys
from foedus.aggregator.layout import Layout
from foedus.aggregator.rules import initial_state, rule_of
from foedus.aggregator.unmask import FirstFreeze, collect, reveal
from foedus.contracts import calls
from foedus.contracts.ledger import Ledger
from foedus.incentives.payouts import claim_proof
from foedus.incentives.settlement import Rewards, after_round, rewards_before, rewards_of
from foedus.network.store import BlockStore
from foedus.protocol.chunks import lanes_from_bytes
from foedus.protocol.commitments import Context
from foedus.protocol.events import Aggregate
from foedus.protocol.fixedpoint import signed
from foedus.protocol.fold import fold
from foedus.protocol.ids import Address, Cid, Hash32, Position, Wei
from foedus.protocol.law import Law
from foedus.protocol.round import Round
from foedus.protocol.task import Task
from foedus.protocol.terms import Terms
from foedus.simulation.seating import Seating
from foedus.simulation.seeds import Published, publish
from tests.browser.contested import Contested, contest
from tests.contracts.actors import PARAMS, World
from tests.contracts.chain import TREASURY
from tests.simulation.toy import ToyClient, ToyTask, toy_task

MEMBERS = 4
POOL = Wei(10**16)
HOSTILE = "<script>alert(1)</script>\"'&"


@dataclass
class Told:
    """What the tests know of the history. blobs: some of round 2's, by what an audit calls them."""

    world: World
    store: Path
    contested: Contested
    played: Address = Address("")
    enrolling: Address = Address("")
    unread: Address = Address("")
    terms: Terms | None = None
    claimed: Wei = Wei(0)
    blobs: dict[str, Cid] = field(default_factory=dict)


def tell(world: World, folder: Path) -> Told:
    """Four tasks: one played to its end, one contested, one that waits under a hostile name, one whose terms nobody
    stores."""
    world.deposit(world.accounts[:-2])
    told = Told(world, folder, contest(world))
    store = BlockStore(folder)
    _Play(told, store).whole()
    for name, keep in ((HOSTILE, True), ("kept to itself", False)):
        terms = replace(_task().terms, name=name)
        if keep:
            store.write_blob(terms.to_bytes())
        stage = world.create(world.accounts[:MEMBERS], terms.params, POOL, terms.digest)
        if keep:
            told.enrolling = stage.task
        else:
            told.unread = stage.task
    store.pins.close()
    return told


def _task() -> ToyTask:
    toy = toy_task(MEMBERS, rounds=2, group_size=MEMBERS)
    params = replace(PARAMS, rounds=2, max_participants=MEMBERS)
    return ToyTask(replace(toy.terms, params=params, pool=POOL), toy.manifest, toy.initial_model)


class _Play:
    """One honest task from creation to a claimed reward."""

    def __init__(self, told: Told, store: BlockStore) -> None:
        self.told, self.world, self.store = told, told.world, store
        self.random = random_module.Random(7).randbytes
        toy = _task()
        model_cid = store.write_blob(toy.initial_model)
        self.toy = ToyTask(replace(toy.terms, model_cid=model_cid), toy.manifest, toy.initial_model)
        self.terms = told.terms = self.toy.terms
        for blob in (self.terms.to_bytes(), toy.manifest.to_bytes()):
            store.write_blob(blob)
        law, base = Law.of(self.terms, toy.manifest).digest, Hash32(bytes.fromhex(self.terms.model))
        members, digest = self.world.accounts[:MEMBERS], self.terms.digest
        self.stage = self.world.create(members, self.terms.params, POOL, digest, law, base)
        told.played = self.stage.task
        self.keys = {member: RoundKeys.generate(self.random) for member in range(MEMBERS)}
        self.model = signed(lanes_from_bytes(toy.initial_model, toy.manifest.model_lanes))

    def whole(self) -> None:
        """Two rounds, the last member away from the second; then the first member takes its reward."""
        for member, keys in self.keys.items():
            join = calls.join(self.stage.task, self.terms.digest, keys.mask_key, keys.box_key)
            self.stage.act(join, self.stage.members[member])
        self.stage.draw()
        self.round(range(MEMBERS))
        self.round(range(MEMBERS - 1))
        paid, first = rewards_of(self.read(), self.terms, TREASURY), Address(self.stage.members[0].address)
        payee, proof = claim_proof(paid.earned, paid.payees, first)
        last = self.stage.proposals[-1]
        self.stage.act(calls.claim(self.stage.task, first, paid.earned[first], payee, proof, last.before, last.claim))
        self.told.claimed = paid.earned[first]

    def round(self, present: Collection[int]) -> None:
        """One round, from commits to finality."""
        task, round_ = self.running()
        layout = Layout.of(round_, self.terms)
        genesis = Hash32(bytes.fromhex(self.world.deployment.genesis[2:]))
        marks = (task.address, round_.number, round_.attempt, round_.base_root)
        context = Context(genesis, self.world.chain_id, *marks)
        seat = {member: self.stage.position(member) for member in range(MEMBERS)}
        seating = Seating(round_, context, {seat[member]: keys for member, keys in self.keys.items()})
        updates = {
            seat[member]: ToyClient(self.toy, member).update(self.model, round_.number).lanes for member in present
        }
        published = publish(layout, seating, updates, self.random)
        for member in present:
            self.commit(member, seat[member], published)
        if len(present) < MEMBERS:
            self.stage.expire()
        self.stage.freeze(present)
        _, frozen = self.running()
        self.settle(self.outcome(layout, seating, published, frozen.survivors))

    def commit(self, member: int, position: Position, published: Published) -> None:
        """Store a member's blobs and commit to them, with keys for the next opening."""
        made, envelope = published.commitments[position], published.envelopes[position]
        self.told.blobs["masked update"] = self.store.write_blob(published.vectors[position])
        self.told.blobs["bundle"] = self.store.write_blob(envelope)
        self.keys[member] = RoundKeys.generate(self.random)
        roots = (made.update_root, made.seeds_root, made.bundle, Hash32(sha256(bytes([member])).digest()))
        generation = self.stage.generation(member) + 1
        keys = (self.keys[member].mask_key, self.keys[member].box_key)
        self.stage.act(calls.commit(self.stage.task, generation, *roots, *keys), self.stage.members[member])

    def outcome(
        self, layout: Layout, seating: Seating, published: Published, survivors: frozenset[Position]
    ) -> Outcome:
        """The aggregate, once every survivor has revealed."""
        envelopes, reveals = {}, []
        for position in survivors:
            envelopes[position] = parse_envelope(layout, position, published.envelopes[position])
            secrets = published.secrets[position]
            assert secrets is not None
            own = (position, secrets, seating.keys[position], FirstFreeze())
            reveals.append(reveal(layout, seating.context, survivors, *own))
        found = collect(layout, seating.context, survivors, envelopes, reveals, [])
        manifest = self.toy.manifest
        start = (self.model, initial_state(rule_of(self.terms), manifest.model_lanes))
        opened = opened_by_seeds(layout, survivors, published.vectors, found.seeds)
        return aggregate(layout, self.terms, manifest, *start, survivors, opened)

    def settle(self, outcome: Outcome) -> None:
        """Propose, attest, finalise."""
        model, unmask, tops = map(self.store.write_blob, (outcome.model_blob, outcome.unmask_blob, outcome.tops_blob))
        self.told.blobs |= {"model": model, "unmask": unmask}
        hints = ProposalManifest(model, unmask, tops).to_bytes()
        self.store.write_blob(hints)
        self.world.mine(2)
        aggregator = self.stage.ranking()[0]
        paid = self.paid(outcome, Address(self.stage.members[aggregator].address))
        claim = Aggregate(
            sum_root=outcome.sum_root,
            unmask_root=outcome.unmask_root,
            state_root=outcome.state_root,
            model_root=outcome.model_root,
            payout_root=paid.root,
            manifest=Hash32(sha256(hints).digest()),
            payout_total=paid.total,
            total_weight=outcome.total_weight,
            groups=outcome.groups,
            quarantined=outcome.quarantined,
        )
        self.stage.propose(claim, aggregator)
        self.stage.finalize()
        self.model = outcome.model

    def paid(self, outcome: Outcome, aggregator: Address) -> Rewards:
        """Rewards with this round's, if the aggregator's proposal stands."""
        task, round_ = self.running()
        before = rewards_before(task, round_, self.terms, TREASURY)
        return after_round(before, round_, self.terms, aggregator, outcome, TREASURY)

    def running(self) -> tuple[Task, Round]:
        """The task as the chain tells it, and its round."""
        task = self.read()
        assert task.round is not None
        return task, task.round

    def read(self) -> Task:
        """The task as the chain tells it."""

        async def ask() -> Task:
            async with await Ledger.connect(self.world.url, self.world.deployment) as ledger:
                return fold(await ledger.task_events(self.stage.task, 0))

        return asyncio.run(ask())
