"""The adaptive server rules on Fed-Heart-Disease, against the accuracies that FLamby published for them.

Settings are those of the publication: tau 1e-8, decays 0.9 and 0.999, rates as in published.csv. The seeds draw other
mini-batches than the publication's, so it is the means over seeds that are compared.
"""

from __future__ import annotations

import csv
from dataclasses import replace
from statistics import fmean

import pytest

from foedus.learning.build import build
from foedus.learning.client import open_client, shared_test
from foedus.learning.taskfile import load_task_file
from foedus.protocol.terms import BETA_ONE, LEARNING_RATE_ONE, RuleName
from foedus.simulation.simulate import simulate
from tests.learning.test_fed_heart import DATA, ROOT, SEEDS

METHODS: dict[RuleName, str] = {"fedadam": "FedAdam100", "fedyogi": "FedYogi100", "fedadagrad": "FedAdagrad100"}
CLIP, CLIP_BITS = 1.0, 17
"""No value moves further in a round; four hospitals of up to 256 rows leave 17 bits for it."""

pytestmark = pytest.mark.skipif(not (DATA / "published.csv").is_file(), reason=f"no data in {DATA}")


def published(method: str) -> list[dict[str, str]]:
    with (DATA / "published.csv").open(newline="") as handle:
        return [row for row in csv.DictReader(handle) if row["method"] == method]


def accuracies(rule: RuleName, rates: tuple[float, float], seed: int) -> tuple[float, float]:
    """(on the joint test set, mean over the hospitals' own) after fifteen rounds. rates: of clients, of the server."""
    file = load_task_file(ROOT / "examples" / "fed_heart" / "task.toml")
    draft = replace(
        file.draft,
        seed=seed,
        rule=rule,
        server_lr=round(rates[1] * LEARNING_RATE_ONE),
        beta2=round(0.999 * BETA_ONE),
        update_bits=CLIP_BITS,
        max_value=round(CLIP * 2**CLIP_BITS),
        config={**file.draft.config, "lr": rates[0]},
    )
    draft = replace(draft, tau=max(1, round(1e-8 * 2**draft.grid.state_bits)))
    built = build(replace(file, draft=draft))
    clients = [open_client(built.app, built.terms, built.manifest, at, data_path=DATA) for at in range(4)]
    score = shared_test(built.app, built.terms, built.manifest, data_path=DATA)
    last = simulate(built, clients, mode="plain", shared_test=score, evaluate_every=0).rounds[-1]
    assert last.shared is not None
    return last.shared[0]["accuracy"], fmean(metrics["accuracy"] for metrics, _ in last.scores)


@pytest.mark.parametrize("rule", METHODS)
def test_mean_accuracy_is_the_published_one(rule: RuleName) -> None:
    rows = published(METHODS[rule])
    rates = float(rows[0]["client_lr"]), float(rows[0]["server_lr"])
    joint = fmean(float(row["metric"]) for row in rows if row["test"] == "Pooled Test")
    own = fmean(float(row["metric"]) for row in rows if row["test"] != "Pooled Test")
    found = [accuracies(rule, rates, seed) for seed in SEEDS]
    ours = tuple(fmean(column) for column in zip(*found, strict=True))
    print(f"\n{rule}: joint {ours[0]:.4f} (published {joint:.4f}), own {ours[1]:.4f} ({own:.4f})")
    assert ours[0] == pytest.approx(joint, abs=0.01)
    assert ours[1] == pytest.approx(own, abs=0.01)
