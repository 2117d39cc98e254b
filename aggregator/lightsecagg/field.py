"""Arithmetic modulo the prime p = 2**31 - 1, on vectors, and the uniform elements that a seed stands for.

A small matrix times long vectors is exact in float64: entries are split into limbs of 16 and 15 bits, so that a sum of
32 products stays below 2**53, in whatever order the linear-algebra library adds. Since 2**31 is 1 modulo p, what is
above 2**31 is added to what is below.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from numpy.typing import NDArray

from foedus.protocol.chunks import MalformedLanes

P = 2**31 - 1
MAX_COLUMNS = 32
"""Columns of a matrix: their products' sum must fit 53 bits."""

Elements = NDArray[np.uint32]
"""Elements of the field, 0..p-1, native order."""

Floats = NDArray[np.float64]
"""Elements of the field as whole numbers in float64."""

RUN = 1 << 14
"""Elements that are made at a time: 64 KiB, which stays in cache."""

_SLICE = 64
"""Columns that are multiplied in one call of the linear-algebra library: it shares larger products among threads, which
costs more than it gains."""

_ZEROS = memoryview(bytes(4 * RUN))


class MalformedElements(MalformedLanes):
    """Numbers that are no elements of the field, or not as many as were promised."""


def add(total: Elements, other: Elements, scratch: Elements) -> None:
    """total += other, modulo p. scratch: of the same shape, overwritten."""
    np.add(total, other, out=total)
    np.subtract(total, np.uint32(P), out=scratch)
    np.minimum(total, scratch, out=total)  # the difference wraps to a large number where there was nothing to take off


def subtract(total: Elements, other: Elements, scratch: Elements) -> None:
    """total -= other, modulo p. scratch: of the same shape, overwritten."""
    np.subtract(total, other, out=total)
    np.add(total, np.uint32(P), out=scratch)
    np.minimum(total, scratch, out=total)


def from_signed(lanes: NDArray[np.uint32]) -> Elements:
    """Lanes that mean signed 32-bit integers as elements. Raises MalformedElements beyond -p..p - 1."""
    found = np.add(lanes, np.uint32(P))
    np.minimum(lanes, found, out=found)
    if found.size and int(found.max()) >= P:
        raise MalformedElements(f"a lane that is not within {-P}..{P - 1}")
    return found


def from_bytes(blob: bytes | memoryview, count: int) -> Elements:
    """The elements that `to_bytes` wrote. Raises MalformedElements unless there are `count` of them, all below p."""
    if len(blob) != 4 * count:
        raise MalformedElements(f"{len(blob)} bytes where {count} elements take {4 * count}")
    found = np.frombuffer(blob, dtype=">u4").astype(np.uint32)
    if count and int(found.max()) >= P:
        raise MalformedElements(f"{int((found >= P).sum())} of {count} numbers are not below {P}")
    return found


def to_bytes(elements: Elements) -> bytes:
    """Four bytes an element, big-endian."""
    return elements.astype(">u4").tobytes()


class Uniform:
    """The uniform elements that a seed stands for, in order.

    ChaCha20 (RFC 8439) under the seed, nonce zero, read as little-endian words of which the lowest 31 bits count; a
    word that reads p is skipped, so that no element is likelier than another.
    """

    def __init__(self, seed: bytes) -> None:
        self._stream = Cipher(ChaCha20(seed, bytes(16)), mode=None).encryptor()

    def into(self, out: Elements) -> None:
        """The next elements, as many as the vector `out` has. However they are asked for, they are the same."""
        for start in range(0, out.size, RUN):
            run = out[start : start + RUN]
            self._stream.update_into(_ZEROS[: 4 * run.size], run.data.cast("B"))
            if sys.byteorder == "big":
                run.byteswap(inplace=True)
            np.bitwise_and(run, np.uint32(P), out=run)
            if int(run.max()) == P:
                kept = run[run != P]
                run[: kept.size] = kept
                self.into(run[kept.size :])


def uniform(seed: bytes, count: int) -> Elements:
    """The first `count` elements of a seed."""
    out = np.empty(count, dtype=np.uint32)
    Uniform(seed).into(out)
    return out


class Matrix:
    """A small matrix that many vectors are multiplied with. rows: numbers, taken modulo p; at most 32 columns."""

    def __init__(self, rows: Sequence[Sequence[int]]) -> None:
        values = np.array([[value % P for value in row] for row in rows], dtype=np.int64)
        if values.ndim != 2 or values.shape[1] > MAX_COLUMNS:
            raise ValueError(f"a matrix of shape {values.shape}: at most {MAX_COLUMNS} columns are exact")
        self.rows = values.shape[0]
        self._limbs = np.concatenate([(values >> 16) * 2.0**-15, (values & 0xFFFF) * 2.0**-31])

    def times(self, vectors: Floats, out: Elements) -> Elements:
        """The product with vectors in rows: float64, shape (columns, k), elements; to `out`, shape (rows, k).

        All numbers are in units of 2**31. `high` is a multiple of 2**-15 below 2**36, `low` one of 2**-31 below 2**21:
        each step is exact.
        """
        both = self._products(vectors)
        high, low = both[: self.rows], both[self.rows :]
        whole = np.rint(high)
        np.subtract(high, whole, out=high)
        np.add(low, high, out=low)
        np.multiply(whole, 2.0**-31, out=whole)
        np.add(low, whole, out=low)
        np.rint(low, out=whole)
        np.subtract(low, whole, out=low)
        np.multiply(whole, 2.0**-31, out=whole)
        np.add(low, whole, out=low)
        np.multiply(low, 2.0**31, out=low)
        np.copyto(out.view(np.int32), low, casting="unsafe")
        np.minimum(out, out + np.uint32(P), out=out)
        return out

    def _products(self, vectors: Floats) -> Floats:
        """Of both limbs, not reduced: (2 rows, k)."""
        length = vectors.shape[1]
        slices, found = length // _SLICE, np.empty((2 * self.rows, length))

        def cut(values: Floats) -> Floats:
            parts = values[:, : slices * _SLICE].reshape(values.shape[0], slices, _SLICE)
            return parts.transpose(1, 0, 2)

        np.matmul(self._limbs, cut(vectors), out=cut(found))
        np.matmul(self._limbs, vectors[:, slices * _SLICE :], out=found[:, slices * _SLICE :])
        return found


def floats(elements: Elements, out: Floats) -> None:
    """Elements as float64, written to `out`: through int32, which is the fast conversion."""
    np.copyto(out, elements.view(np.int32))


def lagrange(points: Sequence[int], targets: Sequence[int]) -> list[list[int]]:
    """Row by target: the factors of a polynomial's values at distinct `points` that give its value at the target, for
    degrees below their number (Lagrange)."""
    rows = []
    for target in targets:
        row = []
        for point in points:
            above = below = 1
            for other in points:
                if other != point:
                    above, below = above * (target - other) % P, below * (point - other) % P
            row.append(above * pow(below, -1, P) % P)
        rows.append(row)
    return rows
