"""A whole round in one process: real keys, bundles, boxes and blobs; no chain, no network."""

from __future__ import annotations

import asyncio
import random as random_module
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from types import MappingProxyType

import numpy as np
import pytest
from numpy.typing import NDArray

from foedus.aggregator.aggregate import Outcome, ProposalManifest, aggregate, opened_by_seeds
from foedus.aggregator.audit import audit_task
from foedus.aggregator.bundle import Envelope, Prepared, make_bundle
from foedus.aggregator.freeze import check_bundle, choose_survivors, find_disputes
from foedus.aggregator.keys import RoundKeys
from foedus.aggregator.layout import Layout
from foedus.aggregator.report import Report
from foedus.aggregator.rules import initial_state, rule_of
from foedus.aggregator.unmask import Collected, FirstFreeze, collect, release_shares, reveal
from foedus.aggregator.update import encode_update
from foedus.network.cid import cid_of
from foedus.protocol import events as ev
from foedus.protocol.bitmap import Pair, to_bitmap
from foedus.protocol.chunks import Lanes, lanes_to_bytes, vector_root
from foedus.protocol.commitments import Context
from foedus.protocol.events import Logged, LogPoint
from foedus.protocol.fixedpoint import from_fixed, to_fixed
from foedus.protocol.fold import fold
from foedus.protocol.ids import ZERO32, Address, Attempt, Cid, Hash32, Opening, Position, RoundNumber, Timestamp, Wei
from foedus.protocol.law import Law
from foedus.protocol.manifest import Manifest
from foedus.protocol.ports import BlobCorrupt, BlobMissing, BlobTooLarge
from foedus.protocol.round import Commitment, Participant, Round
from foedus.protocol.terms import Terms
from tests.protocol import samples

CHAIN_ID = 31337
SHAPES = {"w": (20, 30), "b": (30,)}


class Blobs:
    """Content-addressed bytes in memory; `broken` ones fail their check, as on a bad disk."""

    def __init__(self) -> None:
        self.held: dict[Cid, bytes] = {}
        self.broken: set[Cid] = set()

    async def get(self, cid: Cid, limit: int) -> bytes:
        if cid in self.broken:
            raise BlobCorrupt(cid)
        if cid not in self.held:
            raise BlobMissing(cid)
        if len(self.held[cid]) > limit:
            raise BlobTooLarge(cid, len(self.held[cid]), limit)
        return self.held[cid]

    async def put(self, blob: bytes) -> Cid:
        return self.keep(blob)

    def keep(self, blob: bytes) -> Cid:
        cid = cid_of(blob)
        self.held[cid] = blob
        return cid


def address(index: int) -> Address:
    """Account number `index` of the tests."""
    return Address("0x" + sha256(b"account" + index.to_bytes(4, "big")).hexdigest()[:40])


def make_manifest(shapes: Mapping[str, tuple[int, ...]] = SHAPES) -> Manifest:
    return Manifest.of({name: np.zeros(shape) for name, shape in shapes.items()}, ("accuracy", "loss"))


def make_base(generator: np.random.Generator, manifest: Manifest | None = None) -> NDArray[np.int32]:
    manifest = manifest or make_manifest()
    base = np.zeros(manifest.model_lanes, dtype=np.int32)
    base[: manifest.parameters] = to_fixed(generator.normal(size=manifest.parameters) / 4, 20)
    return base


def make_terms(members: int, **changes: object) -> Terms:
    most = max(members, 2)
    params = samples.params(min_participants=2, max_participants=most, epoch_rounds=8, stake=Wei(1))
    settings: dict[str, object] = {
        "name": "t",
        "app": "00" * 32,
        "manifest": make_manifest().digest.hex(),
        "model": "00" * 32,
        "params": params,
        "g_min": 2,
        "group_size": max(members, 2),
        **changes,
    }
    return Terms(**settings)  # type: ignore[arg-type]


