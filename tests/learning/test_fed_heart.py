"""Fed-Heart-Disease against the accuracies that FLamby published (Ogier du Terrail et al., NeurIPS 2022)."""

from __future__ import annotations

import csv
import os
from dataclasses import replace
from functools import cache
from pathlib import Path
from statistics import fmean

import pytest

from foedus.learning.build import Built, build
from foedus.learning.client import Client, open_client, shared_test
from foedus.learning.taskfile import load_task_file
from foedus.simulation.simulate import SimulationResult, simulate

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("FOEDUS_DATA", ROOT.parent / "shared" / "data" / "fed-heart-disease"))
SEEDS = range(42, 47)

pytestmark = pytest.mark.skipif(
    not (DATA / "published.csv").is_file(),
    reason=f"no data in {DATA}: put the four UCI files and published.csv there, or set FOEDUS_DATA to their folder",
)


def task(seed: int) -> tuple[Built, list[Client]]:
    task_file = load_task_file(ROOT / "examples" / "fed_heart" / "task.toml")
    built = build(replace(task_file, draft=replace(task_file.draft, seed=seed)))
    return built, [open_client(built.app, built.terms, built.manifest, at, data_path=DATA) for at in range(4)]


@cache
def plain(seed: int) -> SimulationResult:
    built, clients = task(seed)
    score = shared_test(built.app, built.terms, built.manifest, data_path=DATA)
    return simulate(built, clients, mode="plain", shared_test=score, evaluate_every=0)


def published(seed: int) -> dict[str, float]:
    with (DATA / "published.csv").open(newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if row["method"] == "FedAvg100" and row["seed"] == str(seed)]
    return {row["test"]: float(row["metric"]) for row in rows}


def test_the_hospitals_have_the_published_sizes() -> None:
    built, clients = task(42)
    sizes = [len(list(client.trainer.records())) for client in clients]
    tests = [client.evaluate(built.initial_lanes)[1] for client in clients]
    assert (sizes, tests) == ([199, 172, 30, 85], [104, 89, 16, 45])


def test_mean_accuracy_is_the_published_one() -> None:
    ours, theirs, our_clients, their_clients = [], [], [], []
    for seed in SEEDS:
        last, known = plain(seed).rounds[-1], published(seed)
        assert last.shared is not None
        ours.append(last.shared[0]["accuracy"])
        our_clients.append(fmean(metrics["accuracy"] for metrics, _ in last.scores))
        theirs.append(known.pop("Pooled Test"))
        their_clients.append(fmean(known.values()))
    assert fmean(theirs) == pytest.approx(0.7480, abs=5e-5)
    assert fmean(ours) == pytest.approx(fmean(theirs), abs=0.01)
    assert fmean(our_clients) == pytest.approx(fmean(their_clients), abs=0.01)


def test_masked_and_plain_end_in_the_same_model() -> None:
    built, clients = task(42)
    masked = simulate(built, clients, mode="masked", evaluate_every=0)
    assert [r.model_root for r in masked.rounds] == [r.model_root for r in plain(42).rounds]
