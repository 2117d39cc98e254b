"""An update's lanes, asked for block by block, so that nobody has to hold all of them beside what they become."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from foedus.protocol.chunks import CHUNK_LANES, Lanes, MalformedLanes

BLOCK_LANES = 192 * CHUNK_LANES
"""Lanes that are made at a time: 192 KiB, which stays in cache and is little beside the vector."""

Fill = Callable[[Lanes], None]
"""Writes an update's next lanes, as many as the array has that it is given: at most BLOCK_LANES."""


class LaneSource(Protocol):
    """An update as a run of lanes, whole chunks."""

    @property
    def lanes(self) -> int:
        """How many there are."""
        ...

    def begin(self) -> Fill:
        """A new run from lane 0 on; every run gives the same lanes."""
        ...


class WholeLanes:
    """The lanes of an array. Raises MalformedLanes unless it is uint32, shape (k * 256,)."""

    def __init__(self, array: Lanes) -> None:
        if array.dtype != np.uint32 or array.ndim != 1 or array.shape[0] % CHUNK_LANES:
            told = f"an update of shape {array.shape}, {array.dtype}"
            raise MalformedLanes(f"{told}, is no vector of whole uint32 chunks")
        self._array = array

    @property
    def lanes(self) -> int:
        return len(self._array)

    def begin(self) -> Fill:
        at = 0

        def fill(out: Lanes) -> None:
            nonlocal at
            out[:] = self._array[at : at + out.shape[0]]
            at += out.shape[0]

        return fill


def source_of(update: Lanes | LaneSource) -> LaneSource:
    """The source of an update that may be an array. Raises MalformedLanes."""
    return WholeLanes(update) if isinstance(update, np.ndarray) else update


def all_lanes(source: LaneSource) -> Lanes:
    """Every lane: uint32, shape (source.lanes,)."""
    out: Lanes = np.empty(source.lanes, dtype=np.uint32)
    fill = source.begin()
    for start in range(0, source.lanes, BLOCK_LANES):
        fill(out[start : start + BLOCK_LANES])
    return out