@dataclass
class World:
    """One attempt at one round among `members` participants, positions 0..members-1.

    round, base, keys and blobs are made up unless a chain provides them.
    """

    members: int
    settings: dict[str, object] = field(default_factory=dict)
    seed: int = 1
    number: int = 1
    attempt: int = 1
    severed: frozenset[Pair] = frozenset()
    copied: dict[int, int] = field(default_factory=dict)
    """Sybils: position -> whose public keys it registered as its own."""
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=lambda: SHAPES)
    round: Round | None = None
    terms: Terms | None = None
    base: NDArray[np.int32] | None = None
    state: NDArray[np.int32] | None = None
    keys: dict[Position, RoundKeys] = field(default_factory=dict)
    blobs: Blobs = field(default_factory=Blobs)
    guards: dict[Position, FirstFreeze] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random: Callable[[int], bytes] = random_module.Random(self.seed).randbytes
        self.generator = np.random.default_rng(self.seed)
        self.terms_ = self.terms or make_terms(self.members, **self.settings)
        self.manifest = make_manifest(self.shapes)
        self.keys = self.keys or {p: RoundKeys.generate(self.random) for p in self.positions}
        self.keys |= {Position(p): self.keys[Position(of)] for p, of in self.copied.items()}
        self.base_ = make_base(self.generator, self.manifest) if self.base is None else self.base
        rule = rule_of(self.terms_)
        self.state_ = initial_state(rule, self.manifest.model_lanes) if self.state is None else self.state
        self.round_ = self.round or self._made_up()
        task = address(10_000)
        self.context = Context(ZERO32, CHAIN_ID, task, self.round_.number, self.round_.attempt, self.round_.base_root)
        self.layout = Layout.of(self.round_, self.terms_)
        self.plain: dict[Position, Lanes] = {}
        self.prepared: dict[Position, Prepared] = {}
        self.envelopes: dict[Position, Envelope] = {}
        self.sealed: dict[Position, bytes] = {}
        self.commitments: dict[Position, Commitment] = {}
        self.guards = self.guards or {p: FirstFreeze() for p in self.positions}

    def _made_up(self) -> Round:
        roster = {
            p: Participant(address(p), p, self.keys[p].mask_key, self.keys[p].box_key, ZERO32, 1)
            for p in self.positions
        }
        return Round(
            number=RoundNumber(self.number),
            attempt=Attempt(self.attempt),
            opening=Opening(1),
            base_root=vector_root(lanes_to_bytes(self.base_)),
            base_state=ZERO32,
            epoch=1,
            domain=self.members,
            seed=Hash32(sha256(b"seed" + self.seed.to_bytes(8, "big")).digest()),
            severed=self.severed,
            roster=MappingProxyType(roster),
        )

    @property
    def positions(self) -> list[Position]:
        return [Position(p) for p in range(self.members)]

    def encode(self, weight: int = 1) -> Lanes:
        """A random honest update."""
        base = from_fixed(self.base_, self.terms_.scale_bits)
        local = base.copy()
        local[: self.manifest.parameters] += self.generator.normal(size=self.manifest.parameters) * 0.1
        noise = self.generator.integers(0, 2**32, size=self.manifest.model_lanes, dtype=np.uint32)
        metrics = {"accuracy": float(self.generator.random()), "loss": float(self.generator.random() * 3)}
        return encode_update(self.terms_, self.manifest, base, local, weight, metrics, noise)

    def commit(self, me: Position, update: Lanes | None = None) -> None:
        """Participant `me` masks, stores and commits."""
        self.plain[me] = self.encode() if update is None else update
        prepared = make_bundle(self.layout, self.context, me, self.keys[me], self.plain[me], self.random)
        self.publish(me, prepared, prepared.seal(self.blobs.keep(prepared.update_blob)))

    def publish(self, me: Position, prepared: Prepared, sealed: bytes) -> None:
        """Put a bundle, honest or not, under its owner's commitment."""
        self.prepared[me], self.sealed[me] = prepared, sealed
        self.blobs.keep(sealed)
        self.commitments[me] = Commitment(
            opening=self.round_.opening,
            round=self.round_.number,
            attempt=self.round_.attempt,
            participant=address(me),
            position=me,
            generation=1,
            update_root=prepared.update_root,
            seeds_root=prepared.seeds_root,
            bundle=Hash32(sha256(sealed).digest()),
            data_root=ZERO32,
        )

    def check(self, receiver: Position | None = None) -> dict[Position, tuple[object, ...]]:
        """What one member finds in all bundles; parsed envelopes are kept."""
        found: dict[Position, tuple[object, ...]] = {}
        for p, commitment in self.commitments.items():
            seen = None if receiver is None else (receiver, self.keys[receiver])
            envelope, faults = check_bundle(
                self.layout,
                self.context,
                commitment,
                self.sealed[p],
                self.prepared[p].update_blob,
                self.manifest.update_lanes,
                seen,
                self.random,
            )
            if envelope is not None:
                self.envelopes[p] = envelope
            found[p] = faults
        return found

    def freeze(self, receiver: Position | None = None) -> frozenset[Position]:
        """The survivors as a member chooses them."""
        found = self.check(receiver)
        disputes = find_disputes(self.layout, self.envelopes)
        return choose_survivors(self.layout, [p for p, faults in found.items() if not faults], disputes).survivors

    def unmask(
        self, survivors: frozenset[Position], absent: Collection[Position] = (), away: Collection[Position] = ()
    ) -> Collected:
        """Survivors but `absent` reveal; committee members but `away` release shares for those."""
        reveals = []
        for p in sorted(survivors - set(absent)):
            secrets = self.prepared[p].secrets
            if secrets is not None:
                args = (self.layout, self.context, survivors, p, secrets, self.keys[p], self.guards[p])
                reveals.append(reveal(*args))
        releases = [
            release_shares(
                self.layout, self.context, survivors, absent, self.envelopes, m, self.keys[m], self.guards[m]
            )
            for m in self.layout.committee
            if absent and m not in away
        ]
        return collect(self.layout, self.context, survivors, self.envelopes, reveals, releases)

    def outcome(self, survivors: frozenset[Position], collected: Collected, workers: int = 1) -> Outcome:
        blobs = {p: self.prepared[p].update_blob for p in survivors}
        start = (self.base_, self.state_)
        opened = opened_by_seeds(self.layout, survivors, blobs, collected.seeds)
        return aggregate(self.layout, self.terms_, self.manifest, *start, survivors, opened, workers)


