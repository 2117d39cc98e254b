"""What transactions cost now, against what benchmarks/results/gas.json says that they cost."""

from __future__ import annotations

import pytest

from benchmarks.gas_chain import ANVIL, anvil_world
from benchmarks.gas_fraud import ACCOUNTS, refutations
from benchmarks.gas_report import PAGE, Costs, Grown, flat, grown, load, over, page
from benchmarks.gas_scenes import MEMBERS, play
from benchmarks.gas_targets import TARGETS


@pytest.fixture(scope="module")
def now() -> Costs:
    """The rows that are quick to measure, on chains such as `make bench-gas` measured them on."""
    if not ANVIL.exists():
        pytest.skip(f"{ANVIL} is missing: run `make setup-dev`")
    with anvil_world(MEMBERS + 2) as (world, _):
        costs = flat(play(world))
    with anvil_world(ACCOUNTS) as (world, _):
        return costs | flat(refutations(world))


def test_no_transaction_has_grown(now: Costs) -> None:
    found = [str(row) for row in grown(load(), now)]
    assert not found, "grown over 2%; `make bench-gas` accepts it, and writes what it costs down:\n" + "\n".join(found)


def test_every_target_is_measured_and_met(now: Costs) -> None:
    assert TARGETS.keys() <= now.keys()
    assert over(now) == {}


def test_a_row_that_grew_by_over_two_percent_is_told_with_both_figures() -> None:
    before = {"create": 100_000, "join": 100_000, "claim": 100_000}
    (found,) = grown(before, {"create": 102_001, "join": 102_000, "claim": 50_000})
    assert found == Grown("create", 100_000, 102_001)
    assert str(found) == "create: 100,000 -> 102,001 gas (+2.0%)"


def test_a_longer_lookup_of_a_rank_is_no_growth_but_a_dearer_shortest_one_is() -> None:
    before = {"propose": 80_000, "propose_least": 78_000, "propose_most": 90_000}
    assert grown(before, {"propose": 85_000, "propose_least": 78_000, "propose_most": 99_000}) == []
    assert [row.row for row in grown(before, {"propose": 80_000, "propose_least": 80_000})] == ["propose_least"]


def test_a_row_that_was_never_written_down_is_an_error() -> None:
    with pytest.raises(KeyError, match="settle"):
        grown({"create": 1}, {"settle": 1})


def test_a_row_over_its_target_is_told() -> None:
    assert over({"create": TARGETS["create"], "join": TARGETS["join"] + 1, "advertise": 10**9}) == {
        "join": TARGETS["join"] + 1
    }


def test_a_draw_moves_the_mean_the_least_and_the_most_of_a_row() -> None:
    samples = {"propose": [10, 20, 40], "join": [10, 20, 40]}
    assert flat(samples) == {"propose": 23, "propose_least": 10, "propose_most": 40, "join": 40}


def test_the_page_of_the_contracts_shows_these_figures() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert page(load(), text) == text, "run `make bench-gas`"
