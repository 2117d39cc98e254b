"""Accounts that play a task on a test chain: they join, commit, sign freezes and attestations, propose and poke.

Who sits where, who is on the committee and whose turn it is are asked of the contract and of the Python protocol.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from eth_account.signers.local import LocalAccount

from foedus.contracts import calls
from foedus.contracts.bindings import artifact
from foedus.contracts.calls import Call
from foedus.contracts.signatures import SigningDomain, proposal_hash, sign_attestation, sign_survivors
from foedus.protocol.bitmap import to_bitmap
from foedus.protocol.events import Aggregate, AggregateProposed, Phase, TaskCreated
from foedus.protocol.groups import aggregator_seed, in_committee, shuffle, threshold
from foedus.protocol.ids import Address, Attempt, Hash32, Position, PublicKey, RoundNumber, Wei
from foedus.protocol.terms import Params
from tests.contracts.chain import ETHER, Chain, Mined

STAKE = Wei(10**15)
TERMS = Hash32(sha256(b"terms").digest())
BASE = Hash32(sha256(b"base model").digest())

PARAMS = Params(
    rounds=3,
    min_participants=3,
    max_participants=5,
    min_survivors=2,
    epoch_rounds=2,
    max_attempts=2,
    enrol_seconds=600,
    commit_seconds=500,
    freeze_seconds=400,
    rank_seconds=100,
    stall_seconds=3_000,
    attest_seconds=200,
    stake=STAKE,
)


def digest(*words: object) -> Hash32:
    """A made-up root."""
    return Hash32(sha256(repr(words).encode()).digest())


def key(*words: object) -> PublicKey:
    """A made-up public key."""
    return PublicKey(digest("key", *words))


@dataclass
class World(Chain):
    """A chain on which tasks are played."""

    def create(
        self, members: Sequence[LocalAccount], params: Params = PARAMS, pool: Wei = ETHER, terms: Hash32 = TERMS
    ) -> Stage:
        """A new task of the last account, for these members."""
        sponsor = self.accounts[-1]
        made = self.send(calls.create_task(self.deployment, terms, BASE, params, pool), sponsor)
        created = made.event(TaskCreated)
        return Stage(self, created.task, params, tuple(members), sponsor, created=made)


@dataclass
class Stage:
    """A task and its cast. Members act by index; who sits where is asked of the contract."""

    world: World
    task: Address
    params: Params
    members: tuple[LocalAccount, ...]
    sponsor: LocalAccount
    created: Mined
    payouts: Wei = Wei(0)
    history: list[Mined] = field(default_factory=list)

    @property
    def domain_of_signatures(self) -> SigningDomain:
        """Where the cast's signatures count."""
        return SigningDomain(self.world.chain_id, self.task)

    def act(self, call: Call, sender: LocalAccount | None = None) -> Mined:
        """Send a call, from the first member by default."""
        mined = self.world.send(call, sender or self.members[0])
        self.history.append(mined)
        return mined

    def view(self, function: str, *arguments: object) -> Any:
        """What a view of the task returns."""
        return self.world.view("Task", self.task, function, *arguments)

    @property
    def slot(self) -> dict[str, Any]:
        """The contract's slot by field."""
        return _fields("slot", self.view("slot"))

    @property
    def phase(self) -> Phase:
        """The contract's phase."""
        return Phase(self.slot["phase"])

    def participant(self, member: int) -> dict[str, Any]:
        """A member's record by field."""
        return _fields("participant", self.view("participant", self.members[member].address))

    def position(self, member: int) -> Position:
        """A member's seat."""
        return Position(self.participant(member)["position"])

    def join(self, *members: int) -> list[Mined]:
        """Members take seats."""
        return [
            self.act(calls.join(self.task, TERMS, key(member, "mask"), key(member, "box")), self.members[member])
            for member in members
        ]

    def advertise(self, *members: int) -> list[Mined]:
        """Members send keys for the next opening."""
        opening = self.slot["opening"] + 1
        return [
            self.act(
                calls.advertise(self.task, key(member, opening, "mask"), key(member, opening, "box")),
                self.members[member],
            )
            for member in members
        ]

    def leave(self, member: int) -> Mined:
        """A member gives up its seat."""
        return self.act(calls.leave(self.task), self.members[member])

    def draw(self) -> Mined:
        """Mine past the beacon and draw the epoch."""
        self.world.mine(2)
        return self.act(calls.poke(self.task))

    def commitment(self, member: int, generation: int | None = None) -> Call:
        """A member's commit, with its next generation by default."""
        slot = self.slot
        marks = (slot["round"], slot["attempt"], member)
        next_generation = generation or self.participant(member)["generation"] + 1
        roots = (digest(word, *marks) for word in ("update", "seeds", "bundle", "data"))
        return calls.commit(self.task, next_generation, *roots, key("mask", *marks), key("box", *marks))

    def commit(self, *members: int) -> list[Mined]:
        """Members commit."""
        return [self.act(self.commitment(member), self.members[member]) for member in members]

    def survivors(self, members: Iterable[int]) -> bytes:
        """The bitmap of some members' seats."""
        return to_bitmap((self.position(member) for member in members), self.slot["domain"])

    @property
    def quorum(self) -> int:
        """Signatures that this opening's committee must give."""
        return threshold(min(self.slot["eligible"], 32))

    def committee(self) -> list[int]:
        """The members who may sign in this opening, in order of seats."""
        slot, seed = self.slot, Hash32(self.view("epochSeed"))
        eligible = [m for m in range(len(self.members)) if self.view("isEligible", self.members[m].address)]
        seats = {m: self.position(m) for m in eligible}
        return sorted(
            (m for m in eligible if in_committee(seed, seats[m], slot["domain"], slot["eligible"])),
            key=lambda m: seats[m],
        )

    def freeze_signatures(
        self, signers: Iterable[int], survivors: bytes, disputes: bytes = b""
    ) -> list[tuple[Position, bytes]]:
        """Some members' signatures for a freeze."""
        slot = self.slot
        marks = (self.domain_of_signatures, RoundNumber(slot["round"]), Attempt(slot["attempt"]))
        return [(self.position(m), sign_survivors(self.members[m], *marks, survivors, disputes)) for m in signers]

    def freeze(self, members: Iterable[int], signers: Iterable[int] | None = None, disputes: bytes = b"") -> Mined:
        """Freeze some members, signed by a quorum of the committee or by `signers`."""
        survivors = self.survivors(members)
        chosen = list(self.committee()[: self.quorum] if signers is None else signers)
        return self.act(
            calls.freeze(self.task, survivors, disputes, self.freeze_signatures(chosen, survivors, disputes))
        )

    def aggregate(self, **changes: Any) -> Aggregate:
        """A made-up outcome of the round."""
        slot = self.slot
        marks = (slot["round"], slot["attempt"])
        roots = [digest(word, *marks) for word in ("sum", "unmask", "state", "model", "payout", "manifest")]
        return replace(Aggregate(*roots, self.payouts, 3, b"\x01", b""), **changes)

    def rank(self, member: int, survivors: bytes) -> int:
        """A member's rank among the frozen round's aggregators; needs the beacon's block."""
        return shuffle(self._aggregators(survivors), self.position(member), self.slot["domain"])

    def ranking(self, survivors: bytes) -> list[int]:
        """The eligible members in the order in which they may propose, from the rank whose turn it is."""
        slot, seed = self.slot, self._aggregators(survivors)
        eligible = [m for m in range(len(self.members)) if self.view("isEligible", self.members[m].address)]
        places = {m: shuffle(seed, self.position(m), slot["domain"]) for m in eligible}
        return sorted(eligible, key=lambda m: (places[m] - slot["nextRank"]) % slot["domain"])

    def _aggregators(self, survivors: bytes) -> Hash32:
        block = _fields("frozen", self.view("frozen"))["beaconBlock"]
        beacon = Hash32(bytes.fromhex(self.world.rpc("eth_getBlockByNumber", hex(block), False)["hash"][2:]))
        return aggregator_seed(beacon, Hash32(self.view("epochSeed")), survivors)

    def propose(self, survivors: bytes, aggregate: Aggregate | None = None, member: int | None = None) -> Mined:
        """The member whose turn is first, or `member`, proposes, when ranks enough may."""
        self.world.mine(2)
        order = self.ranking(survivors)
        chosen = order[0] if member is None else member
        distance = (self.rank(chosen, survivors) - self.slot["nextRank"]) % self.slot["domain"]
        if distance:
            self.world.advance(distance * self.params.rank_seconds)
        return self.act(calls.propose(self.task, aggregate or self.aggregate(), survivors), self.members[chosen])

    def attestations(self, signers: Iterable[int], proposal: Hash32) -> list[tuple[Position, bytes]]:
        """Some members' signatures for a proposal."""
        slot = self.slot
        marks = (self.domain_of_signatures, RoundNumber(slot["round"]), Attempt(slot["attempt"]))
        return [(self.position(m), sign_attestation(self.members[m], *marks, proposal)) for m in signers]

    def finalize(self, aggregator: Address, aggregate: Aggregate, signers: Iterable[int] | None = None) -> Mined:
        """Attest and finalise a proposal, signed by a quorum of the committee or by `signers`."""
        slot = self.slot
        hash = proposal_hash(RoundNumber(slot["round"]), Attempt(slot["attempt"]), aggregator, aggregate)
        chosen = list(self.committee()[: self.quorum] if signers is None else signers)
        return self.act(calls.finalize(self.task, aggregator, aggregate, self.attestations(chosen, hash)))

    def play_round(self, members: Sequence[int], **changes: Any) -> dict[str, Mined]:
        """A whole round of a task in COMMIT, from commits to finality; returns the transactions by name."""
        commits = self.commit(*members)
        if self.phase is Phase.COMMIT:
            self.world.advance(self.params.commit_seconds)
            self.act(calls.poke(self.task))
        frozen = self.freeze(members)
        survivors = self.survivors(members)
        aggregate = self.aggregate(**changes)
        proposed = self.propose(survivors, aggregate)
        final = self.finalize(proposed.event(AggregateProposed).aggregator, aggregate)
        self.payouts = aggregate.payout_total
        named = {f"commit_{n}": mined for n, mined in enumerate(commits)}
        return named | {"freeze": frozen, "propose": proposed, "finalize": final}


def _fields(function: str, values: Sequence[Any]) -> dict[str, Any]:
    entry = next(item for item in artifact("Task")["abi"] if item.get("name") == function)
    names = (part["name"] for part in entry["outputs"][0]["components"])
    return dict(zip(names, values, strict=True))
