"""A task's transactions cost no more than they may, on anvil and on the embedded chain."""

from __future__ import annotations

from benchmarks.gas_report import flat, over, targets_table
from benchmarks.gas_scenes import a_task_of_five
from tests.contracts.actors import World


def test_a_task_of_five_costs_no_more_than_it_may(chain: World) -> None:
    costs = flat(a_task_of_five(chain))
    print(f"\n{chain.kind}\n{targets_table(costs)}")
    assert over(costs) == {}
    assert {"create", "join", "commit_first", "commit_steady", "claim"} <= costs.keys()
