"""Shamir sharing of a whole vector of small numbers over one small field, with a test that junk does not pass.

Every number is the value at zero of a polynomial of its own modulo p = 65521, and a member's share is the vector of
their values at its coordinate: two bytes a number. Shares are added, so that one sum of shares a member opens the sum
of many vectors (Shamir, CACM 1979; Benaloh, CRYPTO 1986).

Whether all shares of a dealing lie on polynomials of low degree is tested without opening any: the hashes of the shares
make a challenge, 8 random linear maps of the vector to one element each, and the dealer publishes these maps of its
polynomials, each hidden by one more random polynomial that is shared along. A share on other polynomials passes with a
chance of p**-8 < 2**-127 (as in the batch proofs of Bellare, Garay and Rabin, EUROCRYPT 1998, made non-interactive
after Fiat and Shamir, CRYPTO 1986). Products are sums of at most 2048 terms below 2**32, exact in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from numpy.typing import NDArray

PRIME = 65_521
"""The largest prime below 2**16."""

CHECKS = 8
"""Linear maps that a dealing is tested with, and shared numbers beyond the vector's own."""

MAX_NUMBERS = 2048

Elements = NDArray[np.int64]
"""Elements of the field, 0..p-1."""


class MalformedShare(ValueError):
    """Bytes that are no elements of the field, or not as many as are due."""


def uniform(key: bytes, count: int) -> Elements:
    """The uniform elements that a key of 32 bytes stands for: its ChaCha20 keystream in little-endian words of 16 bits,
    of which those that are no elements (15 in 65,536) are skipped."""
    stream = Cipher(ChaCha20(key, bytes(16)), mode=None).encryptor()
    parts: list[Elements] = []
    while count > 0:
        words = np.frombuffer(stream.update(bytes(2 * count + 64)), dtype="<u2").astype(np.int64)
        parts.append(words[words < PRIME][:count])
        count -= parts[-1].size
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)


def product(one: Elements, other: Elements) -> Elements:
    """The product of two matrices modulo p; at most 2048 terms a sum."""
    found: Elements = (one.astype(np.float64) @ other.astype(np.float64)).astype(np.int64) % PRIME
    return found


def powers(xs: Sequence[int], degree: int) -> Elements:
    """x**k modulo p, shape (len(xs), degree)."""
    return np.array([[pow(x, k, PRIME) for k in range(degree)] for x in xs], dtype=np.int64).reshape(-1, degree)


def to_bytes(elements: Elements) -> bytes:
    """Two bytes an element, big-endian."""
    return elements.astype(">u2").tobytes()


def from_bytes(blob: bytes, count: int) -> Elements:
    """What `to_bytes` wrote. Raises MalformedShare unless it is `count` elements."""
    if len(blob) != 2 * count:
        raise MalformedShare(f"{len(blob)} bytes where {count} elements take {2 * count}")
    found = np.frombuffer(blob, dtype=">u2").astype(np.int64)
    if (found >= PRIME).any():
        raise MalformedShare(f"a number that is not below {PRIME}")
    return found


@dataclass(frozen=True, slots=True)
class Dealing:
    """One vector, shared. shares: a row a member, the vector's numbers and then CHECKS hiding ones; polynomials: their
    coefficients, a row a power of x."""

    shares: Elements = field(repr=False)
    polynomials: Elements = field(repr=False)

    def shown(self, challenge: bytes) -> Elements:
        """The challenge's maps of the polynomials: shape (threshold, CHECKS). It says nothing of the vector."""
        numbers = self.polynomials.shape[1] - CHECKS
        maps = uniform(challenge, CHECKS * numbers).reshape(CHECKS, numbers)
        hidden: Elements = (product(self.polynomials[:, :numbers], maps.T) + self.polynomials[:, numbers:]) % PRIME
        return hidden


def deal(secret: NDArray[np.int64], members: int, threshold: int, key: bytes) -> Dealing:
    """Share a vector of at most 2048 whole numbers among members at x = 1..members. key: 32 random bytes."""
    polynomials = uniform(key, threshold * (secret.size + CHECKS)).reshape(threshold, secret.size + CHECKS)
    polynomials[0, : secret.size] = secret % PRIME
    return Dealing(product(powers(range(1, members + 1), threshold), polynomials), polynomials)


