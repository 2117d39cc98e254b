"""Accounts that play a task on a test chain: they join, commit, sign freezes and attestations, propose and poke.

Synchronous and direct: a transaction is one call to the chain's own wallet, with a block of its own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import sha256
from typing import Any, TypeVar

import httpx
from eth_account import Account
from eth_account.signers.local import LocalAccount

from foedus.contracts import calls
from foedus.contracts.bindings import artifact, checksum, decode, decode_result, decode_revert, encode
from foedus.contracts.calls import Call
from foedus.contracts.deploy import deploy
from foedus.contracts.deployment import Deployment
from foedus.contracts.signatures import SigningDomain, proposal_hash, sign_attestation, sign_survivors
from foedus.node.devnet.accounts import dev_accounts
from foedus.protocol.bitmap import to_bitmap
from foedus.protocol.events import Aggregate, AggregateProposed, Event, Phase, TaskCreated
from foedus.protocol.groups import aggregator_seed, in_committee, shuffle, threshold
from foedus.protocol.ids import Address, Attempt, Hash32, Position, PublicKey, RoundNumber, Wei
from foedus.protocol.terms import Params

GAS = 12_000_000
ETHER = Wei(10**18)
STAKE = Wei(10**15)
E = TypeVar("E", bound=Event)

TREASURY = checksum("0x" + "7e" * 20)
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


@cache
def keyring(count: int) -> tuple[LocalAccount, ...]:
    """The development accounts with their keys."""
    return tuple(Account.from_key(account.key) for account in dev_accounts(count=count))


@dataclass(frozen=True)
class Mined:
    """A mined transaction that succeeded."""

    gas_used: int
    block: int
    events: tuple[Event, ...]

    def event(self, kind: type[E]) -> E:
        """The one event of a kind."""
        (found,) = (event for event in self.events if isinstance(event, kind))
        return found


@dataclass
class World:
    """A chain with the contracts on it, and rich accounts whose keys are known."""

    url: str
    kind: str
    accounts: tuple[LocalAccount, ...]
    deployment: Deployment
    client: httpx.Client
    chain_id: int

    @classmethod
    def open(cls, url: str, kind: str, count: int) -> World:
        """Deploy to the chain at `url`, from the last of its accounts."""
        accounts = keyring(count)
        client = httpx.Client(timeout=60)
        chain_id = int(client.post(url, json=_request("eth_chainId")).json()["result"], 16)
        deployment = asyncio.run(deploy(url, accounts[-1], TREASURY, chain_id))
        return cls(url, kind, accounts, deployment, client, chain_id)

    def rpc(self, method: str, *parameters: object) -> Any:
        """A JSON-RPC result; raises the decoded revert, or RuntimeError."""
        answer = self.client.post(self.url, json=_request(method, *parameters)).json()
        if "error" not in answer:
            return answer["result"]
        data = answer["error"].get("data")
        if isinstance(data, str):
            raise decode_revert(bytes.fromhex(data[2:]), answer["error"]["message"])
        raise RuntimeError(answer["error"])

    def send(self, call: Call, sender: LocalAccount) -> Mined:
        """Send a call in a block of its own. Raises the decoded revert."""
        request = {"from": sender.address, "data": "0x" + call.data.hex(), "value": hex(call.value), "gas": hex(GAS)}
        if call.to is not None:
            request["to"] = call.to
        receipt = self.receipt(self.rpc("eth_sendTransaction", request))
        if receipt["status"] == "0x0":
            self.rpc("eth_call", request, receipt["blockNumber"])
            raise AssertionError(f"{call.label} reverted in its block, but not when called again")
        events = (decode(log) for log in receipt["logs"])
        return Mined(
            int(receipt["gasUsed"], 16),
            int(receipt["blockNumber"], 16),
            tuple(event for event in events if event is not None),
        )

    def receipt(self, transaction: str) -> dict[str, Any]:
        """The receipt of a transaction that goes into a block at once."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            found: dict[str, Any] | None = self.rpc("eth_getTransactionReceipt", transaction)
            if found is not None:
                return found
            time.sleep(0.005)
        raise AssertionError(f"{transaction} is not mined")

    def view(self, contract: str, address: Address, function: str, *arguments: object) -> Any:
        """What a view function returns: one value alone, or a tuple."""
        data = "0x" + encode(contract, function, arguments).hex()
        answer = self.rpc("eth_call", {"to": address, "data": data}, "latest")
        values = decode_result(contract, function, bytes.fromhex(answer[2:]))
        return values[0] if len(values) == 1 else values

    def mine(self, blocks: int = 1) -> None:
        """Empty blocks."""
        for _ in range(blocks):
            self.rpc("evm_mine")

    def advance(self, seconds: int) -> None:
        """The next block is this much later."""
        self.rpc("evm_increaseTime", seconds)
        self.mine()

    @property
    def now(self) -> int:
        """The newest block's timestamp."""
        return int(self.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    def balance(self, address: Address) -> int:
        """An account's balance in wei."""
        return int(self.rpc("eth_getBalance", address, "latest"), 16)

    def deposit(self, members: Iterable[LocalAccount], amount: Wei = ETHER) -> None:
        """Give members free stake."""
        for member in members:
            self.send(calls.deposit(self.deployment, amount), member)

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
        return sorted((m for m in eligible if in_committee(seed, seats[m], slot["domain"])), key=lambda m: seats[m])

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


def _request(method: str, *parameters: object) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(parameters)}
