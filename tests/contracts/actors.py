"""Accounts that play a task on a test chain: they join, commit, sign freezes and attestations, propose, settle, poke.

Who sits where, who is on the committee and whose turn it is are asked of the contract and of the Python protocol.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from eth_account.signers.local import LocalAccount

from foedus.contracts import calls
from foedus.contracts.bindings import PARTS, artifact, encode
from foedus.contracts.calls import Call
from foedus.contracts.signatures import SigningDomain, sign_attestation, sign_survivors
from foedus.protocol.bitmap import to_bitmap
from foedus.protocol.claims import Claim, genesis, proposal_name
from foedus.protocol.events import Aggregate, AggregateProposed, Fault, Phase, SurvivorsFrozen, TaskCreated
from foedus.protocol.groups import aggregator_seed, in_committee, shuffle, threshold
from foedus.protocol.ids import Address, Attempt, Hash32, Opening, Position, PublicKey, RoundNumber, Timestamp, Wei
from foedus.protocol.terms import Finality, Params
from tests.contracts.chain import ETHER, Chain, Mined

STAKE = Wei(10**15)
BOND = Wei(5 * 10**14)
TERMS = Hash32(sha256(b"terms").digest())
LAW = Hash32(sha256(b"law").digest())
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
    answer_seconds=10,
    unbond_seconds=5_000,
    stake=STAKE,
    bond=BOND,
    challenger_share=3_000,
    finality=Finality.FAST,
    ahead=0,
    open=True,
)
OPTIMISTIC = replace(PARAMS, finality=Finality.OPTIMISTIC, ahead=2, rounds=4, attest_seconds=1_000)
"""A window long enough to play two rounds in."""


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
        self,
        members: Sequence[LocalAccount],
        params: Params = PARAMS,
        pool: Wei = ETHER,
        terms: Hash32 = TERMS,
        law: Hash32 = LAW,
        base: Hash32 = BASE,
    ) -> Stage:
        """A new task of the last account, for these members."""
        sponsor = self.accounts[-1]
        made = self.send(calls.create_task(self.deployment, terms, law, base, params, pool), sponsor)
        return Stage(self, made.event(TaskCreated).task, params, tuple(members), sponsor, created=made)


@dataclass(frozen=True)
class Made:
    """A proposal, its name and the name of the one before it."""

    before: Hash32
    name: Hash32
    claim: Claim


@dataclass(frozen=True)
class Place:
    """The opening that a freeze is of."""

    number: RoundNumber
    attempt: Attempt
    opening: Opening


@dataclass
class Stage:
    """A task and its cast. Members act by index; who sits where is asked of the contract.

    freezes: the last freeze of each round. proposals: those that stand or await a quorum, oldest first.
    """

    world: World
    task: Address
    params: Params
    members: tuple[LocalAccount, ...]
    sponsor: LocalAccount
    created: Mined
    payouts: Wei = Wei(0)
    history: list[Mined] = field(default_factory=list)
    freezes: dict[int, SurvivorsFrozen] = field(default_factory=dict)
    proposals: list[Made] = field(default_factory=list)

    @property
    def base_root(self) -> Hash32:
        """Merkle root of the initial model."""
        return self.created.event(TaskCreated).base_root

    @property
    def domain_of_signatures(self) -> SigningDomain:
        """Where the cast's signatures count."""
        return SigningDomain(self.world.chain_id, self.task)

    def act(self, call: Call, sender: LocalAccount | None = None) -> Mined:
        """Send a call, from the first member by default."""
        mined = self.world.send(call, sender or self.members[0])
        self.history.append(mined)
        for event in mined.events:
            if isinstance(event, SurvivorsFrozen):
                self.freezes[event.round] = event
        return mined

    def call(self, function: str, *arguments: object) -> Call:
        """A call of any function of the task."""
        return Call(self.task, encode("Task", function, arguments), Wei(0), function)

    def view(self, function: str, *arguments: object) -> Any:
        """What a view of the task returns."""
        return self.world.view("Task", self.task, function, *arguments)

    def words(self, function: str, *arguments: object) -> dict[str, Any]:
        """What a view that returns a struct returns, by field."""
        return _fields(function, self.view(function, *arguments))

    @property
    def slot(self) -> dict[str, Any]:
        """The contract's slot by field."""
        return self.words("slot")

    @property
    def book(self) -> dict[str, Any]:
        """The contract's book by field."""
        return self.words("book")

    @property
    def phase(self) -> Phase:
        """The contract's phase."""
        return Phase(self.slot["phase"])

    @property
    def standing(self) -> Hash32:
        """The name of the last proposal that stands."""
        return Hash32(self.view("heads")[0])

    def participant(self, member: int) -> dict[str, Any]:
        """A member's record by field."""
        return self.words("participant", self.members[member].address)

    def position(self, member: int) -> Position:
        """A member's seat."""
        return Position(self.participant(member)["position"])

    def generation(self, member: int) -> int:
        """How often a member committed."""
        return int(self.view("commitmentOf", self.members[member].address)[1])

    def member_of(self, account: str) -> int:
        """The index of an account among the members."""
        return [member.address for member in self.members].index(account)

    def stakes(self, member: int) -> tuple[int, int]:
        """A member's free and locked stake in wei."""
        return self.world.stake_of(self.members[member].address)

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

    def poke(self) -> Mined:
        """Move the task past a deadline."""
        return self.act(calls.poke(self.task))

    def expire(self) -> Mined:
        """Move the task past its deadline, when that has come."""
        self.world.advance(max(0, self.slot["deadline"] - self.world.now))
        return self.poke()

    def draw(self) -> Mined:
        """Mine past the beacon and draw the epoch."""
        self.world.mine(2)
        return self.poke()

    def commitment(self, member: int, generation: int | None = None) -> Call:
        """A member's commit, with its next generation by default."""
        return calls.commit(self.task, *self.commit_words(member, generation))

    def commit_words(self, member: int, generation: int | None = None) -> tuple[Any, ...]:
        """What a member commits, field by field."""
        slot = self.slot
        marks = (slot["round"], slot["attempt"], member)
        roots = (digest(word, *marks) for word in ("update", "seeds", "bundle", "data"))
        return (generation or self.generation(member) + 1, *roots, key("mask", *marks), key("box", *marks))

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

    def eligible(self) -> list[int]:
        """The members who may act in the opening under way."""
        return [m for m in range(len(self.members)) if self.view("isEligible", self.members[m].address)]

    def committee(self) -> list[int]:
        """The members who may sign in this opening, in order of seats."""
        slot, seed = self.slot, Hash32(self.view("epochSeed"))
        seats = {m: self.position(m) for m in self.eligible()}
        drawn = (m for m, seat in seats.items() if in_committee(seed, seat, slot["domain"], slot["eligible"]))
        return sorted(drawn, key=lambda m: seats[m])

    @property
    def place(self) -> Place:
        """Where in the task a freeze's signature counts."""
        slot = self.slot
        return Place(RoundNumber(slot["round"]), Attempt(slot["attempt"]), Opening(slot["opening"]))

    def freeze_signatures(
        self, signers: Iterable[int], survivors: bytes, disputes: bytes = b""
    ) -> list[tuple[Position, bytes]]:
        """Some members' signatures for a freeze."""
        marks = (self.domain_of_signatures, self.place, survivors, disputes)
        return [(self.position(m), sign_survivors(self.members[m], *marks)) for m in signers]

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

    def rank(self, member: int) -> int:
        """A member's rank among the frozen round's aggregators; needs the beacon's block."""
        return shuffle(self._aggregators(), self.position(member), self.slot["domain"])

    def ranking(self) -> list[int]:
        """The members who may propose in their order, from the rank whose turn it is."""
        slot, seed, seated = self.slot, self._aggregators(), self._aggregating()
        places = {m: shuffle(seed, self.position(m), slot["domain"]) for m in seated}
        return sorted(seated, key=lambda m: (places[m] - slot["nextRank"]) % slot["domain"])

    def _aggregating(self) -> list[int]:
        if not self.book["resumed"]:
            return self.eligible()
        domain, everyone = self.slot["domain"], [self.participant(m) for m in range(len(self.members))]
        return [m for m, who in enumerate(everyone) if who["enrolled"] and who["position"] < domain]

    @property
    def frozen_digest(self) -> Hash32:
        """sha256 of the bitmaps of the round's survivors and of its freeze's signers."""
        freeze = self.freezes[self.slot["round"]]
        return Hash32(sha256(freeze.survivors + freeze.signers).digest())

    def _aggregators(self) -> Hash32:
        block = self.words("frozen")["beaconBlock"]
        beacon = Hash32(bytes.fromhex(self.world.rpc("eth_getBlockByNumber", hex(block), False)["hash"][2:]))
        return aggregator_seed(beacon, Hash32(self.view("epochSeed")), self.frozen_digest)

    def proposing(self, aggregate: Aggregate | None = None) -> Call:
        """A proposal of what was frozen."""
        freeze = self.freezes[self.slot["round"]]
        return calls.propose(self.task, aggregate or self.aggregate(), freeze.survivors, freeze.signers, self.standing)

    def propose(self, aggregate: Aggregate | None = None, member: int | None = None) -> Mined:
        """The member whose turn is first, or `member`, proposes, when ranks enough may."""
        self.world.mine(2)
        chosen = self.ranking()[0] if member is None else member
        slot = self.slot
        distance = (self.rank(chosen) - slot["nextRank"]) % slot["domain"]
        if distance:
            self.world.advance(distance * self.params.rank_seconds)
        return self.send_proposal(self.proposing(aggregate), self.members[chosen])

    def send_proposal(self, call: Call, sender: LocalAccount) -> Mined:
        """Send a proposal, and remember its claim: its name must be the one that Python gives it."""
        slot, book, before = self.slot, self.book, self.standing
        assert before == (self.proposals[-1].name if self.proposals else genesis(self.base_root))
        seed, frozen = Hash32(self.view("epochSeed")), self.frozen_digest
        mined = self.act(call, sender)
        made = mined.event(AggregateProposed)
        claim = Claim(
            round=made.round,
            attempt=made.attempt,
            opening=book["resumed"] or slot["opening"],
            domain=slot["domain"],
            eligible=slot["eligible"],
            rank=made.rank,
            position=made.position,
            aggregator=made.aggregator,
            proposed_at=Timestamp(self.world.now),
            paused_before=book["pausedSeconds"],
            epoch_seed=seed,
            frozen=frozen,
            aggregate=made.aggregate,
        )
        assert made.proposal == proposal_name(before, claim.digest)
        self.proposals.append(Made(before, made.proposal, claim))
        return mined

    def attestations(self, signers: Iterable[int], proposal: Hash32) -> list[tuple[Position, bytes]]:
        """Some members' signatures for a proposal."""
        slot = self.slot
        marks = (self.domain_of_signatures, RoundNumber(slot["round"]), Attempt(slot["attempt"]))
        return [(self.position(m), sign_attestation(self.members[m], *marks, proposal)) for m in signers]

    def finalize(self, signers: Iterable[int] | None = None) -> Mined:
        """Attest and finalise the proposal, signed by a quorum of the committee or by `signers`."""
        chosen = list(self.committee()[: self.quorum] if signers is None else signers)
        return self.act(calls.finalize(self.task, self.attestations(chosen, self.proposals[-1].name)))

    def drop(self) -> Mined:
        """No quorum attested in time."""
        mined = self.expire()
        self.proposals.pop()
        return mined

    def settling(self, round: int) -> Call:
        """The settlement of a standing round."""
        made = self.proposals[round - 1]
        later = [follower.claim.digest for follower in self.proposals[round:]]
        return calls.settle(self.task, made.before, made.claim, later)

    def settle(self, round: int) -> Mined:
        """Wait for a round's window to pass, and settle it."""
        claim = self.proposals[round - 1].claim
        passed = claim.proposed_at + self.params.attest_seconds + self.book["pausedSeconds"] - claim.paused_before
        self.world.advance(max(0, passed - self.world.now))
        return self.act(self.settling(round))

    def convict(self, round: int, challenger: int = 0, fault: Fault = Fault.WRONG_AGGREGATE) -> Mined:
        """The court convicts the author of a round's proposal. Where that is not final, it falls, and all after it."""
        made = self.proposals[round - 1]
        marks = (made.name, made.before, made.claim, fault, Address(self.members[challenger].address))
        mined = self.act(self.world.convict_aggregator(self.task, *marks))
        if "ProposalRefuted" in mined.kinds:
            del self.proposals[round - 1 :]
        return mined

    def convict_member(self, member: int, challenger: int = 0, fault: Fault = Fault.WITHHELD_REVEAL) -> Mined:
        """The court convicts a member."""
        accounts = (Address(self.members[n].address) for n in (member, challenger))
        convicted, accuser = accounts
        return self.act(self.world.convict_member(self.task, convicted, fault, accuser))

    def pause(self) -> Mined:
        """The guardian stops the clocks."""
        return self.act(self.call("pause"), self.world.guardian)

    def resume(self) -> Mined:
        """The guardian lets them run again."""
        return self.act(self.call("resume"), self.world.guardian)

    def play_to_freeze(self, members: Sequence[int]) -> dict[str, Mined]:
        """From COMMIT to a frozen set; returns the transactions by name."""
        commits = self.commit(*members)
        if self.phase is Phase.COMMIT:
            self.expire()
        named = {f"commit_{n}": mined for n, mined in enumerate(commits)}
        return named | {"freeze": self.freeze(members)}

    def play_round(self, members: Sequence[int], **changes: Any) -> dict[str, Mined]:
        """A round of a task in COMMIT, from commits to finality or (OPTIMISTIC) to the proposal; returns the
        transactions by name."""
        named = self.play_to_freeze(members)
        aggregate = self.aggregate(**changes)
        named["propose"] = self.propose(aggregate)
        if self.params.finality is Finality.FAST:
            named["finalize"] = self.finalize()
        self.payouts = aggregate.payout_total
        return named


def _fields(function: str, values: Sequence[Any]) -> dict[str, Any]:
    entries = (item for part in PARTS["Task"] for item in artifact(part)["abi"])
    entry = next(item for item in entries if item.get("name") == function)
    names = (part["name"] for part in entry["outputs"][0]["components"])
    return dict(zip(names, values, strict=True))
