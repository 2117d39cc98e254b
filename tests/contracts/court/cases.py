"""A scripted task before the court: its claim, its law, and everything that the court asks it."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from eth_abi.abi import encode
from eth_account.messages import SignableMessage
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from foedus.protocol.bitmap import to_bitmap
from foedus.protocol.ids import Position
from foedus.protocol.merkle import leaf_hash, prove, root_of_hashes
from tests.contracts.court.stage import (
    CHAIN_ID,
    Chain,
    Done,
    Struct,
    abi_type,
    call_data,
    component,
    encoded,
    filled,
    function,
    packed,
    returned,
    selector,
    struct_hash,
)

FAST, OPTIMISTIC = 0, 1
COMMIT, AGGREGATE, ATTEST = 2, 4, 5
WRONG_AGGREGATE, WITHHELD_CHUNK, WRONG_ATTESTATION, CONFLICTING_SIGNATURES, WITHHELD_REVEAL = range(5)
MODEL, STATE, UPDATE, UNMASK, PAYOUT, SUM = range(6)

NOW = 10_000
"""The task's time when a test begins."""

ANSWER, ATTEST_SECONDS = 100, 500
"""Seconds to answer a demand, and of a claim's window."""


def digest(*words: object) -> bytes:
    """A made-up root."""
    return sha256(repr(words).encode()).digest()


LAW: Struct = {
    "chunks": 3,
    "groupSize": 4,
    "mode": 0,
    "rule": 2,
    "scaleBits": 20,
    "updateBits": 16,
    "serverLr": 65_536,
    "beta1": 0,
    "beta2": 0,
    "tau": 1,
    "maxValue": 1,
    "maxWeight": 1,
    "survivorsShare": 8_500,
    "aggregatorShare": 500,
    "attestersShare": 700,
}


def link(before: bytes, claim_hash: bytes) -> bytes:
    """The name of the proposal that follows `before`."""
    return bytes(keccak(before + claim_hash))


@dataclass(frozen=True)
class MerkleTree:
    """A Merkle tree over leaves."""

    leaves: Sequence[bytes]

    @property
    def root(self) -> bytes:
        """Its root."""
        return bytes(root_of_hashes([leaf_hash(leaf) for leaf in self.leaves]))

    def proof(self, index: int) -> tuple[bytes, ...]:
        """The hashes beside a leaf, from it up."""
        return prove([leaf_hash(leaf) for leaf in self.leaves], index)


