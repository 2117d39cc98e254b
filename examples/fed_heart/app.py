"""Fed-Heart-Disease: four hospitals predict heart disease by logistic regression.

The task is that of FLamby (Ogier du Terrail et al., NeurIPS 2022 Datasets and Benchmarks), on the UCI Heart Disease
files (Janosi, Steinbrunn, Pfisterer and Detrano, 1988). Point `--data`, or `path` in the task file's [data]
table, at the folder with the four `processed.*.data` files.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import TensorDataset

CENTRES = ("cleveland", "hungarian", "switzerland", "va")
KEPT = (0, 1, 3, 4, 5, 7, 8, 9)
CATEGORICAL = (2, 6)
LABEL = 13


class LogisticRegression(nn.Module):
    """The probability of disease from 13 inputs, shape (n, 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(13, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.sigmoid(self.linear(inputs))


def model() -> nn.Module:
    return LogisticRegression()


def loss(output: Tensor, target: Tensor) -> Tensor:
    return functional.binary_cross_entropy(output, target)


def evaluate(model: nn.Module, dataset: TensorDataset) -> dict[str, float]:
    inputs, targets = dataset.tensors
    return {"accuracy": float(((model(inputs) > 0.5) == (targets > 0.5)).float().mean())}


def data(partition) -> tuple[TensorDataset, TensorDataset]:
    """One hospital, normalised by its own training rows."""
    inputs, labels, held_out = hospitals(partition.path)[partition.index]
    normal = normalised(inputs, inputs[~held_out])
    return dataset(normal[~held_out], labels[~held_out]), dataset(normal[held_out], labels[held_out])


def shared_test(partition) -> TensorDataset:
    """The test rows of all hospitals, normalised by all training rows."""
    parts = hospitals(partition.path)
    inputs, labels, held_out = (np.concatenate(column) for column in zip(*parts, strict=True))
    normal = normalised(inputs, inputs[~held_out])
    return dataset(normal[held_out], labels[held_out])


@cache
def hospitals(path: Path | None) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Each hospital's inputs (n, 13) float32, labels (n,) 0 or 1, and which rows are held out for testing."""
    if path is None or not path.is_dir():
        raise FileNotFoundError(f"no folder {path}: name the one with the UCI files by --data; see README.md beside me")
    tables = [complete_rows(path / f"processed.{centre}.data") for centre in CENTRES]
    everyone = np.concatenate(tables)
    found = []
    for table in tables:
        columns = [table[:, at] for at in KEPT]
        for at in CATEGORICAL:
            columns += [table[:, at] == level for level in np.unique(everyone[:, at])[1:]]
        labels = (table[:, LABEL] > 0).astype(np.float32)
        found.append((np.stack(columns, axis=1).astype(np.float32), labels, split(labels)))
    return found


def complete_rows(file: Path) -> np.ndarray:
    """The rows of one file that lack no value in the columns used; columns 10 to 12 are not."""
    used = (*KEPT, *CATEGORICAL, LABEL)
    with file.open(newline="") as handle:
        rows = [row for row in csv.reader(handle) if row and all(row[at].strip() != "?" for at in used)]
    return np.array([[float(row[at]) if at in used else 0.0 for at in range(LABEL + 1)] for row in rows])


def split(labels: np.ndarray) -> np.ndarray:
    """Which rows are held out: 34%, stratified where each of two classes has more than two rows."""
    counts = np.unique(labels, return_counts=True)[1]
    stratify = labels if len(counts) > 1 and counts.min() > 2 else None
    _, test = train_test_split(
        np.arange(len(labels)), train_size=0.66, test_size=1 - 0.66, random_state=43, shuffle=True, stratify=stratify
    )
    held_out = np.zeros(len(labels), dtype=bool)
    held_out[test] = True
    return held_out


def normalised(inputs: np.ndarray, training: np.ndarray) -> Tensor:
    """Inputs by the mean and unbiased deviation of some training rows, in float32."""
    reference = torch.from_numpy(training)
    return (torch.from_numpy(inputs) - reference.mean(dim=0)) / (reference.std(dim=0) + 1e-9)


def dataset(inputs: Tensor, labels: np.ndarray) -> TensorDataset:
    return TensorDataset(inputs, torch.from_numpy(labels).reshape(-1, 1))
