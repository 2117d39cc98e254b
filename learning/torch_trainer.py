"""An app as a trainer: the user's PyTorch model trained on the user's data, seeded, on one thread.

Floating-point parameters and buffers travel, in state_dict order, as float32; integer buffers (a batch norm's
`num_batches_tracked`, say) stay with the participant. The optimizer starts anew each round.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator
from functools import cached_property
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from foedus.learning.app import App, Partition
from foedus.learning.errors import AppError, LearningError
from foedus.learning.settings import TrainSettings
from foedus.learning.torch_data import Source, seeded
from foedus.learning.trainer import Arrays, State, TrainConfig, Trained, derive_seed


def import_optimizers() -> None:
    """Import now what PyTorch's optimizers import when the first one is made.

    That needs a folder for temporary files, and where it fails halfway it cannot be done again in the same process. So
    nothing is imported before there is one. Raises LearningError where there is none, a full disk for example.
    """
    try:
        tempfile.gettempdir()
    except FileNotFoundError as error:
        raise LearningError(f"nothing can be trained: {error.strerror}: free some disk space, or set TMPDIR") from error
    import_module("torch._dynamo")


def initial_arrays(app: App, seed: int) -> Arrays:
    """A new model's values: the app's `model()` under `torch.manual_seed(seed)`."""
    with seeded(seed):
        return _arrays_of(app, app.model())


class TorchTrainer:
    """The Trainer of one app and partition. The model is built once and the data read once, when first needed.

    device: where to train; "cpu" with one thread gives the same bits everywhere that the same torch build runs.
    """

    def __init__(self, app: App, partition: Partition, *, device: str = "cpu", threads: int = 1) -> None:
        self.app, self.partition = app, partition
        self._device, self._threads = torch.device(device), threads
        self._loss: Callable[..., Any] = app.optional("loss") or functional.cross_entropy

    @cached_property
    def _model(self) -> nn.Module:
        with seeded(self.partition.seed), self.app.blame("model()"):
            model: nn.Module = self.app.model().to(self._device)
            return model

    @cached_property
    def _state_dict(self) -> dict[str, Tensor]:
        return _tensors_of(self.app, self._model)

    @cached_property
    def _kept(self) -> dict[str, Tensor]:
        """Integer buffers as a new model has them."""
        rest = {name: tensor for name, tensor in self._state_dict.items() if not tensor.is_floating_point()}
        return {name: tensor.clone() for name, tensor in rest.items()}

    @cached_property
    def _data(self) -> tuple[Source, Any]:
        with seeded(derive_seed("data", self.partition.seed)):
            given = self.app.data(self.partition)
        return Source.of(given.train, f"{self.app.path}: the training data of data(partition)"), given.test

    def train(self, arrays: Arrays, config: TrainConfig, state: State) -> Trained:
        """Local training as the settings say: see Trainer and Trained."""
        settings = TrainSettings.of(config.settings)
        source, test = self._data
        self._load(arrays, state)
        metrics = self._score(test, settings)[0] if test is not None else {}
        with seeded(config.seed, self._threads) as generator, self.app.blame("training"):
            loss = self._descend(settings, source, generator)
        trained = _arrays_of(self.app, self._model)
        kept = {name: self._state_dict[name].cpu().numpy().copy() for name in self._kept}
        metrics["train_loss"] = loss
        if test is not None and any(name.startswith("local_") for name in config.metrics):
            metrics |= {f"local_{name}": value for name, value in self._score(test, settings)[0].items()}
        return Trained(trained, source.size, metrics, kept)

    def evaluate(self, arrays: Arrays, config: TrainConfig) -> tuple[dict[str, float], int]:
        """The app's evaluation of `arrays` on this partition's test data; ({}, 0) where it has none."""
        if self._data[1] is None:
            return {}, 0
        return self.score(arrays, config, self._data[1])

    def score(self, arrays: Arrays, config: TrainConfig, dataset: Any) -> tuple[dict[str, float], int]:
        """The app's evaluation of `arrays` on any dataset or loader of the same kind."""
        self._load(arrays, {})
        return self._score(dataset, TrainSettings.of(config.settings))

    def records(self) -> Iterator[bytes]:
        """The training examples as canonical bytes. Raises DataError for parts that have none."""
        with self.app.blame("reading a record"):
            yield from self._data[0].records()

    def _load(self, arrays: Arrays, state: State) -> None:
        kept = self._kept
        with torch.no_grad(), self.app.blame("loading the model"):
            for name, tensor in self._state_dict.items():
                if tensor.is_floating_point():
                    tensor.copy_(torch.from_numpy(np.ascontiguousarray(arrays[name], dtype=np.float32)))
                elif name in state:
                    tensor.copy_(torch.from_numpy(np.asarray(state[name])))
                else:
                    tensor.copy_(kept[name])

    def _descend(self, settings: TrainSettings, source: Source, generator: torch.Generator) -> float:
        """The mean loss over every mini-batch of the round, weighted by the examples in it."""
        model, loss_of = self._model.train(), self._loss
        parameters = [p for p in model.parameters() if p.requires_grad]
        anchors = [p.detach().clone() for p in parameters] if settings.prox_mu else []
        optimizer = _optimizer(settings, parameters)
        total, seen = 0.0, 0
        for inputs, targets in self._batches(settings, source, generator):
            optimizer.zero_grad()
            loss = loss_of(model(inputs), targets)
            loss.backward()
            for parameter, anchor in zip(parameters, anchors, strict=False):
                if parameter.grad is not None:
                    parameter.grad.add_(parameter.detach() - anchor, alpha=settings.prox_mu)
            optimizer.step()
            value, size = float(loss.detach()), len(targets)
            if not math.isfinite(value):
                raise AppError(f"{self.app.path}: the training loss became {value}: lower lr ({settings.lr})")
            total, seen = total + value * size, seen + size
        return total / seen

    def _batches(
        self, settings: TrainSettings, source: Source, generator: torch.Generator
    ) -> Iterator[tuple[Tensor, Tensor]]:
        passes, left = 0, settings.local_steps
        while left > 0 if settings.local_steps else passes < settings.local_epochs:
            for inputs, targets in source.shuffled(settings.batch_size, generator, settings.drop_last):
                yield _to(inputs, self._device), _to(targets, self._device)
                left -= 1
                if settings.local_steps and not left:
                    return
            passes += 1

    def _score(self, dataset: Any, settings: TrainSettings) -> tuple[dict[str, float], int]:
        source = Source.of(dataset, f"{self.app.path}: the test data")
        evaluate = self.app.optional("evaluate")
        self._model.eval()
        seed = derive_seed("evaluate", self.partition.seed)
        with seeded(seed, self._threads), torch.no_grad(), self.app.blame("evaluating"):
            made = evaluate(self._model, dataset) if evaluate else self._default_score(source, settings)
        return _metrics(self.app, made), source.size

    def _default_score(self, source: Source, settings: TrainSettings) -> dict[str, float]:
        """The mean loss; and accuracy where outputs are (n, classes) and targets whole numbers of shape (n,)."""
        loss, right, classified = 0.0, 0, True
        for inputs, targets in source.in_order(settings.eval_batch_size):
            outputs, targets = self._model(_to(inputs, self._device)), _to(targets, self._device)
            loss += float(self._loss(outputs, targets)) * len(targets)
            classified &= outputs.ndim == 2 and targets.ndim == 1 and not targets.is_floating_point()
            if classified:
                right += int((outputs.argmax(dim=1) == targets).sum())
        found = {"loss": loss / source.size}
        return found | {"accuracy": right / source.size} if classified else found