@pytest.fixture(scope="session")
def worlds() -> type[World]:
    return World


class Chain:
    """A task's log, as the contract would write it, with its blobs; `play` runs one honest round."""

    def __init__(self, members: int = 6, seed: int = 5, **settings: object) -> None:
        self.members, self.seed = members, seed
        self.generator, self.blobs = np.random.default_rng(seed), Blobs()
        self.random = random_module.Random(seed).randbytes
        self.base = make_base(self.generator)
        root = vector_root(lanes_to_bytes(self.base))
        self.initial = self.blobs.keep(lanes_to_bytes(self.base))
        self.terms = make_terms(members, model=root.hex(), model_cid=self.initial, **settings)
        self.blobs.keep(self.terms.to_bytes())
        self.blobs.keep(make_manifest().to_bytes())
        self.state = initial_state(rule_of(self.terms), self.base.size)
        self.entries: list[Logged] = []
        self.worlds: list[World] = []
        self.outcomes: list[Outcome] = []
        self.keys = {Position(p): RoundKeys.generate(self.random) for p in range(members)}
        self.guards = {Position(p): FirstFreeze() for p in range(members)}
        self.generation = 0
        task = address(10_000)
        law = Law.of(self.terms, make_manifest()).digest
        ether = Address("0x" + "00" * 20)
        self.say(ev.TaskCreated(task, address(9_999), self.terms.digest, law, root, ether, Wei(0), self.terms.params))
        self.say(ev.EnrolmentOpened(Timestamp(1), members))
        for p, keys in self.keys.items():
            self.say(ev.ParticipantJoined(address(p), p, p + 1, 1, keys.mask_key, keys.box_key, self.terms.digest))
        self.say(ev.DrawScheduled(1, 2))
        self.say(ev.EpochDrawn(1, members, Hash32(sha256(bytes([seed])).digest())))

    def say(self, event: ev.Event) -> None:
        at = len(self.entries)
        self.entries.append(Logged(LogPoint(at, 0, Hash32(at.to_bytes(32, "big")), Timestamp(at)), event))

    def play(self, out: Collection[int] = (), absent: Collection[int] = ()) -> World:
        """One round: `out` never commit, `absent` commit and do not reveal."""
        task = fold(self.entries)
        number, attempt = task.next_round, Attempt(1)
        ready = [p for p in self.keys if p not in self.idle()]
        self.say(ev.RoundOpened(number, attempt, Opening(task.opening + 1), len(ready), Timestamp(0)))
        round_ = fold(self.entries).round
        assert round_ is not None
        world = World(
            self.members,
            seed=self.seed + 100 * number,
            round=round_,
            terms=self.terms,
            base=self.base,
            state=self.state,
            keys=dict(self.keys),
            blobs=self.blobs,
            guards=self.guards,
        )
        self.generation += 1
        for p in ready:
            if p in out:
                continue
            world.commit(p)
            self.keys[p] = RoundKeys.generate(self.random)
            made = world.commitments[p]
            self.say(
                ev.UpdateCommitted(
                    participant=address(p),
                    round=number,
                    attempt=attempt,
                    position=p,
                    generation=self.generation,
                    update_root=made.update_root,
                    seeds_root=made.seeds_root,
                    bundle=made.bundle,
                    data_root=ZERO32,
                    mask_key=self.keys[p].mask_key,
                    box_key=self.keys[p].box_key,
                )
            )
        self.say(ev.CommitClosed(number, attempt, len(world.commitments), Timestamp(0)))
        survivors = world.freeze()
        bitmap, everyone = to_bitmap(survivors, self.members), to_bitmap(round_.committee, self.members)
        self.say(ev.SurvivorsFrozen(number, attempt, bitmap, b"", everyone, 1, Timestamp(0), Timestamp(0)))
        outcome = world.outcome(survivors, world.unmask(survivors, [Position(p) for p in absent]))
        self.outcomes.append(outcome)
        self.propose(world, outcome, everyone)
        self.base, self.state = outcome.model, outcome.state
        self.worlds.append(world)
        return world

    def idle(self) -> set[Position]:
        """Who did not commit in the last round, and so has no keys for the next opening."""
        if not self.worlds:
            return set()
        return set(self.keys) - set(self.worlds[-1].commitments)

    def propose(self, world: World, outcome: Outcome, attesters: bytes) -> None:
        number, attempt = world.round_.number, world.round_.attempt
        state = self.blobs.keep(outcome.state_blob) if outcome.state_blob else None
        cids = [self.blobs.keep(blob) for blob in (outcome.model_blob, outcome.unmask_blob, outcome.tops_blob)]
        hints = ProposalManifest(*cids, state, outcome.causes).to_bytes()
        self.blobs.keep(hints)
        claim = ev.Aggregate(
            sum_root=outcome.sum_root,
            unmask_root=outcome.unmask_root,
            state_root=outcome.state_root,
            model_root=outcome.model_root,
            payout_root=ZERO32,
            manifest=Hash32(sha256(hints).digest()),
            payout_total=Wei(0),
            total_weight=outcome.total_weight,
            groups=outcome.groups,
            quarantined=outcome.quarantined,
        )
        first = min(world.commitments)
        name = Hash32(sha256(b"proposal" + bytes([number])).digest())
        self.say(ev.AggregateProposed(address(first), number, attempt, first, 0, name, claim, Timestamp(0)))
        self.say(ev.RoundFinalized(number, attempt, name, attesters))

    def amend(self, kind: type, **changes: object) -> None:
        """Rewrite the last event of a kind."""
        at = max(i for i, entry in enumerate(self.entries) if isinstance(entry.event, kind))
        entry = self.entries[at]
        self.entries[at] = replace(entry, event=replace(entry.event, **changes))  # type: ignore[arg-type]

    def audit(self, **options: object) -> Report:
        """The auditor's report, run to its end."""
        return asyncio.run(
            audit_task(self.entries, self.blobs, ZERO32, CHAIN_ID, **options)  # type: ignore[arg-type]
        )


@pytest.fixture(scope="session")
def chains() -> type[Chain]:
    return Chain
