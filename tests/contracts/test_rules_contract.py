"""The rules in Solidity are those in Python, bit for bit. What they cost: `pytest -s` on this file."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foedus.aggregator.state import parts
from foedus.protocol.chunks import CHUNK_BYTES, CHUNK_LANES, lanes_to_bytes
from foedus.protocol.law import Law
from foedus.protocol.terms import Terms
from tests.aggregator.conftest import make_manifest, make_terms
from tests.aggregator.ruling import NAMES, WEIGHTS, Drawn, any_terms
from tests.contracts.rule_bench import RuleBench, rule_bench

STEPS = ("momentum", "root")
"""What makes each lane of the state."""

GAS = {"model": 75_000, "momentum": 60_000, "root": 145_000}
"""The most that one chunk may take."""

bench = pytest.fixture(scope="module")(rule_bench)


def steps_of(drawn: Drawn) -> list[tuple[str, bytes, bytes, bytes]]:
    """For each chunk that a step makes: which function does, its two inputs, and what Python made of them."""
    new, after = drawn.step()
    width = drawn.rule.state_lanes
    before, total = lanes_to_bytes(drawn.state), lanes_to_bytes(drawn.total)
    made = lanes_to_bytes(after)
    rows = [("model", lanes_to_bytes(drawn.old), made if width else total, lanes_to_bytes(new))]
    for lane in range(width):
        at = slice(lane * CHUNK_BYTES, (lane + 1) * CHUNK_BYTES)
        rows.append((STEPS[lane], before[at], total, made[at]))
    return rows


def differences(bench: RuleBench, terms: Terms, drawn: Drawn) -> list[str]:
    """The functions whose chunk is not Python's."""
    law = Law.of(terms, make_manifest())
    nothing = drawn.weight == 0
    return [
        name
        for name, first, second, due in steps_of(drawn)
        if bench.step(name, law, drawn.weight, first, b"" if nothing else second)[0] != due
    ]


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data(), weight=WEIGHTS, seed=st.integers(0, 2**32))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_lanes_under_any_terms(bench: RuleBench, name: str, data: st.DataObject, weight: int, seed: int) -> None:
    terms = data.draw(any_terms(name))
    assert differences(bench, terms, Drawn.of(terms, weight, seed)) == []


@pytest.mark.parametrize("name", NAMES)
def test_small_lanes_one_by_one(bench: RuleBench, name: str) -> None:
    """Every state from -tau up with every sum around zero: where roots are smallest, their rounding is hardest."""
    for beta2 in (32_768, 64_881, 65_535):
        terms = make_terms(2, rule=name, tau=3, beta2=beta2, max_value=2**26, server_lr=2**20)
        assert terms.grid.state_shift == 1
        for offset in range(8):
            drawn = Drawn.of(terms, 1, offset)
            for lane in range(CHUNK_LANES):
                drawn.total[lane] = lane % 16 - 8
                for part in range(drawn.rule.state_lanes):
                    drawn.state[part * CHUNK_LANES + lane] = lane // 16 + 16 * offset - 3
            assert differences(bench, terms, drawn) == []


@pytest.mark.parametrize("name", NAMES)
def test_many_rounds_of_a_task(bench: RuleBench, name: str) -> None:
    """A task from its first state: each round starts from what the last one left; and what a chunk costs."""
    terms = make_terms(8, rule=name)
    drawn = Drawn.of(terms, 8, 1)
    drawn.old[:], drawn.state[:] = drawn.old >> 9, 0
    law, costs = Law.of(terms, make_manifest()), dict[str, list[int]]()
    for number in range(12):
        drawn.total = Drawn.of(terms, 8, 100 + number).total >> 11
        drawn.weight = 8 - number % 3
        for function, first, second, due in steps_of(drawn):
            made, gas = bench.step(function, law, drawn.weight, first, second)
            assert made == due
            costs.setdefault(function, []).append(gas)
        drawn.old, drawn.state = drawn.step()
    if drawn.rule.state_lanes:
        assert parts(drawn.state, drawn.rule.state_lanes)[0].any()
    print(f"\n{name:12}" + "  ".join(f"{part} {max(gas):,}" for part, gas in costs.items()))
    assert all(max(gas) <= GAS[part] for part, gas in costs.items())
