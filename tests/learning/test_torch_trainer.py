from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from foedus.learning.app import Partition, load_app
from foedus.learning.errors import AppError, DataError
from foedus.learning.settings import BadSetting
from foedus.learning.torch_data import record_bytes
from foedus.learning.torch_trainer import TorchTrainer, initial_arrays
from foedus.learning.trainer import Arrays, TrainConfig
from tests.learning.small import APP

Write = Callable[..., Path]
SETTINGS: dict[str, Any] = {"lr": 0.1, "batch_size": 5, "local_epochs": 3}
TRAIN = "TensorDataset(inputs[:16], targets[:16])"
BATCH_NORM = APP.replace("nn.Dropout(0.2)", "nn.BatchNorm1d(8)")


def trainer_of(path: Path, index: int = 0) -> TorchTrainer:
    return TorchTrainer(load_app(path), Partition(index, 4, None, 5))


def same(one: Arrays, other: Arrays) -> bool:
    return list(one) == list(other) and all(np.array_equal(one[name], other[name]) for name in one)


def test_training_is_pure_and_seeded(write_app: Write) -> None:
    trainer = trainer_of(write_app())
    start = initial_arrays(trainer.app, 5)
    first = trainer.train(start, TrainConfig(SETTINGS, 1), {})
    before = torch.get_rng_state()
    other = trainer.train(start, TrainConfig(SETTINGS, 2), {})
    again = trainer.train(start, TrainConfig(SETTINGS, 1), {})
    fresh = trainer_of(trainer.app.path).train(start, TrainConfig(SETTINGS, 1), {})
    assert same(first.arrays, again.arrays)
    assert same(first.arrays, fresh.arrays)
    assert not same(first.arrays, other.arrays)
    assert first.metrics == again.metrics
    assert torch.equal(before, torch.get_rng_state())
    assert first.weight == 16
    assert set(first.metrics) == {"train_loss", "loss", "accuracy"}


def test_metrics_are_of_the_model_as_it_came_and_local_ones_of_the_trained(write_app: Write) -> None:
    trainer = trainer_of(write_app())
    start = initial_arrays(trainer.app, 5)
    trained = trainer.train(start, TrainConfig(SETTINGS, 1, ("train_loss", "local_loss")), {})
    assert trained.metrics["loss"] == trainer.evaluate(start, TrainConfig(SETTINGS))[0]["loss"]
    assert trained.metrics["local_loss"] == trainer.evaluate(trained.arrays, TrainConfig(SETTINGS))[0]["loss"]


def test_an_app_that_draws_with_numpy_or_random_is_seeded_too(write_app: Write) -> None:
    source = APP + (
        "\nimport random\nimport numpy as np\nfrom torch.nn import functional\n"
        "def loss(output, target):\n"
        "    return functional.cross_entropy(output, target) * float(1 + np.random.rand() + random.random())\n"
    )
    trainer = trainer_of(write_app(source))
    start = initial_arrays(trainer.app, 5)
    runs = [trainer.train(start, TrainConfig(SETTINGS, 1), {}) for _ in range(2)]
    assert same(runs[0].arrays, runs[1].arrays)


def test_training_learns_and_evaluation_counts(write_app: Write) -> None:
    trainer = trainer_of(write_app())
    start = initial_arrays(trainer.app, 5)
    trained = trainer.train(start, TrainConfig(SETTINGS | {"local_epochs": 60}, 1), {})
    before, examples = trainer.evaluate(start, TrainConfig(SETTINGS))
    after, _ = trainer.evaluate(trained.arrays, TrainConfig(SETTINGS))
    assert examples == 8
    assert after["accuracy"] > before["accuracy"]
    assert trainer.evaluate(trained.arrays, TrainConfig(SETTINGS)) == (after, examples)


def test_steps_count_mini_batches_across_passes(write_app: Write) -> None:
    source = APP + (
        "\nfrom torch.nn import functional\nSIZES = []\n"
        "def loss(output, target):\n    SIZES.append(len(target))\n"
        "    return functional.cross_entropy(output, target)\n"
        "def evaluate(model, dataset): return {}\n"
    )
    trainer = trainer_of(write_app(source))
    start = initial_arrays(trainer.app, 5)
    sizes = trainer.app.module.SIZES
    trainer.train(start, TrainConfig({"batch_size": 5, "local_steps": 6}, 1), {})
    assert sizes == [5, 5, 5, 1, 5, 5]
    sizes.clear()
    trainer.train(start, TrainConfig({"batch_size": 5, "local_epochs": 2, "drop_last": True}, 1), {})
    assert sizes == [5] * 6
    sizes.clear()
    trainer.train(start, TrainConfig({"batch_size": 50, "drop_last": True}, 1), {})
    assert sizes == [16]


def test_integer_buffers_stay_local_and_float_buffers_travel(write_app: Write) -> None:
    trainer = trainer_of(write_app(BATCH_NORM))
    start = initial_arrays(trainer.app, 5)
    assert [name for name in start if name.startswith("2.")] == [
        "2.weight",
        "2.bias",
        "2.running_mean",
        "2.running_var",
    ]
    config = TrainConfig(SETTINGS | {"batch_size": 4}, 1)
    first = trainer.train(start, config, {})
    assert {name: int(kept) for name, kept in first.state.items()} == {"2.num_batches_tracked": 12}
    assert int(trainer.train(start, config, first.state).state["2.num_batches_tracked"]) == 24
    assert int(trainer.train(start, config, {}).state["2.num_batches_tracked"]) == 12


