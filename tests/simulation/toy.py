"""A task and clients made of arithmetic alone: no torch, and every update known beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from foedus.aggregator.update import encode_update
from foedus.protocol.chunks import Lanes, lanes_to_bytes, vector_root
from foedus.protocol.fixedpoint import from_fixed, to_fixed
from foedus.protocol.ids import RoundNumber, Wei
from foedus.protocol.manifest import Manifest
from foedus.protocol.terms import Terms
from foedus.simulation.ports import Model, Scores
from tests.protocol import samples

VALUES = 300


@dataclass(frozen=True)
class ToyTask:
    terms: Terms
    manifest: Manifest
    initial_model: bytes


def toy_task(participants: int = 6, rounds: int = 2, min_survivors: int = 3, **terms: Any) -> ToyTask:
    arrays = {"values": np.linspace(-1, 1, VALUES)}
    manifest = Manifest.of(arrays, ("distance",))
    model = lanes_to_bytes(to_fixed(manifest.pack(arrays), 20))
    params = samples.params(
        rounds=rounds,
        min_participants=2,
        max_participants=participants,
        min_survivors=min_survivors,
        epoch_rounds=rounds,
        max_attempts=3,
        stake=Wei(0),
        bond=Wei(0),
    )
    chosen: dict[str, Any] = {"group_size": 3, "g_min": 2, "weighting": "examples", "max_weight": 4} | terms
    made = Terms("toy", "0" * 64, manifest.digest.hex(), vector_root(model).hex(), params, **chosen)
    return ToyTask(made, manifest, model)


@dataclass
class ToyClient:
    """Moves every value half-way to its own target; weight 1 to 4."""

    task: ToyTask
    index: int
    updates: int = 0

    @property
    def weight(self) -> int:
        return 1 + self.index % 4

    @property
    def target(self) -> float:
        return self.index / 8

    def update(self, base: Model, round_: RoundNumber, /) -> ToyUpdate:
        self.updates += 1
        before = from_fixed(base, 20)
        after = before.copy()
        after[:VALUES] += (self.target - before[:VALUES]) / 2
        noise = np.random.default_rng([self.index, round_]).integers(0, 2**32, before.shape, dtype=np.uint32)
        distance = {"distance": float(np.abs(self.target - before[:VALUES]).mean())}
        lanes = encode_update(self.task.terms, self.task.manifest, before, after, self.weight, distance, noise)
        return ToyUpdate(lanes)

    def alone(self, base: Model, round_: RoundNumber, /) -> Model:
        values = from_fixed(base, 20)
        values[:VALUES] += (self.target - values[:VALUES]) / 2
        return to_fixed(values, 20)

    def evaluate(self, model: Model, /) -> Scores:
        return {"distance": float(np.abs(self.target - from_fixed(model, 20)[:VALUES]).mean())}, self.weight


@dataclass(frozen=True)
class ToyUpdate:
    lanes: Lanes


def toy_clients(task: ToyTask, count: int | None = None) -> list[ToyClient]:
    return [ToyClient(task, at) for at in range(task.terms.params.max_participants if count is None else count)]
