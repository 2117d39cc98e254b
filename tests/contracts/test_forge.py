"""The contracts' laws hold whatever anybody does: forge's stateful invariants, ten thousand calls, and fuzz tests."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tools import forge_test

MOVES = set(re.findall(r"this\.(\w+)\.selector", (forge_test.CONTRACTS / "test" / "Handler.sol").read_text()))
CAMPAIGNS = ("FastTest", "OptimisticTest")
SELDOM = {"FastTest": set[str](), "OptimisticTest": {"accuseAttester"}}
"""Nobody attests under OPTIMISTIC terms: only a signature under a lie that became final would convict."""


@pytest.fixture(scope="module")
def answer() -> dict[str, Any]:
    """What forge answers. Skips where npm installed none."""
    if forge_test.forge() is None:
        pytest.skip("needs forge: run `make setup-dev`")
    return forge_test.run()


@pytest.mark.timeout(900)
def test_no_call_breaks_a_law_of_the_contracts(answer: dict[str, Any]) -> None:
    assert not forge_test.failures(answer)
    assert {*CAMPAIGNS, "LibrariesTest"} == answer.keys()
    assert sum(sum(one for one, _ in forge_test.calls(answer[name]).values()) for name in CAMPAIGNS) >= 10_000


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", CAMPAIGNS)
def test_every_kind_of_call_is_made_and_does_something(name: str, answer: dict[str, Any]) -> None:
    made = forge_test.calls(answer[name])
    assert made.keys() == MOVES
    assert {move for move, (_, done) in made.items() if done == 0} <= SELDOM[name]
    assert sum(done for _, done in made.values()) * 3 > sum(calls for calls, _ in made.values())


@pytest.mark.timeout(900)
def test_the_laws_of_the_libraries_are_tried_with_many_arguments(answer: dict[str, Any]) -> None:
    assert all(result["kind"]["Fuzz"]["runs"] >= 256 for result in answer["LibrariesTest"].values())
    assert len(answer["LibrariesTest"]) == 9
