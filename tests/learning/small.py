"""A small app and its task file."""

from __future__ import annotations

APP = """
import torch
from torch import nn
from torch.utils.data import TensorDataset


def model():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3))


def data(partition):
    generator = torch.Generator().manual_seed(partition.seed + partition.index)
    inputs = torch.randn(24, 4, generator=generator)
    targets = inputs[:, :3].argmax(dim=1)
    return TensorDataset(inputs[:16], targets[:16]), TensorDataset(inputs[16:], targets[16:])


def shared_test(partition):
    return data(partition)[1]
"""

TASK = """
[task]
name = "small"
app = "app.py"
seed = 5

[rounds]
rounds = 3
min_participants = 3
max_participants = 4
min_survivors = 3

[train]
lr = 0.05
batch_size = 5
local_epochs = 2

[privacy]
group_size = 4
g_min = 3
consent = true
"""
