"""The server rules: every lane is its formula in unbounded integers, whatever the numbers, wherever it is computed."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from fractions import Fraction
from hashlib import sha256
from math import floor
from multiprocessing import get_context

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foedus.aggregator.averaging import FedAvg
from foedus.aggregator.integers import INT32_MIN, nearest_root, saturated, wrapped
from foedus.aggregator.rules import initial_state, rule_of, state_root_of
from foedus.aggregator.state import BLOCK_LANES, joined, parts
from foedus.protocol.chunks import CHUNK_LANES, lanes_to_bytes, vector_root
from foedus.protocol.fixedpoint import INT32_MAX
from foedus.protocol.ids import ZERO32
from foedus.protocol.terms import BETA_ONE, InvalidTerms, Terms
from tests.aggregator.conftest import make_terms
from tests.aggregator.ruling import ADAPTIVE, NAMES, STATEFUL, WEIGHTS, Drawn, any_terms, lanes

NONE = np.zeros(0, dtype=np.int32)


def nearest(value: Fraction) -> int:
    return floor(value + Fraction(1, 2))


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data(), weight=WEIGHTS, seed=st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_each_lane_of_a_vector_is_the_lane_alone(name: str, data: st.DataObject, weight: int, seed: int) -> None:
    drawn = Drawn.of(data.draw(any_terms(name)), weight, seed)
    new, state = drawn.step()
    assert (new.dtype, state.dtype, new.shape, state.shape) == (
        *2 * (np.dtype(np.int32),),
        drawn.old.shape,
        drawn.state.shape,
    )
    width = drawn.rule.state_lanes
    before = drawn.state.reshape(width, CHUNK_LANES).T.tolist()
    found = zip(new.tolist(), state.reshape(width, CHUNK_LANES).T.tolist(), strict=True)
    rows = zip(drawn.old.tolist(), before, drawn.total.tolist(), strict=True)
    for (lane, held), (old, kept, total) in zip(found, rows, strict=True):
        assert (lane, tuple(held)) == drawn.rule.step_lane(old, tuple(kept), total, weight)


LANES = st.integers(INT32_MIN, INT32_MAX)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data(), old=LANES, held=st.tuples(LANES, LANES), total=LANES, weight=WEIGHTS)
@settings(max_examples=200)
def test_each_lane_is_the_formula(
    name: str, data: st.DataObject, old: int, held: tuple[int, int], total: int, weight: int
) -> None:
    """The formulas of docs/rules.md in exact fractions."""
    terms = data.draw(any_terms(name))
    rule = rule_of(terms)
    new, state = rule.step_lane(old, held[: rule.state_lanes], total, weight)
    if weight == 0:
        assert (new, state) == (old, held[: rule.state_lanes])
        return
    rate, unit = Fraction(terms.server_lr, 65536), Fraction(2**terms.scale_bits, 2**terms.grid.state_bits)
    if name == "fedavg":
        step = rate * Fraction(total * 2**terms.scale_bits, weight * 2**terms.update_bits)
        assert (new, state) == (saturated(old + nearest(step)), ())
        return
    mean = wrapped(nearest(Fraction(total * 2**terms.grid.state_shift, weight)))
    beta1, beta2 = Fraction(terms.beta1, BETA_ONE), Fraction(terms.beta2, BETA_ONE)
    if name == "fedavgm":
        momentum = saturated(nearest(beta1 * held[0]) + mean)
        assert (new, state) == (saturated(old + nearest(rate * momentum * unit)), (momentum,))
        return
    momentum = nearest(beta1 * held[0] + (1 - beta1) * mean)
    root = (held[1] + terms.tau) % 2**31
    part = (1 - beta2) * mean**2
    moment = {
        "fedadam": floor(beta2 * root**2 + part),
        "fedyogi": floor(root**2 + (part if root**2 < mean**2 else -part if root**2 > mean**2 else 0)),
        "fedadagrad": root**2 + mean**2,
    }[name]
    root = min(nearest_root(moment), INT32_MAX)
    step = rate * 2**terms.scale_bits * Fraction(momentum, root + terms.tau)
    assert (new, state) == (saturated(old + nearest(step)), (momentum, root - terms.tau))


@pytest.mark.parametrize("name", NAMES)
def test_any_chunk_can_be_computed_alone(name: str) -> None:
    """More chunks than a block has: where a block ends shows in no lane."""
    chunks = 2 * BLOCK_LANES // CHUNK_LANES + 3
    drawn = Drawn.of(make_terms(8, rule=name), 7, 5, chunks)
    new, state = drawn.step()
    for at in range(chunks):
        alone = drawn.cut(at, at + 1).step()
        width = drawn.rule.state_lanes
        assert (new[at * CHUNK_LANES : (at + 1) * CHUNK_LANES] == alone[0]).all()
        assert (state[at * CHUNK_LANES * width : (at + 1) * CHUNK_LANES * width] == alone[1]).all()


def digest_of_steps(name: str, seed: int) -> str:
    """Three steps one after another; the digest of what they leave."""
    drawn = Drawn.of(make_terms(8, rule=name), 7, seed, 3)
    for _ in range(3):
        drawn.old, drawn.state = drawn.step()
    return sha256(lanes_to_bytes(drawn.old) + lanes_to_bytes(drawn.state)).hexdigest()


@pytest.fixture(scope="module", params=["threads", "processes"])
def pool(request: pytest.FixtureRequest) -> Iterator[Executor]:
    made = ThreadPoolExecutor(4) if request.param == "threads" else ProcessPoolExecutor(2, get_context("spawn"))
    with made as executor:
        yield executor


def test_threads_and_processes_leave_the_same_bytes(pool: Executor) -> None:
    jobs = [(name, seed) for name in NAMES for seed in range(2)] * 2
    here = {job: digest_of_steps(*job) for job in jobs}
    for job, found in zip(jobs, pool.map(digest_of_steps, *zip(*jobs, strict=True)), strict=True):
        assert found == here[job]


def test_a_step_leaves_its_inputs_alone() -> None:
    for name in NAMES:
        for weight in (0, 3):
            drawn = Drawn.of(make_terms(8, rule=name), weight, 9)
            held = drawn.old.copy(), drawn.state.copy(), drawn.total.copy()
            new, state = drawn.step()
            new += 1
            state += 1
            for before, after in zip(held, (drawn.old, drawn.state, drawn.total), strict=True):
                assert (before == after).all()


def test_halves_go_up_on_both_sides_of_zero() -> None:
    total = np.array([1, -1, 3, -3], dtype=np.int32)
    new, _ = FedAvg(16, 16, 65536).step(np.zeros(4, dtype=np.int32), NONE, total, 2)
    assert new.tolist() == [1, 0, 2, -1]


def test_the_model_saturates_and_never_wraps() -> None:
    old, total = np.array([INT32_MAX, INT32_MIN], dtype=np.int32), np.array([5, -5], dtype=np.int32)
    new, _ = FedAvg(20, 16, 65536).step(old, NONE, total, 1)
    assert new.tolist() == [INT32_MAX, INT32_MIN]


@pytest.mark.parametrize(("name", "beta1"), [("fedavgm", 65_000), *((name, 58_982) for name in ADAPTIVE)])
def test_the_state_saturates_and_never_wraps(name: str, beta1: int) -> None:
    """A thousand rounds of the largest update in one direction."""
    terms = make_terms(8, rule=name, beta1=beta1, server_lr=2**24)
    rule, total = rule_of(terms), np.full(CHUNK_LANES, 8 * terms.max_value, dtype=np.int32)
    model, state = np.zeros(CHUNK_LANES, dtype=np.int32), initial_state(rule, CHUNK_LANES)
    for _ in range(1000):
        before = parts(state, rule.state_lanes)
        model, state = rule.step(model, state, total, 8)
        assert (parts(state, rule.state_lanes)[0] >= before[0]).all()
    assert (model == INT32_MAX).all()
    momentum, *root = parts(state, rule.state_lanes)
    largest = terms.max_value << terms.grid.state_shift
    if name == "fedavgm":
        assert (momentum == INT32_MAX).all()
    else:
        assert (np.abs(momentum - largest) <= 65536 / (65536 - beta1)).all()
        limit = INT32_MAX if name == "fedadagrad" else largest
        assert (np.abs(root[0] + terms.tau - limit) <= (0 if name == "fedadagrad" else largest / 100)).all()


@pytest.mark.parametrize("name", ADAPTIVE)
def test_zero_lanes_are_a_second_moment_of_tau_squared(name: str) -> None:
    """Where nothing moves, the root goes on from tau; FedAdagrad and FedYogi keep it."""
    terms = make_terms(8, rule=name)
    new, (momentum, stored) = rule_of(terms).step_lane(5, (0, 0), 0, 8)
    assert (new, momentum) == (5, 0)
    kept = nearest_root(terms.beta2 * terms.tau**2 // BETA_ONE) if name == "fedadam" else terms.tau
    assert stored == kept - terms.tau


def test_padding_stays_zero() -> None:
    for name in NAMES:
        drawn = Drawn.of(make_terms(8, rule=name), 8, 1)
        zero = np.zeros(CHUNK_LANES, dtype=np.int32)
        new, _ = drawn.rule.step(zero, initial_state(drawn.rule, CHUNK_LANES), zero, 8)
        assert (new == 0).all()


def test_state_lanes_are_stored_chunk_by_chunk() -> None:
    first, second = (lanes(seed, 3 * CHUNK_LANES).astype(np.int64) for seed in (1, 2))
    state = joined(first, second)
    assert (parts(state, 2)[0] == first).all()
    assert (parts(state, 2)[1] == second).all()
    for chunk in range(3):
        for lane, held in enumerate((first, second)):
            at = (2 * chunk + lane) * CHUNK_LANES
            expected = held[chunk * CHUNK_LANES : (chunk + 1) * CHUNK_LANES]
            assert (state[at : at + CHUNK_LANES] == expected).all()


def test_only_a_rule_with_a_state_has_a_state_root() -> None:
    for name in NAMES:
        rule = rule_of(make_terms(2, rule=name))
        blob = lanes_to_bytes(initial_state(rule, CHUNK_LANES))
        assert len(blob) == 1024 * rule.state_lanes
        assert state_root_of(rule, blob) == (vector_root(blob) if name in STATEFUL else ZERO32)


@pytest.mark.parametrize(
    ("field", "bad"),
    [("rule", "sgd"), ("beta1", 65536), ("beta1", -1), ("beta2", 32767), ("beta2", 65536), ("tau", 0), ("tau", 2**31)],
)
def test_settings_that_no_rule_takes_are_refused(field: str, bad: object) -> None:
    with pytest.raises(InvalidTerms, match=field):
        make_terms(2, **{field: bad})
    good: Terms = make_terms(2, rule="fedyogi", beta1=0, beta2=32768, tau=1)
    assert Terms.from_bytes(good.to_bytes()) == good
