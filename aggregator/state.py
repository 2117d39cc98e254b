"""The server's state as the network stores and commits it: for every chunk of the model one chunk of each state lane.

State chunk k * state_lanes + j is the j-th lane of model chunk k: beside each other, the chunks of one model chunk
share their Merkle path. A state that no round has made yet is all zero lanes, and its root is 32 zero bytes; every
later one has the root over its chunks. Lanes are in units of 2**-state_bits (`Grid.state_bits`).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from foedus.aggregator.integers import Int32, Int64
from foedus.protocol.chunks import CHUNK_LANES
from foedus.protocol.fixedpoint import Grid

BLOCK_LANES = 64 * CHUNK_LANES
"""Model lanes that a rule takes at a time, which keeps its intermediate values in cache."""

_LARGEST_WEIGHT = 2**61
"""Of a larger weight no int32 sum makes a mean that rounds to anything but 0, nor of this one."""


def blocks(lanes: int, state_lanes: int) -> Iterator[tuple[slice, slice]]:
    """Where each block of a model of `lanes` lanes is in the model, and in the state."""
    for start in range(0, lanes, BLOCK_LANES):
        end = min(start + BLOCK_LANES, lanes)
        yield slice(start, end), slice(start * state_lanes, end * state_lanes)


def parts(state: Int32, state_lanes: int) -> tuple[Int64, ...]:
    """Each state lane of a block: int64, shape (model lanes,). Inverse of `joined`."""
    chunks = state.astype(np.int64).reshape(-1, state_lanes, CHUNK_LANES)
    return tuple(chunks[:, lane, :].reshape(-1) for lane in range(state_lanes))


def joined(*lanes: Int64) -> Int32:
    """State lanes of a block, each of shape (model lanes,) and within int32, as they are stored."""
    return np.stack([lane.reshape(-1, CHUNK_LANES) for lane in lanes], axis=1).astype(np.int32).reshape(-1)


def mean_lanes(grid: Grid, total: Int32, weight: int) -> Int64:
    """The mean update in state lanes: wrapped(round_div(sum * 2**state_shift, weight)); weight > 0.

    A sum that the terms allow has a mean below 2**28, so nothing wraps that an honest round could have summed.
    In int64: |sum * 2**(state_shift + 1)| <= 2**59, and twice the weight at most 2**62.
    """
    weight = min(weight, _LARGEST_WEIGHT)
    mean: Int64 = np.floor_divide((total.astype(np.int64) << (grid.state_shift + 1)) + weight, 2 * weight)
    lanes: Int32 = mean.astype(np.int32)
    return lanes.astype(np.int64)
