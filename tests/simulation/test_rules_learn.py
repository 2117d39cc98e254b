"""Every server rule learns on real data, together far better than anybody alone, and the same bytes in every mode."""

from __future__ import annotations

from typing import Any

import pytest

from foedus.protocol.ids import ZERO32, Position
from foedus.simulation.alone import best_and_mean, train_alone
from foedus.simulation.ports import Away
from foedus.simulation.simulate import SimulationResult, simulate
from tests.simulation.linear import CLIENTS, LinearClient, linear_task

ROUNDS = 10
RATE_ONE = 65_536
RULES: dict[str, tuple[dict[str, Any], float]] = {
    "fedavg": ({}, 0.9),
    "fedavgm": ({"server_lr": RATE_ONE}, 0.93),
    "fedadam": ({"server_lr": 19_661, "beta2": 62_259}, 0.93),
    "fedyogi": ({"server_lr": 19_661, "beta2": 62_259}, 0.93),
    "fedadagrad": ({"server_lr": 32_768}, 0.9),
}
"""Settings, and the accuracy on held-out images that ten rounds reach at least."""


def clients(task: Any) -> list[LinearClient]:
    return [LinearClient(task, at) for at in range(CLIENTS)]


def played(rule: str, rounds: int = ROUNDS, **options: Any) -> SimulationResult:
    task = linear_task(rounds, rule=rule, **RULES[rule][0])
    return simulate(task, clients(task), evaluate_every=0, **options)


@pytest.fixture(scope="module")
def best_alone() -> float:
    task = linear_task(ROUNDS)
    best, mean = best_and_mean(train_alone(task, clients(task)), "accuracy")
    assert mean < best < 0.65
    return best


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_learns(rule: str, best_alone: float) -> None:
    result = played(rule)
    accuracy = result.rounds[-1].scores[0][0]["accuracy"]
    print(f"\n{rule}: {accuracy:.3f}, the best alone {best_alone:.3f}")
    assert accuracy >= RULES[rule][1]
    assert accuracy > best_alone + 0.25


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule != "fedavg"])
def test_the_state_goes_from_round_to_round_in_every_mode(rule: str) -> None:
    """One drops out of the second round; the bytes of model and state are those of the plain mode all the same."""

    def away(number: int, attempt: int) -> Away:
        return Away(frozenset({Position(3)}) if number == 2 else frozenset())

    plain = played(rule, 3, away=away)
    masked = played(rule, 3, away=away, mode="masked", checkers=1)
    roots = [(made.model_root, made.state_root) for made in plain.rounds]
    assert [(made.model_root, made.state_root) for made in masked.rounds] == roots
    assert len({state for _, state in roots} - {ZERO32}) == 3
