"""The judges of the rule: no honest claim is ever convicted, whatever is sent; any wrong lane is, in any chunk.

What a whole transaction costs: `pytest -s` on this file.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foedus.aggregator.integers import INT32_MIN
from foedus.contracts.proofs import encode as encode_proof
from foedus.protocol.chunks import CHUNK_LANES, chunk_hashes, lanes_to_bytes
from foedus.protocol.claims import NO_CLAIM
from foedus.protocol.fixedpoint import INT32_MAX
from foedus.protocol.ids import ZERO32, Hash32
from foedus.protocol.merkle import leaf_hash, levels_of, node_hash, prove, root_of_hashes, verify
from foedus.protocol.proofs import NO_BASE, Base, RuleProof, StateProof
from tests.aggregator.conftest import make_terms
from tests.aggregator.ruling import NAMES, STATEFUL, Int32, any_terms
from tests.contracts.rule_bench import RuleBench, rule_bench
from tests.contracts.rule_scenes import CHUNKS, Deep, Step, piece, spoiled, usual_step

TARGET = 330_000

bench = pytest.fixture(scope="module")(rule_bench)
slow = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
def test_a_node_stands_in_its_place_and_nowhere_else(bench: RuleBench, count: int) -> None:
    levels = levels_of([leaf_hash(bytes([number])) for number in range(count)])
    root = root_of_hashes(levels[0])
    for depth, level in enumerate(levels):
        for index, node in enumerate(level):
            siblings = prove(levels[0], index << depth)[depth:]
            assert bench.stands(root, node, depth, index, count, siblings)
            for other in ((depth, index + 1, count), (depth, index ^ 1, count), (depth, index, count + 1)):
                assert not bench.stands(root, node, *other, siblings)
            assert not bench.stands(root, node, depth + 1, index, count, siblings)
            assert not bench.stands(root, node, depth, index, count, (*siblings, node))
            assert not bench.stands(node, node, depth, index, count, siblings)
            if depth == 0:
                assert verify(root, node, index, count, siblings)
    assert bench.node(root, levels[0][0]) == node_hash(root, levels[0][0])


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("weight", [0, 6])
@pytest.mark.parametrize("name", NAMES)
def test_an_honest_claim_holds_in_every_chunk(bench: RuleBench, name: str, weight: int, later: bool) -> None:
    step = Step(make_terms(8, rule=name), weight, later)
    case = step.case(*step.due)
    for proof in step.proofs(*step.due):
        assert bench.judge(case, proof) == "ChunkIsTheRules"
    for number in (0, 1, 2, 3):
        one = Step(step.terms, weight, later, chunks=number + 1)
        for proof in one.proofs(*one.due)[-2:]:
            assert bench.judge(one.case(*one.due), proof) == "ChunkIsTheRules"


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("name", NAMES)
@given(data=st.data(), weight=st.sampled_from([0, 1, 6, 2**27]), seed=st.integers(0, 2**20))
@slow
def test_any_wrong_lane_convicts(
    bench: RuleBench, name: str, later: bool, data: st.DataObject, weight: int, seed: int
) -> None:
    """And only the chunk that it is in: the others of the same claim still hold."""
    step = Step(data.draw(any_terms(name)), weight, later, seed)
    model, state = step.due
    at = data.draw(st.integers(0, model.size - 1))
    wrong = spoiled(model, at)
    case = step.case(wrong, state)
    for chunk in range(CHUNKS):
        word = bench.judge(case, step.rule_proof(wrong, state, chunk))
        assert word == (None if chunk == at // CHUNK_LANES else "ChunkIsTheRules")
    if not state.size:
        return
    at = data.draw(st.integers(0, state.size - 1))
    wrong = spoiled(state, at)
    case, place = step.case(model, wrong), at // CHUNK_LANES
    for chunk in range(CHUNKS):
        for lane in range(step.rule.state_lanes):
            word = bench.judge(case, step.state_proof(wrong, chunk, lane))
            assert word == (None if place == chunk * step.rule.state_lanes + lane else "ChunkIsTheRules")


@pytest.mark.parametrize("name", NAMES)
def test_a_leaf_that_nobody_can_read_is_convicted_by_its_hash(bench: RuleBench, name: str) -> None:
    """The chunk is never shown: what counts is that its hash is not that of the right one."""
    step = Step(make_terms(8, rule=name))
    model, state = step.due
    hashes = chunk_hashes(lanes_to_bytes(model))
    hashes[1] = b"\x77" * 32
    case = step.case(model, state, model_root=root_of_hashes(hashes))
    proof = replace(step.rule_proof(model, state, 1), leaf=hashes[1], leaf_beside=prove(hashes, 1))
    assert bench.judge(case, proof) is None
    assert bench.judge(case, step.rule_proof(model, state, 1)) == "NotUnderRoot"


@pytest.mark.parametrize("name", NAMES)
def test_a_state_exactly_where_the_rule_keeps_one(bench: RuleBench, name: str) -> None:
    step = Step(make_terms(8, rule=name))
    model, state = step.due
    wrong = ZERO32 if name in STATEFUL else Hash32(b"\x01" * 32)
    assert bench.judge(step.case(model, state, state_root=wrong), StateProof()) is None
    if name not in STATEFUL:
        assert bench.judge(step.case(model, state), StateProof()) == "NoState"
    else:
        assert bench.judge(step.case(model, state), StateProof()) not in (None, "malformed")


def swaps(step: Step, model: Int32, state: Int32) -> dict[str, RuleProof | StateProof]:
    """Proofs that show something else than they should, of the second chunk of a claim, by what is swapped."""
    rule, other = step.rule_proof(model, state, 1), step.rule_proof(model, state, 0)
    base = replace(NO_CLAIM, aggregate=replace(NO_CLAIM.aggregate, model_root=Hash32(b"\x05" * 32)))
    found: dict[str, RuleProof | StateProof] = {
        "beyond the model": replace(rule, chunk=step.chunks),
        "another chunk's place": replace(rule, chunk=0),
        "another chunk's leaf": replace(rule, leaf=other.leaf, leaf_beside=other.leaf_beside),
        "a leaf at another place": replace(rule, leaf=other.leaf),
        "another old chunk": replace(rule, old=other.old),
        "another old chunk and path": replace(rule, old=other.old, old_beside=other.old_beside),
        "the old chunk cut": replace(rule, old=rule.old[:-4]),
        "the old chunk longer": replace(rule, old=rule.old + bytes(32)),
        "no base": replace(rule, base=NO_BASE),
        "another base": replace(rule, base=Base(step.base.before, base)),
        "an inner node for a leaf": replace(rule, leaf=rule.leaf_beside[0], leaf_beside=rule.leaf_beside[1:]),
    }
    if not step.rule.state_lanes:
        top, wrong = rule.total, other.total
        totals = {
            "another sum": replace(top, value=wrong.value),
            "another chunk's sum": wrong,
            "what is below the sum": replace(top, left=top.right, right=top.left),
            "the sum cut": replace(top, value=top.value[:-1]),
        }
        return found | {what: replace(rule, total=total) for what, total in totals.items()}
    held, wide = step.state_proof(state, 1, 0), step.rule.state_lanes
    found |= {
        "another state": replace(rule, state=other.state),
        "another state and path": replace(rule, state=other.state, state_beside=other.state_beside),
        "the state before": replace(rule, state=piece(lanes_to_bytes(step.state), wide, wide)),
        "no state": replace(rule, state=b""),
        "the state longer": replace(rule, state=rule.state + bytes(1024)),
        "a lane that the rule does not keep": replace(held, lane=wide),
        "another place in the state": replace(held, chunk=0),
        "another sum for the state": replace(held, total=other.total),
        "the new state for the old": replace(held, old=piece(lanes_to_bytes(state), wide)),
        "no base for the state": replace(held, base=NO_BASE),
        "another base for the state": replace(held, base=Base(step.base.before, base)),
    }
    if wide == 2:
        found["the lanes of the state swapped"] = replace(rule, state=rule.state[1024:] + rule.state[:1024])
        found["the other lane"] = replace(held, lane=1)
        found["the other lane's leaf"] = replace(held, leaf=step.state_proof(state, 1, 1).leaf)
    return found


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_nothing_that_shows_something_else_convicts_the_honest(bench: RuleBench, name: str, later: bool) -> None:
    step = Step(make_terms(8, rule=name), later=later)
    model, state = step.due
    case = step.case(model, state)
    for what, proof in swaps(step, model, state).items():
        assert bench.judge(case, proof) is not None, what
        assert bench.judge(case, proof) != "ChunkIsTheRules" or "another chunk's leaf" in what, what


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data(), seed=st.integers(0, 2**20))
@slow
def test_no_changed_bytes_of_a_proof_convict_the_honest(
    bench: RuleBench, name: str, data: st.DataObject, seed: int
) -> None:
    """Words of the encoding changed, cut or repeated: offsets and lengths that lead anywhere included."""
    step = Step(make_terms(8, rule=name), data.draw(st.sampled_from([0, 6])), data.draw(st.booleans()), seed)
    model, state = step.due
    case = step.case(model, state)
    proof = data.draw(st.sampled_from(step.proofs(model, state)))
    blob = bytearray(encode_proof(proof))
    words = len(blob) // 32
    for _ in range(data.draw(st.integers(1, 3))):
        # Half of the changes hit the head, where offsets and lengths are.
        at = 32 * data.draw(st.integers(0, min(30, words - 1)) | st.integers(0, words - 1))
        small = st.integers(0, 2 * len(blob)).map(lambda value: value.to_bytes(32, "big"))
        blob[at : at + 32] = data.draw(small | st.binary(min_size=32, max_size=32))
    if data.draw(st.booleans()):
        del blob[data.draw(st.integers(0, len(blob))) :]
    assert bench.judge(case, (proof.judge, bytes(blob))) is not None


def test_extreme_lanes_are_judged_like_any(bench: RuleBench) -> None:
    for name in NAMES:
        step = Step(make_terms(8, rule=name, server_lr=2**24, tau=2**31 - 1))
        for lane, value in enumerate((INT32_MIN, INT32_MAX, 0, -1)):
            for vector in (step.old, step.state, step.total):
                vector[lane::4] = value
        case = step.case(*step.due)
        for proof in step.proofs(*step.due):
            assert bench.judge(case, proof) == "ChunkIsTheRules"


@pytest.mark.parametrize("name", NAMES)
def test_what_a_whole_refutation_costs(bench: RuleBench, name: str) -> None:
    """A model of 40,000 chunks with lanes of a usual size. `floor` is what the calldata makes it cost at least."""
    chunks, members = 40_000, 8
    step = usual_step(name, members, members)
    model, state = step.due
    wide = Deep(step, chunks)
    rows = [("model", wide.rule_proof(spoiled(model, 7), state), (spoiled(model, 7), state))]
    for lane in range(step.rule.state_lanes):
        wrong = spoiled(state, lane * CHUNK_LANES + 7)
        rows.append((f"state {lane}", wide.state_proof(wrong, lane), (model, wrong)))
    for what, proof, (one, other) in rows:
        case = wide.case(one, other)
        assert bench.judge(case, proof) is None
        gas, floor = bench.gas(case, proof)
        print(f"\n{name:12}{what:10}{gas:>10,}{floor:>10,}", end="")
        assert gas <= TARGET
