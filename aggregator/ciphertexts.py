"""Ciphertexts as they are stored and added: plain coefficients in a fixed form, of which nothing needs to be trusted.

A coefficient of up to 56 bits is stored in three planes: its low 32 bits, its next 16, its top 8, all big-endian. A
ciphertext of two polynomials of 4,096 coefficients takes 32 + 16 + 8 KiB: 14 bytes a lane. Every form whose
coefficients are below their modulus is a ciphertext, so that a peer's bytes can be checked and added without any
library that parses them, and the sum is the same bytes in whatever order and on whatever machine it is made.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from foedus.aggregator.bfv_params import BFV

COEFFICIENT_BYTES = 7
POLYNOMIALS = 2
CIPHERTEXT_BYTES = POLYNOMIALS * BFV.degree * COEFFICIENT_BYTES
"""56 KiB: whole chunks of a stored vector."""

MOST_SUMMED = 1024
"""The most ciphertexts in a sum: this many coefficients below 2**54 fit 64 bits."""

Coefficients = NDArray[np.uint64]


class MalformedCiphertexts(ValueError):
    """Bytes that are not as many ciphertexts as are due, in the one form that they have."""


def packed(coefficients: Coefficients) -> bytes:
    """The planes of coefficients below 2**56, shape (n,): 7 n bytes."""
    low = (coefficients & np.uint64(0xFFFFFFFF)).astype(">u4")
    middle = (coefficients >> np.uint64(32) & np.uint64(0xFFFF)).astype(">u2")
    top = (coefficients >> np.uint64(48)).astype(np.uint8)
    return low.tobytes() + middle.tobytes() + top.tobytes()


def planes(blob: bytes | memoryview) -> tuple[NDArray[np.uint32], NDArray[np.uint16], NDArray[np.uint8]]:
    """The three planes of `packed` bytes: low 32 bits, middle 16, top 8, each of shape (n,), not copied."""
    count = len(blob) // COEFFICIENT_BYTES
    return (
        np.frombuffer(blob, dtype=">u4", count=count),
        np.frombuffer(blob, dtype=">u2", count=count, offset=4 * count),
        np.frombuffer(blob, dtype=np.uint8, count=count, offset=6 * count),
    )


def unpacked(blob: bytes | memoryview) -> Coefficients:
    """What `packed` wrote."""
    low, middle, top = planes(blob)
    return _joined(low.astype(np.uint64), middle.astype(np.uint64), top.astype(np.uint64))


def _joined(low: Coefficients, middle: Coefficients, top: Coefficients) -> Coefficients:
    whole: Coefficients = low + (middle << np.uint64(32)) + (top << np.uint64(48))
    return whole


def check_ciphertexts(blob: bytes, count: int) -> None:
    """Raises MalformedCiphertexts unless `blob` is `count` ciphertexts whose coefficients are all below the modulus."""
    if len(blob) != count * CIPHERTEXT_BYTES:
        raise MalformedCiphertexts(f"{len(blob)} bytes where {count} ciphertexts take {count * CIPHERTEXT_BYTES}")
    view, largest = memoryview(blob), BFV.primes[0] >> 48
    for at in range(count):
        part = view[at * CIPHERTEXT_BYTES : (at + 1) * CIPHERTEXT_BYTES]
        top = planes(part)[2]
        if top.max() >= largest and (unpacked(part) >= BFV.primes[0]).any():
            raise MalformedCiphertexts(f"ciphertext {at} has a coefficient beyond the modulus")


def summed(vectors: Sequence[bytes]) -> bytes:
    """The sum of vectors of ciphertexts, in the same form; the order does not matter.

    vectors: 1 to 1024 of them, of one length, each checked by `check_ciphertexts`. Raises MalformedCiphertexts where
    their number or lengths are not such.
    """
    sizes = {len(blob) for blob in vectors}
    if not 0 < len(vectors) <= MOST_SUMMED or len(sizes) != 1:
        raise MalformedCiphertexts(f"{len(vectors)} vectors of {sorted(sizes)} bytes are no sum of 1 to {MOST_SUMMED}")
    views, coefficients = [memoryview(blob) for blob in vectors], POLYNOMIALS * BFV.degree
    low, middle, top = (np.empty(coefficients, dtype=np.uint64) for _ in range(3))
    out = []
    for start in range(0, sizes.pop(), CIPHERTEXT_BYTES):
        for total in (low, middle, top):
            total[:] = 0
        for view in views:
            parts = planes(view[start : start + CIPHERTEXT_BYTES])
            low += parts[0]
            middle += parts[1]
            top += parts[2]
        out.append(packed(_joined(low, middle, top) % np.uint64(BFV.primes[0])))
    return b"".join(out)
