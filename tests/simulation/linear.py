"""Handwritten digits (scikit-learn's own, 1,797 images) for softmax regression in numpy: real learning, no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from foedus.aggregator.update import encode_update
from foedus.learning.partition import dirichlet
from foedus.protocol.chunks import lanes_to_bytes, vector_root
from foedus.protocol.fixedpoint import from_fixed, to_fixed
from foedus.protocol.ids import RoundNumber
from foedus.protocol.manifest import Manifest
from foedus.protocol.terms import Terms
from foedus.simulation.ports import Model, Scores
from tests.protocol import samples
from tests.simulation.toy import ToyTask, ToyUpdate

CLIENTS, TESTED = 8, 450
PIXELS, DIGITS = 64, 10
Floats = NDArray[np.float64]


@cache
def digits() -> tuple[Floats, NDArray[np.int64]]:
    """All images, shape (1797, 65), pixels 0 to 1 and a constant 1; and what they show. The last 450 are for tests."""
    pixels, shown = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(shown))
    return np.hstack([pixels / 16, np.ones((len(shown), 1))])[order], shown[order]


def linear_task(rounds: int, **terms: Any) -> ToyTask:
    """All participants start from zero. terms: the rule, with its settings."""
    manifest = Manifest.of({"weights": np.zeros((PIXELS + 1, DIGITS))}, ("accuracy",))
    model = lanes_to_bytes(np.zeros(manifest.model_lanes, dtype=np.int32))
    params = samples.params(
        rounds=rounds, min_participants=2, max_participants=CLIENTS, min_survivors=2, epoch_rounds=rounds
    )
    chosen: dict[str, Any] = {"group_size": 4, "g_min": 2, "update_bits": 21, "max_value": 2**21, "mode": "plain"}
    roots = ("0" * 64, manifest.digest.hex(), vector_root(model).hex())
    return ToyTask(Terms("digits", *roots, params, **chosen | terms), manifest, model)


@dataclass
class LinearClient:
    """One participant: some digits in plenty, others hardly at all. It takes 20 steps of gradient descent a round."""

    task: ToyTask
    index: int
    rate: float = 0.1
    steps: int = 20
    mine: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        _, shown = digits()
        self.mine = dirichlet(shown[:-TESTED], CLIENTS, 0.1, seed=3, min_size=10)[self.index]

    def _trained(self, base: Model) -> Floats:
        weights = self._weights(base)
        inputs, shown = (part[self.mine] for part in digits())
        for _ in range(self.steps):
            scores = inputs @ weights
            likely = np.exp(scores - scores.max(axis=1, keepdims=True))
            likely /= likely.sum(axis=1, keepdims=True)
            likely[np.arange(len(shown)), shown] -= 1
            weights = weights - self.rate * inputs.T @ likely / len(shown) * 4
        return weights

    def _weights(self, model: Model) -> Floats:
        return self.task.manifest.unpack(from_fixed(model, self.task.terms.scale_bits))["weights"]

    def update(self, base: Model, round_: RoundNumber, /) -> ToyUpdate:
        task = self.task
        before = from_fixed(base, task.terms.scale_bits)
        after = task.manifest.pack({"weights": self._trained(base)})
        noise = np.random.default_rng([self.index, round_]).integers(0, 2**32, before.shape, dtype=np.uint32)
        return ToyUpdate(encode_update(task.terms, task.manifest, before, after, 1, self.evaluate(base)[0], noise))

    def alone(self, base: Model, round_: RoundNumber, /) -> Model:
        return to_fixed(self.task.manifest.pack({"weights": self._trained(base)}), self.task.terms.scale_bits)

    def evaluate(self, model: Model, /) -> Scores:
        inputs, shown = (part[-TESTED:] for part in digits())
        found = (inputs @ self._weights(model)).argmax(axis=1)
        return {"accuracy": float(np.mean(found == shown))}, TESTED