def _to(value: Any, device: torch.device) -> Any:
    """Tensors, and tuples, lists and dicts of them, on the device."""
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, dict):
        return {key: _to(part, device) for key, part in value.items()}
    if isinstance(value, tuple | list):
        return [_to(part, device) for part in value]
    return value


def _optimizer(settings: TrainSettings, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    match settings.optimizer:
        case "adam":
            return torch.optim.Adam(parameters, lr=settings.lr, weight_decay=settings.weight_decay)
        case "adamw":
            return torch.optim.AdamW(parameters, lr=settings.lr, weight_decay=settings.weight_decay)
    return torch.optim.SGD(parameters, lr=settings.lr, momentum=settings.momentum, weight_decay=settings.weight_decay)


def _tensors_of(app: App, model: nn.Module) -> dict[str, Tensor]:
    tensors = model.state_dict()
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor) or tensor.is_complex():
            raise AppError(f"{app.path}: model() holds {name}, which is no real tensor: keep it out of the state_dict")
    if not any(tensor.is_floating_point() for tensor in tensors.values()):
        raise AppError(f"{app.path}: model() has no floating-point parameters: there is nothing to learn")
    return tensors


def _arrays_of(app: App, model: nn.Module) -> Arrays:
    tensors = _tensors_of(app, model)
    return {
        name: tensor.detach().to("cpu", torch.float32, copy=True).numpy()
        for name, tensor in tensors.items()
        if tensor.is_floating_point()
    }


def _metrics(app: App, made: Any) -> dict[str, float]:
    if not isinstance(made, dict):
        raise AppError(f"{app.path}: evaluate returned {type(made).__name__}: return a dict of names and numbers")
    found: dict[str, float] = {}
    for name, value in made.items():
        try:
            found[str(name)] = float(value)
        except (TypeError, ValueError) as error:
            raise AppError(f"{app.path}: evaluate returned {name} = {value!r}: return numbers") from error
        if not math.isfinite(found[str(name)]):
            raise AppError(f"{app.path}: evaluate returned {name} = {value!r}: return finite numbers")
    return found
