"""Whoever made a round again finds the wrong chunk of a claim, and the judge takes the proof; in an honest claim there
is nothing to find."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from hashlib import sha256
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foedus.aggregator.aggregate import Outcome
from foedus.aggregator.fraud import find
from foedus.aggregator.inputs import Inputs
from foedus.aggregator.testimony import ShownLeaf
from foedus.aggregator.testimony import Testimony as Told
from foedus.protocol.chunks import CHUNK_BYTES, chunk_hashes, vector_root
from foedus.protocol.claims import NO_CLAIM, Case, genesis
from foedus.protocol.events import Aggregate
from foedus.protocol.ids import ZERO32, Hash32, Position, Wei
from foedus.protocol.law import Law
from foedus.protocol.merkle import leaf_hash, levels_of, node_hash, prove, root_of_hashes
from foedus.protocol.proofs import Base, Committed, Demand, PaddingProof, RuleProof, StateProof, Tree
from tests.aggregator.conftest import World
from tests.aggregator.ruling import NAMES, STATEFUL
from tests.contracts.rule_bench import RuleBench, rule_bench

TASK = NO_CLAIM.aggregator

bench = pytest.fixture(scope="module")(rule_bench)
slow = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@cache
def played(name: str) -> tuple[World, Inputs, Outcome]:
    """A task's first round among six in two groups, one of whom never committed."""
    world = World(6, {"rule": name, "group_size": 3, "mode": "masked"})
    for position in world.positions[:-1]:
        world.commit(position)
    survivors = world.freeze()
    collected = world.unmask(survivors)
    inputs = Inputs(
        terms=world.terms_,
        manifest=world.manifest,
        layout=world.layout,
        context=world.context,
        survivors=survivors,
        signers=b"\x3f",
        commitments={p: Committed(bytes(24), made, ()) for p, made in world.commitments.items()},
        envelopes=world.envelopes,
        vectors={p: made.update_blob for p, made in world.prepared.items()},
        seeds=collected.seeds,
        before=Base(world.round_.base_root, None),
        model=world.base_,
        state=world.state_,
    )
    return world, inputs, world.outcome(survivors, collected)


def claim_of(outcome: Outcome) -> Aggregate:
    names = ("sum_root", "unmask_root", "state_root", "model_root", "total_weight", "groups", "quarantined")
    given = {name: getattr(outcome, name) for name in names}
    return Aggregate(payout_root=ZERO32, manifest=ZERO32, payout_total=Wei(0), **given)


def case_of(inputs: Inputs, claim: Aggregate) -> Case:
    made = replace(NO_CLAIM, domain=6, aggregate=claim)
    return Case(TASK, Law.of(inputs.terms, inputs.manifest), genesis(Hash32(inputs.before.before)), made, ())


def witness(outcome: Outcome, **changes: bytes | None) -> Told:
    blobs = {"tops": outcome.tops_blob, "unmask": outcome.unmask_blob}
    return Told(**{**blobs, "model": outcome.model_blob, "state": outcome.state_blob, **changes})


def lied(blob: bytes, at: int) -> bytes:
    wrong = bytearray(blob)
    wrong[at] ^= 1
    return bytes(wrong)


def asked(inputs: Inputs, claim: Aggregate, told: Told, tree: Tree, claimed: Sequence[bytes]) -> object:
    """What is found in the end where the aggregator answers every demand about one tree from its claimed chunks."""
    hashes = [leaf_hash(leaf) for leaf in claimed]
    for number in count():
        found = find(inputs, claim, told)
        if not isinstance(found, Demand):
            return found
        assert (found.tree, number < 4) == (tree, True)
        answer = ShownLeaf(claimed[found.index], prove(hashes, found.index))
        told = replace(told, leaves={**told.leaves, (tree, found.index): answer})
    return None


@pytest.mark.parametrize("name", NAMES)
def test_there_is_nothing_to_find_in_an_honest_claim(name: str) -> None:
    _, inputs, outcome = played(name)
    claim = claim_of(outcome)
    assert outcome.total_weight == 5
    assert find(inputs, claim, witness(outcome)) is None
    assert find(inputs, claim, witness(outcome, model=None, state=None)) is None


