"""The digits example: together clearly better than the best of those who train alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from foedus.learning.build import Built, build
from foedus.learning.client import Client, Scores, open_client, shared_test
from foedus.learning.taskfile import load_task_file
from foedus.simulation.alone import best_and_mean, train_alone
from foedus.simulation.ports import Score
from foedus.simulation.simulate import simulate

TASK = Path(__file__).resolve().parents[2] / "examples" / "digits" / "task.toml"


@pytest.fixture(scope="module")
def built() -> Built:
    return build(load_task_file(TASK))


@pytest.fixture(scope="module")
def clients(built: Built) -> list[Client]:
    return [open_client(built.app, built.terms, built.manifest, at) for at in range(8)]


@pytest.fixture(scope="module")
def score(built: Built) -> Score:
    found = shared_test(built.app, built.terms, built.manifest)
    assert found is not None
    return found


def accuracy(scores: Scores | None) -> float:
    assert scores is not None
    return scores[0]["accuracy"]


def test_together_is_clearly_better_than_alone(built: Built, clients: list[Client], score: Score) -> None:
    masked = simulate(built, clients, shared_test=score)
    plain = simulate(built, clients, mode="plain", evaluate_every=0)
    assert len(masked.rounds) >= 10
    assert masked.model_root == plain.model_root
    best, mean = best_and_mean(train_alone(built, clients, shared_test=score), "accuracy")
    together = accuracy(masked.rounds[-1].shared)
    assert together > 0.9
    assert together > best + 0.1
    assert together > mean + 0.3