@dataclass
class Bench:
    """A court with one judge."""

    chain: Chain
    court: str
    judge: str

    def act(self, name: str, *arguments: Any, value: int = 0, sender: int = 0) -> Done:
        """A transaction to the court."""
        return self.chain.send(self.court, call_data("Court", name, *arguments), value, sender)

    def ask(self, name: str, *arguments: Any, value: int = 0, sender: int = 0) -> Any:
        """What a function of the court returns."""
        return returned("Court", name, self.chain.call(self.court, call_data("Court", name, *arguments), value, sender))

    def bond(self, size: int) -> int:
        """The least bond on a demand in the next block, whatever its base fee becomes."""
        return int(self.ask("bondFor", size, self.chain.base_fee * 9 // 8 + 1))

    def defendant(self) -> Defendant:
        """A new task, OPTIMISTIC, with one claim that stands and is not final."""
        return Defendant(self, self.chain.deploy("ScriptedTask"))


@dataclass
class Defendant:
    """A task: what its views say, and the claim that is tried."""

    bench: Bench
    task: str
    law: Struct = field(default_factory=lambda: dict(LAW))
    params: Struct = field(init=False)
    claim: Struct = field(init=False)
    before: bytes = digest("before")
    later: list[bytes] = field(default_factory=list)
    _heads: tuple[bytes, ...] = (bytes(32), bytes(32))

    def __post_init__(self) -> None:
        (settings,) = function("IAccused", "settings")["outputs"]
        (params,) = (part for part in settings["components"] if part["name"] == "params")
        terms = {"answerSeconds": ANSWER, "attestSeconds": ATTEST_SECONDS, "finality": OPTIMISTIC}
        self.params = filled(params, terms)
        roots = ("sumRoot", "unmaskRoot", "stateRoot", "modelRoot", "payoutRoot", "manifest")
        words = {"payoutTotal": 5, "totalWeight": 9, "groups": b"\x03", "quarantined": b""}
        self.claim = {
            "round": 3,
            "attempt": 1,
            "opening": 7,
            "domain": 10,
            "eligible": 10,
            "rank": 2,
            "position": 4,
            "aggregator": self.bench.chain.accounts[4].address,
            "proposedAt": NOW - 50,
            "pausedBefore": 0,
            "epochSeed": digest("epoch"),
            "frozen": digest("frozen"),
            "aggregate": {name: digest(name) for name in roots} | words,
        }
        self.tells_terms()
        self.stands()
        self.says("clock", NOW)
        self.says("convicted", False)
        self.says("commitmentOf", 0, 0, bytes(24))
        self.says("domainSeparator", digest("domain", self.task))
        self.tells_book(finalRounds=2)

    def says(self, view: str, *values: Any, of: Sequence[Any] | None = None) -> None:
        """Scripts a view's answer: to one question, or to all."""
        question = selector("IAccused", view) if of is None else call_data("IAccused", view, *of)
        answer = encoded(function("IAccused", view)["outputs"], values)
        script = call_data("ScriptedTask", "script", question, answer)
        self.bench.chain.send(self.task, script)
        if view in ("heads", "settings"):
            self._heads = values if view == "heads" else self._heads
            self.says("brief", self.law_hash, *self._heads)

    def tells_terms(self) -> None:
        """Scripts the settings, of the law and the parameters as they are."""
        words = {"terms": digest("terms"), "law": self.law_hash, "baseRoot": digest("base model")}
        who = {"sponsor": self.task, "token": self.task, "pool": 10**18}
        self.says("settings", words | who | {"params": self.params})

    def tells_book(self, **changes: int) -> None:
        """Scripts the book: zero where nothing is said."""
        (book,) = function("IAccused", "book")["outputs"]
        self.says("book", filled(book, changes))

    def tells_slot(self, **changes: int) -> None:
        """Scripts the slot: zero where nothing is said."""
        (slot,) = function("IAccused", "slot")["outputs"]
        self.says("slot", filled(slot, changes))

    def stands(self, *, awaits_quorum: bool = False) -> None:
        """Scripts the heads: the claim, with those after it, stands or awaits a quorum."""
        head = self.name
        for claim_hash in self.later:
            head = link(head, claim_hash)
        self.says("heads", *((self.before, head) if awaits_quorum else (head, bytes(32))))

    def is_fast(self, *, awaits_quorum: bool = False) -> None:
        """Makes the task FAST."""
        self.params["finality"] = FAST
        self.tells_terms()
        self.stands(awaits_quorum=awaits_quorum)

    @property
    def law_hash(self) -> bytes:
        """As the settings hold it."""
        return bytes(keccak(encoded([component("refute", "case_", "law")], [self.law])))

    @property
    def claim_hash(self) -> bytes:
        """What the chain of proposals is made of."""
        return struct_hash("Court", "lapse", "claim", self.claim)

    @property
    def name(self) -> bytes:
        """The proposal's name."""
        return link(self.before, self.claim_hash)

    @property
    def case(self) -> Struct:
        """The claim as it is brought before the court."""
        words = {"task": self.task, "law": self.law, "before": self.before, "claim": self.claim, "later": self.later}
        return copy.deepcopy(words)

    @property
    def guilty(self) -> bytes:
        """The proof that convinces the judge: of this case and no other."""
        return struct_hash("Court", "refute", "case_", self.case)

    def orders(self, done: Done) -> list[bytes]:
        """What the court told the task to do in a transaction."""
        return [values["call"] for name, values in done.events if name == "Obeyed"]

    def conviction(self, fault: int, challenger: str) -> bytes:
        """The order to convict the claim's aggregator."""
        return call_data("IAccused", "convictAggregator", self.name, self.before, self.claim, fault, challenger)

    def refute(self, sender: int = 0) -> Done:
        """Proves the claim wrong."""
        return self.bench.act("refute", self.case, self.bench.judge, self.guilty, sender=sender)

    def lapse(self, asked: Struct, sender: int = 0) -> Done:
        """Convicts the aggregator for a demand that nobody answered."""
        return self.bench.act("lapse", asked, self.before, self.claim, self.later, sender=sender)

    def name_of(self, asked: Struct) -> bytes:
        """What `abandon` knows a demand by."""
        return struct_hash("Court", "answerChunk", "asked", asked)

    def signed(self, member: int, content: bytes) -> bytes:
        """A member's signature of an EIP-712 struct's hash, in the task's domain."""
        message = SignableMessage(b"\x01", digest("domain", self.task), content)
        return bytes(self.bench.chain.accounts[member].sign_message(message).signature)


def attestation(round: int, attempt: int, proposal: bytes) -> bytes:
    """The struct hash of an attestation."""
    kind = keccak(text="Attestation(uint32 round,uint16 attempt,bytes32 proposal)")
    return bytes(keccak(encode(["bytes32", "uint32", "uint16", "bytes32"], [kind, round, attempt, proposal])))


def survivors(round: int, attempt: int, opening: int, seats: bytes, disputes: bytes) -> bytes:
    """The struct hash of a ballot."""
    kind = keccak(text="Survivors(uint32 round,uint16 attempt,uint32 opening,bytes survivors,bytes disputes)")
    words = [kind, round, attempt, opening, keccak(seats), keccak(disputes)]
    return bytes(keccak(encode(["bytes32", "uint32", "uint16", "uint32", "bytes32", "bytes32"], words)))


def frozen_set(seats: Iterable[int], signers: Iterable[int], domain: int) -> bytes:
    """The bitmaps of survivors and of the freeze's signers, one after the other."""
    return to_bitmap(map(Position, seats), domain) + to_bitmap(map(Position, signers), domain)


def commitment(case: Defendant, position: int, **changes: Any) -> Struct:
    """A participant's commitment in the opening that the claim sums."""
    claim = case.claim
    return {
        "opening": claim["opening"],
        "round": claim["round"],
        "attempt": claim["attempt"],
        "position": position,
        "participant": member_at(case, position),
        "updateRoot": digest("update", position),
        "seedsRoot": digest("seeds", position),
        "bundle": digest("bundle", position),
        "dataRoot": digest("data", position),
    } | changes


def member_at(case: Defendant, position: int) -> str:
    """Who sits somewhere."""
    return str(to_checksum_address(digest("member", case.task, position)[:20]))


def chained(case: Defendant, made: Struct, later: int = 0) -> Struct:
    """A commitment in its participant's chain, which the task's view ends, and its place there."""
    before, after = digest("commitments before")[:24], [digest("later", n) for n in range(later)]
    item = component("demandUpdate", "committed", "made")
    head = before
    for inner in (
        keccak(encode(["uint256", "address", abi_type(item)], [CHAIN_ID, case.task, packed(item, made)])),
        *after,
    ):
        head = keccak(head + bytes(8) + inner)[:24]
    case.says("commitmentOf", 9, 9, head, of=[made["participant"]])
    return {"before": before, "made": made, "later": after}