@pytest.mark.parametrize("shown", [True, False])
@pytest.mark.parametrize("name", NAMES)
@given(at=st.integers(0, 2**20))
@slow
def test_a_wrong_model_is_proven(bench: RuleBench, name: str, shown: bool, at: int) -> None:
    """Whether the aggregator published it, or shows chunks only when it is asked."""
    _, inputs, outcome = played(name)
    wrong = lied(outcome.model_blob, at % len(outcome.model_blob))
    claim = replace(claim_of(outcome), model_root=vector_root(wrong))
    told = witness(outcome, model=wrong if shown else None)
    chunks = [wrong[start : start + CHUNK_BYTES] for start in range(0, len(wrong), CHUNK_BYTES)]
    proof = find(inputs, claim, told) if shown else asked(inputs, claim, told, Tree.MODEL, chunks)
    assert isinstance(proof, RuleProof)
    assert proof.chunk == at % len(wrong) // CHUNK_BYTES
    assert bench.judge(case_of(inputs, claim), proof) is None
    assert bench.judge(case_of(inputs, claim_of(outcome)), proof) == "NotUnderRoot"


@pytest.mark.parametrize("shown", [True, False])
@pytest.mark.parametrize("name", STATEFUL)
@given(at=st.integers(0, 2**20))
@slow
def test_a_wrong_state_is_proven(bench: RuleBench, name: str, shown: bool, at: int) -> None:
    _, inputs, outcome = played(name)
    wrong = lied(outcome.state_blob, at % len(outcome.state_blob))
    claim = replace(claim_of(outcome), state_root=vector_root(wrong))
    told = witness(outcome, state=wrong if shown else None)
    chunks = [wrong[start : start + CHUNK_BYTES] for start in range(0, len(wrong), CHUNK_BYTES)]
    proof = find(inputs, claim, told) if shown else asked(inputs, claim, told, Tree.STATE, chunks)
    assert isinstance(proof, StateProof)
    assert bench.judge(case_of(inputs, claim), proof) is None


@pytest.mark.parametrize("name", STATEFUL)
def test_a_model_that_follows_from_a_wrong_state_is_proven_by_the_state(bench: RuleBench, name: str) -> None:
    """The chunk of the model is what the rule makes of the claimed state: then the state is what is wrong."""
    _, inputs, outcome = played(name)
    wrong = lied(outcome.state_blob, 3)
    model = lied(outcome.model_blob, 3)
    claim = replace(claim_of(outcome), state_root=vector_root(wrong), model_root=vector_root(model))
    proof = find(inputs, claim, witness(outcome, state=wrong, model=model))
    assert isinstance(proof, StateProof)
    assert bench.judge(case_of(inputs, claim), proof) is None


@pytest.mark.parametrize("name", NAMES)
def test_a_state_where_there_must_be_none_or_none_where_there_must_be(bench: RuleBench, name: str) -> None:
    _, inputs, outcome = played(name)
    claim = replace(claim_of(outcome), state_root=ZERO32 if name in STATEFUL else outcome.model_root)
    proof = find(inputs, claim, witness(outcome))
    assert proof == StateProof()
    assert bench.judge(case_of(inputs, claim), proof) is None


def padded_root(hashes: list[bytes], padding: bytes) -> tuple[Hash32, tuple[bytes, ...]]:
    """The root over three leaves and something that is not padding, and what is beside the third."""
    top = levels_of([*hashes, padding])[-1][0]
    beside = (padding, node_hash(hashes[0], hashes[1]))
    return Hash32(sha256(b"\x02" + (3).to_bytes(8, "big") + top).digest()), beside


@pytest.mark.parametrize("tree", [Tree.MODEL, Tree.STATE])
def test_padding_that_is_not_empty_is_shown_for_what_it_is(tree: Tree) -> None:
    """All chunks are right, and the root is not: the last one's path tells."""
    _, inputs, outcome = played("fedavgm")
    blob = outcome.model_blob if tree is Tree.MODEL else outcome.state_blob
    hashes = chunk_hashes(blob)
    assert len(hashes) == 3
    root, beside = padded_root(hashes, b"\x13" * 32)
    claim = replace(claim_of(outcome), **{f"{tree.name.lower()}_root": root})
    told = witness(outcome)
    assert find(inputs, claim, told) == Demand(tree, 2)
    told = replace(told, leaves={(tree, 2): ShownLeaf(blob[-CHUNK_BYTES:], beside)})
    assert find(inputs, claim, told) == PaddingProof(tree, hashes[2], beside)


def test_the_chunks_that_are_demanded_are_the_claims_own() -> None:
    """An answer that does not stand under the claimed root is none."""
    _, inputs, outcome = played("fedavg")
    claim = replace(claim_of(outcome), model_root=root_of_hashes([b"\x01" * 32] * 3))
    told = witness(outcome, model=None)
    own = prove(chunk_hashes(outcome.model_blob), 2)
    told = replace(told, leaves={(Tree.MODEL, 2): ShownLeaf(outcome.model_blob[-CHUNK_BYTES:], own)})
    assert find(inputs, claim, told) == Demand(Tree.MODEL, 2)
    assert all(Position(p) in inputs.survivors for p in range(5))
