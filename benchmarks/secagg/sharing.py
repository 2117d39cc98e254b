"""Masks removed from a vector by processes that share its memory, each a run of its chunks."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from ctypes import Array, c_uint32
from itertools import pairwise
from multiprocessing import get_context
from multiprocessing.sharedctypes import RawArray

import numpy as np

from foedus.aggregator.lanesource import write_lanes
from foedus.aggregator.masking import MaskedLanes, Term
from foedus.protocol.chunks import CHUNK_LANES, Lanes

_held: list[Array[c_uint32]] = []


def _hold(memory: Array[c_uint32]) -> None:
    _held.append(memory)


def _part(low: int, high: int, terms: Sequence[Term]) -> None:
    """Masks chunks low..high - 1 of the shared vector, in place."""
    lanes = np.frombuffer(_held[0], dtype=np.uint32)[low * CHUNK_LANES : high * CHUNK_LANES]
    write_lanes(MaskedLanes(lanes, terms, low), lanes)


class SharedMasking:
    """`masked` for vectors of so many lanes by `workers` processes, which wait for work from the start."""

    def __init__(self, lanes: int, workers: int) -> None:
        chunks = lanes // CHUNK_LANES
        self._memory = RawArray(c_uint32, lanes)
        self._bounds = list(pairwise(chunks * part // workers for part in range(workers + 1)))
        self._pool = ProcessPoolExecutor(workers, get_context("spawn"), _hold, (self._memory,))
        self._run([])

    def masked(self, update: Lanes, terms: Sequence[Term]) -> Lanes:
        """The masked vector's lanes, good until the next call."""
        lanes = np.frombuffer(self._memory, dtype=np.uint32)
        lanes[:] = update
        self._run(terms)
        return lanes

    def _run(self, terms: Sequence[Term]) -> None:
        waiting = [self._pool.submit(_part, low, high, terms) for low, high in self._bounds]
        for future in waiting:
            future.result()
