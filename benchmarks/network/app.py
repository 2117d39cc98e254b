"""A model of ten million parameters and one example to learn from: a round of it is all transport, hashes and masks."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.data import TensorDataset

WIDTH = 3162


def model() -> nn.Module:
    """WIDTH * (WIDTH + 1) parameters: 10,001,406."""
    return nn.Linear(WIDTH, WIDTH)


def data(partition) -> tuple[TensorDataset, None]:
    """One example of its own for each participant."""
    return example(partition.index), None


def example(index: int) -> TensorDataset:
    draw = torch.Generator().manual_seed(index)
    return TensorDataset(torch.randn(1, WIDTH, generator=draw), torch.tensor([index]))
