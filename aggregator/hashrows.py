"""Many hashes of equally long inputs: the rows lie ready with their prefix and are written and hashed run by run.

A call of sha256 costs as much as a third of a KiB's hash, so nothing is to be copied or made for it.
"""

from __future__ import annotations

from hashlib import sha256
from threading import local

import numpy as np
from numpy.typing import NDArray

ROWS = 64
"""Rows that are written at a time, which keeps them in cache."""

_ALIGN = 64
"""Where a row's own bytes start: writing lanes there in the other byte order is fast."""

Hashes = NDArray[np.uint8]
"""Hashes of a run of rows: shape (rows, 32)."""


class HashRows(local):
    """Room for rows of `size` bytes after one prefix: each thread has its own."""

    def __init__(self, prefix: bytes, size: int) -> None:
        buffer = np.empty((ROWS, _ALIGN + size), dtype=np.uint8)
        buffer[:, _ALIGN - len(prefix) : _ALIGN] = np.frombuffer(prefix, dtype=np.uint8)
        self._body = buffer[:, _ALIGN:]
        self._lanes = self._body.view(">u4")
        self._inputs = [row.data for row in buffer[:, _ALIGN - len(prefix) :]]

    def of_lanes(self, lanes: NDArray[np.uint32]) -> Hashes:
        """The sha256 of each row of lanes, written big-endian; lanes: shape (rows, size / 4), in either byte order."""
        found = []
        for start in range(0, lanes.shape[0], ROWS):
            run = lanes[start : start + ROWS]
            self._lanes[: run.shape[0]] = run
            found += self._digests(run.shape[0])
        return _joined(found)

    def of_words(self, rows: int, *words: Hashes) -> Hashes:
        """The sha256 of `rows` rows of 32-byte words; words: shape (rows, 32), or (1, 32) where all have the same."""
        found = []
        for start in range(0, rows, ROWS):
            run = min(ROWS, rows - start)
            for at, word in enumerate(words):
                self._body[:run, 32 * at : 32 * at + 32] = word if word.shape[0] == 1 else word[start : start + run]
            found += self._digests(run)
        return _joined(found)

    def _digests(self, rows: int) -> list[bytes]:
        return [sha256(row).digest() for row in self._inputs[:rows]]


def _joined(hashes: list[bytes]) -> Hashes:
    return np.frombuffer(b"".join(hashes), dtype=np.uint8).reshape(-1, 32)
