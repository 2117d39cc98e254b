from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from foedus.aggregator.masking import masked
from foedus.aggregator.update import decode_metrics, group_weight
from foedus.learning.build import Built, build
from foedus.learning.client import open_client, shared_test
from foedus.learning.dataroot import data_root
from foedus.learning.errors import LearningError
from foedus.learning.taskfile import load_task_file
from foedus.learning.trainer import Arrays, State, TrainConfig, Trained
from foedus.learning.update import local_round, model_arrays, model_lanes, rounding_noise
from foedus.protocol.chunks import lanes_from_bytes
from foedus.protocol.fixedpoint import signed
from foedus.protocol.ids import RoundNumber, Seed

Write = Callable[..., Path]
ROUND = RoundNumber(1)


@dataclass
class Shift:
    """A trainer that adds a constant to every value."""

    by: float
    examples: int = 16

    def train(self, arrays: Arrays, config: TrainConfig, state: State) -> Trained:
        moved = {name: array + np.float32(self.by) for name, array in arrays.items()}
        return Trained(moved, self.examples, {"train_loss": 0.5, "accuracy": 0.25, "unused": 1.0}, state)

    def evaluate(self, arrays: Arrays, config: TrainConfig) -> tuple[dict[str, float], int]:
        return {}, 0

    def records(self) -> Iterator[bytes]:
        yield from (b"one", b"two")


@pytest.fixture
def built(write_task: Write) -> Built:
    return build(load_task_file(write_task()))


def test_a_model_that_did_not_move_is_an_update_of_zeros(built: Built) -> None:
    base = built.initial_lanes + np.int32(1)
    base[built.manifest.parameters :] = 0
    update = local_round(Shift(0.0), built.terms, built.manifest, base, 0, ROUND)
    assert not update.lanes[: built.manifest.model_lanes].any()
    assert group_weight(built.manifest, update.lanes) == update.weight == 1
    assert decode_metrics(built.terms, built.manifest, {0: update.lanes}) == update.metrics


def test_the_update_is_the_difference_on_the_grid(built: Built) -> None:
    update = local_round(Shift(0.125), built.terms, built.manifest, built.initial_lanes, 0, ROUND)
    values = signed(update.lanes)[: built.manifest.parameters] / 2.0**built.terms.update_bits
    assert values == pytest.approx(0.125, abs=1e-6)
    assert not update.lanes[built.manifest.parameters : built.manifest.model_lanes].any()
    far = local_round(Shift(9.0), built.terms, built.manifest, built.initial_lanes, 0, ROUND)
    assert set(signed(far.lanes)[: built.manifest.parameters].tolist()) == {built.terms.max_value}


def test_an_update_is_masked_from_its_source_as_from_its_lanes(built: Built) -> None:
    masks = [(Seed(b"\x01" + bytes(31)), 1), (Seed(b"\x02" + bytes(31)), -1)]
    update = local_round(Shift(0.03), built.terms, built.manifest, built.initial_lanes, 0, ROUND)
    blob = masked(update.source, masks)
    assert blob == masked(update.lanes, masks)
    opened = masked(lanes_from_bytes(blob, built.manifest.update_lanes), [(seed, -sign) for seed, sign in masks])
    assert np.array_equal(lanes_from_bytes(opened, built.manifest.update_lanes), update.lanes)


def test_weights_are_capped_and_uniform_unless_the_terms_say_otherwise(built: Built) -> None:
    weighted = replace(built.terms, weighting="examples", max_weight=20, max_value=2**20)

    def weight(examples: int) -> int:
        return local_round(Shift(0.1, examples), weighted, built.manifest, built.initial_lanes, 0, ROUND).weight

    assert (weight(7), weight(20), weight(500)) == (7, 20, 20)
    assert local_round(Shift(0.1, 500), built.terms, built.manifest, built.initial_lanes, 0, ROUND).weight == 1


def test_divergence_and_missing_metrics_are_said(built: Built) -> None:
    with pytest.raises(LearningError, match=r"round 1: .*training diverged"):
        local_round(Shift(float("nan")), built.terms, built.manifest, built.initial_lanes, 0, ROUND)
    promised = replace(built.manifest, metrics=("train_loss", "f1"))
    with pytest.raises(LearningError, match="promises the metrics f1, training gave train_loss, accuracy, unused"):
        local_round(Shift(0.1), built.terms, promised, built.initial_lanes, 0, ROUND)


def test_noise_is_fresh_for_every_partition_and_round(built: Built) -> None:
    drawn = [rounding_noise(built.terms, partition, RoundNumber(r), 512) for partition in (0, 1) for r in (1, 2)]
    drawn.append(rounding_noise(replace(built.terms, seed=6), 0, ROUND, 512))
    assert len({noise.tobytes() for noise in drawn}) == len(drawn)
    assert np.concatenate(drawn).mean() == pytest.approx(2**31, rel=0.1)


def test_models_survive_the_way_there_and_back(built: Built) -> None:
    arrays = model_arrays(built.manifest, built.initial_lanes, built.terms.scale_bits)
    assert np.array_equal(model_lanes(built.manifest, arrays, built.terms.scale_bits), built.initial_lanes)


def test_two_processes_make_the_same_bytes(built: Built) -> None:
    client = open_client(built.app, built.terms, built.manifest, 2)
    update = client.update(built.initial_lanes, ROUND)
    script = """
import sys
from hashlib import sha256
from pathlib import Path
import torch
from foedus.learning.build import build
from foedus.learning.client import open_client
from foedus.learning.taskfile import load_task_file
torch.manual_seed(99)
torch.set_num_threads(2)
built = build(load_task_file(Path(sys.argv[1])))
client = open_client(built.app, built.terms, built.manifest, 2)
client.update(built.initial_lanes, 2)
client.evaluate(built.initial_lanes)
print(built.model_root.hex(), sha256(client.update(built.initial_lanes, 1).lanes.tobytes()).hexdigest())
"""
    task = str(built.app.path.with_name("task.toml"))
    run = subprocess.run([sys.executable, "-c", script, task], capture_output=True, text=True, check=True)
    assert run.stdout.split() == [built.model_root.hex(), sha256(update.lanes.tobytes()).hexdigest()]


def test_a_client_evaluates_trains_alone_and_proves_its_data(built: Built) -> None:
    client = open_client(built.app, built.terms, built.manifest, 0)
    other = open_client(built.app, built.terms, built.manifest, 1)
    metrics, examples = client.evaluate(built.initial_lanes)
    assert examples == 8
    assert set(metrics) == {"loss", "accuracy"}
    moved = client.alone(built.initial_lanes, ROUND)
    assert moved.dtype == np.int32
    assert not np.array_equal(moved, built.initial_lanes)
    salt = bytes(32)
    assert client.data_root(salt) == data_root(client.trainer.records(), salt) != other.data_root(salt)
    score = shared_test(built.app, built.terms, built.manifest)
    assert score is not None
    assert score(built.initial_lanes) == (metrics, examples)
