"""Names are one in Python and on the chain: of laws, claims, proposals and commitments; what is stored proves them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, fields, replace
from typing import Any, get_args

import pytest
from eth_abi.abi import decode as abi_decode
from hypothesis import given
from hypothesis import strategies as st

from foedus.contracts.bindings import PARTS, artifact
from foedus.protocol.claims import Claim, commitment_digest, genesis, next_digest, proposal_name
from foedus.protocol.events import Aggregate, AggregateProposed, Phase, UpdateCommitted
from foedus.protocol.ids import Address, Hash32, Wei
from foedus.protocol.law import Law
from foedus.protocol.round import Commitment
from foedus.protocol.terms import Mode, Params
from tests.contracts.actors import BASE, Stage, World, digest
from tests.contracts.bench import creation_codes
from tests.contracts.chain import invocation

LAW = "(uint32,uint16,uint8,uint8,uint8,uint8,uint32,uint32,uint32,uint32,uint32,uint32,uint16,uint16,uint16)"
AGGREGATE = "(bytes32,bytes32,bytes32,bytes32,bytes32,bytes32,uint256,uint64,bytes,bytes)"
CLAIM = f"(uint32,uint16,uint32,uint16,uint16,uint16,uint16,address,uint32,uint32,bytes32,bytes32,{AGGREGATE})"
COMMITMENT = "(uint32,uint32,uint16,uint16,address,bytes32,bytes32,bytes32,bytes32)"

uint16, uint32 = st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1)
uint8, uint64, uint256 = st.integers(0, 255), st.integers(0, 2**64 - 1), st.integers(0, 2**256 - 1)
mode = st.integers(0, len(get_args(Mode)) - 1)
word = st.binary(min_size=32, max_size=32).map(Hash32)
account = st.binary(min_size=20, max_size=20).map(lambda raw: Address("0x" + raw.hex()))

laws = st.builds(
    Law,
    uint32,
    uint16,
    mode,
    uint8,
    uint8,
    uint8,
    uint32,
    uint32,
    uint32,
    uint32,
    uint32,
    uint32,
    uint16,
    uint16,
    uint16,
)
aggregates = st.builds(Aggregate, *[word] * 6, uint256, uint64, st.binary(max_size=128), st.binary(max_size=128))
claims = st.builds(
    Claim, uint32, uint16, uint32, uint16, uint16, uint16, uint16, account, uint32, uint32, word, word, aggregates
)
commitments = st.builds(Commitment, uint32, uint32, uint16, account, uint16, uint32, *[word] * 4)

Names = Callable[..., bytes]


@pytest.fixture(scope="module")
def names(anvil: World) -> Names:
    """Calls a function of `harness/Names.sol` that returns one word: name, types, arguments."""
    address = anvil.create_contract(creation_codes("Names")["Names"]).created
    assert address is not None

    def call(function: str, types: list[str], *arguments: object) -> bytes:
        asked = invocation(address, function, types, *arguments)
        answer = anvil.rpc("eth_call", {"to": address, "data": "0x" + asked.data.hex()}, "latest")
        (found,) = abi_decode(["bytes32"], bytes.fromhex(answer[2:]))
        return bytes(found)

    return call


@given(laws)
def test_a_law_has_one_name(names: Names, law: Law) -> None:
    assert law.digest == names("law", [LAW], astuple(law))


@given(claims, word)
def test_a_claim_and_its_proposal_have_one_name(names: Names, claim: Claim, before: Hash32) -> None:
    assert claim.digest == names("claim", [CLAIM], astuple(claim))
    assert proposal_name(before, claim.digest) == names(
        "head", ["bytes32", "bytes32", "bytes32[]"], before, claim.digest, []
    )
    assert genesis(before) == names("genesis", ["bytes32"], before)


@given(commitments, account, st.binary(min_size=24, max_size=24))
def test_a_commitment_has_one_name(anvil: World, names: Names, made: Commitment, task: Address, before: bytes) -> None:
    place = (made.opening, made.round, made.attempt, made.position, made.participant)
    words = (*place, made.update_root, made.seeds_root, made.bundle, made.data_root)
    inner = commitment_digest(anvil.chain_id, task, made)
    assert inner == names("commitment", ["address", COMMITMENT], task, words)
    latest = names("latest", ["bytes24", "bytes32", "bytes32[]"], before, inner, [])
    assert (next_digest(before, inner), bytes(8)) == (latest[:24], latest[24:])


@given(word, st.lists(word, max_size=5))
def test_chains_of_names_end_in_one_head(names: Names, before: Hash32, claims: list[Hash32]) -> None:
    name = proposal_name(before, digest("first"))
    chain = next_digest(before[:24], digest("first"))
    for later in claims:
        name, chain = proposal_name(name, later), next_digest(chain, later)
    first = digest("first")
    assert name == names("head", ["bytes32", "bytes32", "bytes32[]"], before, first, claims)
    assert chain == names("latest", ["bytes24", "bytes32", "bytes32[]"], before[:24], first, claims)[:24]


@pytest.mark.parametrize(("struct", "made"), [("Params", Params), ("Claim", Claim), ("Aggregate", Aggregate)])
def test_structs_have_the_same_fields_in_the_same_order(struct: str, made: Any) -> None:
    names = [part["name"] for part in _struct(struct)]
    camel = [item.name.split("_")[0] + "".join(w.title() for w in item.name.split("_")[1:]) for item in fields(made)]
    assert names == camel


def _struct(name: str) -> list[dict[str, Any]]:
    def search(entries: list[dict[str, Any]]) -> Any:
        for entry in entries:
            if entry.get("internalType", "").removesuffix("[]") == f"struct {name}":
                return entry["components"]
            found = search([*entry.get("inputs", ()), *entry.get("outputs", ()), *entry.get("components", ())])
            if found:
                return found
        return None

    contracts = (*PARTS["Task"], "TaskFactory")
    found: list[dict[str, Any]] = search([item for contract in contracts for item in artifact(contract)["abi"]])
    return found


def test_every_model_can_be_walked_back_to_the_first_and_to_every_dataset(opened: Stage) -> None:
    """The log's claims and commitments hash to what the contract stores, and to nothing else when a word is changed."""
    for number in (1, 2, 3):
        if opened.phase is Phase.DRAW:
            opened.draw()
        opened.play_round(range(5), payout_total=Wei(number))
    head = genesis(BASE)
    for made in opened.proposals:
        assert made.before == head
        head = proposal_name(head, made.claim.digest)
    assert opened.view("heads")[0] == head
    logged = [m.event(AggregateProposed) for m in opened.history if "AggregateProposed" in m.kinds]
    assert [event.aggregate for event in logged] == [made.claim.aggregate for made in opened.proposals]
    assert [event.proposal for event in logged] == [made.name for made in opened.proposals]
    for member in opened.members:
        chain = bytes(24)
        commits = [event for mined in opened.history for event in mined.events if isinstance(event, UpdateCommitted)]
        for opening, event in enumerate((e for e in commits if e.participant == member.address), 1):
            chain = next_digest(chain, commitment_digest(opened.world.chain_id, opened.task, _logged(event, opening)))
        assert opened.view("commitmentOf", member.address) == (3, 3, chain)
    changed = replace(opened.proposals[0].claim, rank=opened.proposals[0].claim.rank + 1)
    assert proposal_name(genesis(BASE), changed.digest) != opened.proposals[0].name


def _logged(event: UpdateCommitted, opening: int) -> Commitment:
    return Commitment(
        opening,  # type: ignore[arg-type]
        event.round,
        event.attempt,
        event.participant,
        event.position,
        event.generation,
        event.update_root,
        event.seeds_root,
        event.bundle,
        event.data_root,
    )
