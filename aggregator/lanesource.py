"""An update's lanes, asked for block by block, so that nobody has to hold all of them beside what they become."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
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
    write_lanes(source, out)
    return out


def write_lanes(source: LaneSource, out: Lanes) -> None:
    """The same, to `out`, which may be the memory that the source reads."""
    fill = source.begin()
    for start in range(0, source.lanes, BLOCK_LANES):
        fill(out[start : start + BLOCK_LANES])


def stored(source: LaneSource) -> bytes:
    """Every lane as it is stored, big-endian: made and put in that order where it will stay, while it is in cache."""
    out = BytesIO(bytes(4 * source.lanes))  # the one buffer of the vector's size: written in place, handed out uncopied
    view = out.getbuffer()
    native, swapped, fill = np.frombuffer(view, dtype=np.uint32), np.frombuffer(view, dtype=">u4"), source.begin()
    for start in range(0, source.lanes, BLOCK_LANES):
        block = slice(start, start + BLOCK_LANES)
        fill(native[block])
        swapped[block] = native[block]
    del native, swapped
    view.release()
    return out.getvalue()
