"""The keys of a task file's [train] table: how each participant trains between two models."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from foedus.learning.errors import LearningError
from foedus.protocol.terms import Config

OPTIMIZERS = ("sgd", "adam", "adamw")
_ALIASES = {
    "learning_rate": "lr",
    "epochs": "local_epochs",
    "steps": "local_steps",
    "mu": "prox_mu",
    "batch": "batch_size",
    "optim": "optimizer",
}


class BadSetting(LearningError):
    """A training setting that cannot be used: `key`, `value` and what would do."""

    def __init__(self, key: str, value: object, need: str) -> None:
        super().__init__(f"{key} = {value!r}: {need}")
        self.key, self.value, self.need = key, value, need


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """How to train locally.

    optimizer: sgd, adam or adamw, made anew each round. batch_size: examples in a mini-batch. local_steps: mini-batches
    a round, over as many shuffled passes as that takes; 0: local_epochs passes. prox_mu: the proximal term of
    FedProx (Li et al., MLSys 2020). drop_last: leave out a pass's incomplete last mini-batch. eval_batch_size:
    examples at a time in the default evaluation.
    """

    optimizer: str = "sgd"
    lr: float = 0.01
    batch_size: int = 32
    local_epochs: int = 1
    local_steps: int = 0
    momentum: float = 0.0
    weight_decay: float = 0.0
    prox_mu: float = 0.0
    drop_last: bool = False
    eval_batch_size: int = 256

    def __post_init__(self) -> None:
        if self.optimizer not in OPTIMIZERS:
            raise BadSetting("optimizer", self.optimizer, f"must be one of {', '.join(OPTIMIZERS)}")
        for key, low in (("batch_size", 1), ("local_epochs", 1), ("local_steps", 0), ("eval_batch_size", 1)):
            value = getattr(self, key)
            if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= 10**9:
                raise BadSetting(key, value, f"must be a whole number from {low} up")
        for key in ("lr", "momentum", "weight_decay", "prox_mu"):
            value = getattr(self, key)
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
                raise BadSetting(key, value, "must be a number, 0 or more")
        if self.lr == 0:
            raise BadSetting("lr", self.lr, "must be more than 0, or nothing is learned")
        if self.momentum and self.optimizer != "sgd":
            raise BadSetting("momentum", self.momentum, f"belongs to sgd, not to {self.optimizer}: remove it")
        if not isinstance(self.drop_last, bool):
            raise BadSetting("drop_last", self.drop_last, "must be true or false")

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> TrainSettings:
        """The settings in a task's config; keys of other trainers are left alone.

        Raises BadSetting for a bad value and for a key that looks like one of ours misspelt.
        """
        known = {item.name for item in fields(cls) if item.default is not MISSING}
        for key, value in config.items():
            if key in known or key.startswith("data."):
                continue
            near = _ALIASES.get(key) or next(iter(difflib.get_close_matches(key, known, 1, 0.75)), None)
            if near:
                raise BadSetting(key, value, f"no such setting: did you mean {near}?")
        return cls(**{key: value for key, value in config.items() if key in known})


def data_settings(config: Config) -> Config:
    """The [data] keys that travel in a task's config, without their prefix."""
    return {key.removeprefix("data."): value for key, value in config.items() if key.startswith("data.")}