def fits(share: Elements, x: int, shown: Elements, challenge: bytes) -> bool:
    """Whether the share at x is what the dealer's `shown` says of it."""
    numbers = share.size - CHECKS
    maps = uniform(challenge, CHECKS * numbers).reshape(CHECKS, numbers)
    mine = (product(maps, share[:numbers]) + share[numbers:]) % PRIME
    return bool(np.array_equal(mine, product(powers([x], shown.shape[0]), shown)[0]))


def centred(elements: Elements) -> NDArray[np.int64]:
    """Elements as the whole numbers nearest to zero."""
    return elements - PRIME * (elements > PRIME // 2)


def lagrange(points: Sequence[int], targets: Sequence[int]) -> Elements:
    """The factors of a polynomial's values at distinct points that give its values at the targets, for degrees below
    the number of points: shape (targets, points)."""
    rows = []
    for target in targets:
        row = []
        for point in points:
            above = below = 1
            for other in points:
                if other != point:
                    above, below = above * (target - other) % PRIME, below * (point - other) % PRIME
            row.append(above * pow(below, -1, PRIME) % PRIME)
        rows.append(row)
    return np.array(rows, dtype=np.int64).reshape(len(targets), len(points))


def opened(shares: Mapping[int, Elements], threshold: int) -> Elements:
    """The vector that the first `threshold` shares by x open, unchecked."""
    chosen = sorted(shares)[:threshold]
    found: Elements = product(lagrange(chosen, [0]), np.stack([shares[x] for x in chosen]))[0]
    return found


def strays(shares: Mapping[int, Elements], trusted: Sequence[int]) -> frozenset[int]:
    """The x whose shares do not lie on the polynomials through the trusted ones'."""
    others = [x for x in sorted(shares) if x not in trusted]
    due = product(lagrange(trusted, others), np.stack([shares[x] for x in trusted]))
    return frozenset(x for x, row in zip(others, due, strict=True) if not np.array_equal(row, shares[x]))


def wrong(shares: Mapping[int, Elements], threshold: int, digest: Callable[[bytes], bytes]) -> frozenset[int] | None:
    """The x of shares that lie off the polynomials of all others: at most (len(shares) - threshold) // 2, None where
    there are more.

    The vectors are first mapped to CHECKS elements by maps that the shares themselves decide, through `digest` to 32
    bytes; of each, Welch and Berlekamp's decoder finds the wrong ones (US patent 4,633,470, 1986).
    """
    xs = sorted(shares)
    rows = np.stack([shares[x] for x in xs])
    maps = uniform(digest(to_bytes(rows)), CHECKS * rows.shape[1]).reshape(CHECKS, -1)
    found: set[int] = set()
    for word in product(maps, rows.T):
        errors = _errors(xs, word, threshold)
        if errors is None:
            return None
        found |= errors
    trusted = [x for x in xs if x not in found][:threshold]
    most = (len(xs) - threshold) // 2
    if len(found) > most or strays({x: shares[x] for x in xs if x not in found}, trusted):
        return None
    return frozenset(found)


def _errors(xs: Sequence[int], word: Elements, threshold: int) -> frozenset[int] | None:
    """Where a word of one element a member is off the polynomial that most of it lies on; None where there is none."""
    most = (len(xs) - threshold) // 2
    values, high = word[:, None], powers(xs, threshold + most)
    equations = np.hstack([high, -values * high[:, :most], values * powers(xs, most + 1)[:, most:]]) % PRIME
    solved = _solve(equations)
    if solved is None:
        return None
    locator = np.append(solved[threshold + most :], 1)
    clear = product(powers(xs, most + 1), locator) != 0
    trusted = [x for x, good in zip(xs, clear, strict=True) if good][:threshold]
    found = strays({x: word[at : at + 1] for at, x in enumerate(xs)}, trusted)
    return found if len(found) <= most else None


def _solve(equations: Elements) -> Elements | None:
    """A solution of linear equations modulo p, each row its factors and its right side; unknowns that nothing fixes are
    zero. None where there is none."""
    table, done, pivots = equations.copy(), 0, []
    for column in range(table.shape[1] - 1):
        rows = np.flatnonzero(table[done:, column])
        if not rows.size:
            continue
        table[[done, done + rows[0]]] = table[[done + rows[0], done]]
        table[done] = table[done] * pow(int(table[done, column]), -1, PRIME) % PRIME
        factors = table[:, column].copy()
        factors[done] = 0
        table = (table - factors[:, None] * table[done]) % PRIME
        pivots.append(column)
        done += 1
    if table[done:, -1].any():
        return None
    found = np.zeros(table.shape[1] - 1, dtype=np.int64)
    found[pivots] = table[:done, -1]
    return found
