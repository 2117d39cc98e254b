"""Ciphertexts as they are stored and added: plain coefficients in a fixed form, of which nothing needs to be trusted.

A coefficient is stored in planes: its low 32 bits, then what remains of its bytes, all big-endian. Every form whose
coefficients are below their moduli is a ciphertext, so that a peer's bytes can be checked and added without any library
that parses them, and the sum is the same bytes in whatever order and on whatever machine it is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

POLYNOMIALS = 2
MOST_SUMMED = 1024
"""The most ciphertexts in a sum: as many as a task has participants."""

Coefficients = NDArray[np.uint64]

_PLANES = {5: ("u4", "u1"), 7: ("u4", "u2", "u1"), 8: ("u4", "u4")}
"""Widths of the planes of a coefficient, by its bytes."""


class MalformedCiphertexts(ValueError):
    """Bytes that are not as many ciphertexts as are due, in the one form that they have."""


def size_of(prime: int) -> int:
    """Bytes of a coefficient below a prime."""
    return -(-prime.bit_length() // 8)


def packed(coefficients: Coefficients, prime: int) -> bytes:
    """The planes of coefficients below 256**size_of(prime), shape (n,)."""
    out, shift = [], 0
    for width in _PLANES[size_of(prime)]:
        out.append((coefficients >> np.uint64(shift)).astype(np.dtype(width)).astype(f">{width}").tobytes())
        shift += 8 * int(width[1])
    return b"".join(out)


def planes(blob: bytes | memoryview, prime: int) -> list[NDArray[Any]]:
    """The planes of `packed` bytes, lowest first, each of shape (n,), not copied."""
    count, found, at = len(blob) // size_of(prime), [], 0
    for width in _PLANES[size_of(prime)]:
        found.append(np.frombuffer(blob, dtype=f">{width}", count=count, offset=at))
        at += count * int(width[1])
    return found


def unpacked(blob: bytes | memoryview, prime: int) -> Coefficients:
    """What `packed` wrote."""
    return _joined([plane.astype(np.uint64) for plane in planes(blob, prime)], prime)


def _joined(parts: Sequence[Coefficients], prime: int) -> Coefficients:
    total, shift = parts[0].copy(), 0
    for width, part in zip(_PLANES[size_of(prime)], parts[1:], strict=False):
        shift += 8 * int(width[1])
        total += part << np.uint64(shift)
    return total


@dataclass(frozen=True, slots=True)
class Form:
    """The form of a scheme's ciphertexts: two polynomials, each modulo each of the primes.

    degree: coefficients of a polynomial; primes: of at most 60 bits.
    """

    degree: int
    primes: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes of one ciphertext: whole chunks of a stored vector."""
        return POLYNOMIALS * self.degree * sum(size_of(prime) for prime in self.primes)

    @property
    def coefficients(self) -> int:
        """Of one ciphertext."""
        return POLYNOMIALS * self.degree * len(self.primes)

    def blocks(self, ciphertext: memoryview) -> Iterator[tuple[int, memoryview]]:
        """Each prime with the bytes of both polynomials modulo it."""
        at = 0
        for prime in self.primes:
            size = POLYNOMIALS * self.degree * size_of(prime)
            yield prime, ciphertext[at : at + size]
            at += size

    def pack(self, words: Coefficients) -> bytes:
        """One ciphertext from its coefficients, shape (coefficients,), in the library's order: polynomial by
        polynomial, each modulo every prime."""
        cube = words.reshape(POLYNOMIALS, len(self.primes), self.degree)
        return b"".join(packed(cube[:, at].reshape(-1), prime) for at, prime in enumerate(self.primes))

    def unpack(self, ciphertext: bytes | memoryview) -> Coefficients:
        """What `pack` wrote."""
        columns = [
            unpacked(block, prime).reshape(POLYNOMIALS, self.degree)
            for prime, block in self.blocks(memoryview(ciphertext))
        ]
        return np.stack(columns, axis=1).reshape(-1)

    def check(self, blob: bytes, count: int) -> None:
        """Raises MalformedCiphertexts unless `blob` is `count` ciphertexts, all coefficients below their primes."""
        if len(blob) != count * self.size:
            raise MalformedCiphertexts(f"{len(blob)} bytes where {count} ciphertexts take {count * self.size}")
        view = memoryview(blob)
        for at in range(count):
            for prime, block in self.blocks(view[at * self.size : (at + 1) * self.size]):
                if (unpacked(block, prime) >= prime).any():
                    raise MalformedCiphertexts(f"ciphertext {at} has a coefficient beyond its modulus")

    def summed(self, vectors: Sequence[bytes]) -> bytes:
        """The sum of vectors of ciphertexts, in the same form; the order does not matter.

        vectors: 1 to 1024 of them, of one length, each passed by `check`. Raises MalformedCiphertexts where their
        number or lengths are not such.
        """
        sizes = {len(blob) for blob in vectors}
        if not 0 < len(vectors) <= MOST_SUMMED or len(sizes) != 1:
            raise MalformedCiphertexts(
                f"{len(vectors)} vectors of {sorted(sizes)} bytes are no sum of 1 to {MOST_SUMMED}"
            )
        views, out = [memoryview(blob) for blob in vectors], []
        for start in range(0, sizes.pop(), self.size):
            many = [self.blocks(view[start : start + self.size]) for view in views]
            for column in zip(*many, strict=True):
                prime = column[0][0]
                out.append(packed(_modular([block for _, block in column], prime), prime))
        return b"".join(out)


def _modular(blocks: Sequence[memoryview], prime: int) -> Coefficients:
    """The sum modulo a prime, plane by plane, as many blocks at a time as fit 64 bits."""
    run, modulus = 1 << (64 - prime.bit_length()), np.uint64(prime)
    total: Coefficients | None = None
    for start in range(0, len(blocks), run):
        sums: list[Coefficients] = []
        for block in blocks[start : start + run]:
            parts = planes(block, prime)
            if not sums:
                sums = [part.astype(np.uint64) for part in parts]
                continue
            for own, part in zip(sums, parts, strict=True):
                own += part
        found = _joined(sums, prime) % modulus
        total = found if total is None else (total + found) % modulus
    assert total is not None
    return total
