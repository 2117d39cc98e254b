"""Handwritten digits: eight participants who each know some digits well and others hardly at all.

The data ship with scikit-learn (1,797 images of 8 by 8 pixels), so nothing is downloaded. Nobody alone can tell all ten
digits apart; together they can.
"""

from __future__ import annotations

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import TensorDataset

from foedus.learning.partition import dirichlet


def model() -> nn.Module:
    return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))


def data(partition) -> tuple[TensorDataset, TensorDataset]:
    """This participant's share of the training images, and one test set that is the same for all."""
    train, test = images()
    alpha = float(partition.settings.get("alpha", 0.3))
    mine = dirichlet(train[1], partition.count, alpha, partition.seed, min_size=20)[partition.index]
    return dataset(train[0][mine], train[1][mine]), dataset(*test)


def shared_test(partition) -> TensorDataset:
    return dataset(*images()[1])


def images() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """(pixels, digit) for training, 1,347 images, and for testing, 450 with all digits in proportion."""
    pixels, digit = load_digits(return_X_y=True)
    split = train_test_split(pixels / 16.0, digit, test_size=450, random_state=0, stratify=digit)
    return (split[0], split[2]), (split[1], split[3])


def dataset(pixels: np.ndarray, digit: np.ndarray) -> TensorDataset:
    return TensorDataset(torch.tensor(pixels, dtype=torch.float32), torch.tensor(digit, dtype=torch.int64))