def test_the_proximal_term_holds_the_model_back(write_app: Write) -> None:
    trainer = trainer_of(write_app())
    start = initial_arrays(trainer.app, 5)

    def moved(**extra: float) -> float:
        trained = trainer.train(start, TrainConfig(SETTINGS | extra, 1), {}).arrays
        return sum(float(np.square(trained[name] - start[name]).sum()) for name in start)

    assert moved(prox_mu=5.0) < 0.5 * moved() == 0.5 * moved(prox_mu=0.0)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_every_optimizer_trains(write_app: Write, optimizer: str) -> None:
    trainer = trainer_of(write_app())
    start = initial_arrays(trainer.app, 5)
    settings: dict[str, Any] = {"optimizer": optimizer, "lr": 0.01, "weight_decay": 0.01}
    assert not same(start, trainer.train(start, TrainConfig(settings, 1), {}).arrays)


def test_a_loader_is_as_good_as_its_dataset(write_app: Write) -> None:
    plain = trainer_of(write_app())
    start = initial_arrays(plain.app, 5)
    want = plain.train(start, TrainConfig(SETTINGS, 1), {})
    source = APP.replace("return TensorDataset(inputs[:16], targets[:16]), ", "return loader(inputs, targets), ") + (
        "\nfrom torch.utils.data import DataLoader, Subset\n"
        "def loader(inputs, targets):\n    return DataLoader(Subset(TensorDataset(inputs, targets), range(16)), 3)\n"
    )
    got = trainer_of(write_app(source)).train(start, TrainConfig(SETTINGS, 1), {})
    assert same(want.arrays, got.arrays)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("nn.Linear(4, 8)", "nn.Linear(5, 8)", r"evaluating failed: RuntimeError: mat1 and mat2"),
        (
            "TensorDataset(inputs[:16], targets[:16])",
            "iter([1])",
            "the training data .* is list_iterator: return a map",
        ),
        ("TensorDataset(inputs[:16], targets[:16])", "[]", "the training data .* is empty: give this participant"),
        (
            "TensorDataset(inputs[:16], targets[:16])",
            "inputs",
            "a batch is Tensor: each example must be",
        ),
        ("targets = inputs[:, :3]", "inputs[0] = float('nan'); targets = inputs[:, :3]", "loss became nan: lower lr"),
        ("def shared_test", "def evaluate(model, dataset):\n    return 3\ndef shared_test", "evaluate returned int"),
        (
            "def shared_test",
            "def evaluate(model, dataset):\n    return {'a': 'b'}\ndef shared_test",
            "evaluate returned a = 'b': return numbers",
        ),
        (
            "def shared_test",
            "def evaluate(model, dataset):\n    return {'a': float('inf')}\ndef shared_test",
            "return finite numbers",
        ),
        (
            "def shared_test",
            "def loss(output, target):\n    return output.nothing\ndef shared_test",
            r"app\.py:19: eval",
        ),
    ],
)
def test_mistakes_in_the_app_are_errors_of_the_app(write_app: Write, old: str, new: str, message: str) -> None:
    assert old in APP
    trainer = trainer_of(write_app(APP.replace(old, new)))
    with pytest.raises(AppError, match=message):
        trainer.train(initial_arrays(trainer.app, 5), TrainConfig(SETTINGS, 1), {})


def test_a_model_must_have_something_to_learn(write_app: Write) -> None:
    source = "from torch import nn\ndef model(): return nn.ReLU()\ndef data(partition): ...\n"
    with pytest.raises(AppError, match="no floating-point parameters: there is nothing to learn"):
        initial_arrays(load_app(write_app(source)), 1)


def test_bad_settings_are_named(write_app: Write) -> None:
    trainer = trainer_of(write_app())
    with pytest.raises(BadSetting, match=r"momentum = 0\.9: belongs to sgd, not to adam"):
        trainer.train(initial_arrays(trainer.app, 5), TrainConfig({"optimizer": "adam", "momentum": 0.9}, 1), {})


def test_records_are_canonical(write_app: Write) -> None:
    trainer = trainer_of(write_app())
    records = list(trainer.records())
    assert len(records) == len(set(records)) == 16
    assert records == list(trainer_of(trainer.app.path).records())
    assert record_bytes((torch.ones(2), 1)) == record_bytes([np.ones(2, np.float32), 1])
    assert record_bytes(np.ones(2, ">f4")) == record_bytes(np.ones(2, "<f4"))
    distinct = [1, 1.0, True, "1", b"1", None, [1], {"a": 1}, np.int64(1), np.ones((1, 2)), np.ones((2, 1))]
    assert len({record_bytes(item) for item in distinct}) == len(distinct)
    with pytest.raises(DataError, match="a record holds object: use tensors"):
        record_bytes(object())
