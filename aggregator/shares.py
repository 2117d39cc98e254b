"""Shamir sharing of seeds over the Ed25519 scalar field, with Feldman's commitments (FOCS 1987): junk has a name.

The constant coefficient is the seed itself; commitment k is coefficient k times the base point, and a share at x is
right exactly where share * B equals the sum of x**k times commitment k. Shares are dealt by products of 16-bit limbs in
int64, no step of which depends on a secret's value, and reduced and checked in libsodium's constant-time scalar
arithmetic; only recovery, of what is about to be public, uses Python's integers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from nacl.bindings import (
    crypto_core_ed25519_add,
    crypto_core_ed25519_scalar_add,
    crypto_core_ed25519_scalar_mul,
    crypto_core_ed25519_scalar_reduce,
    crypto_scalarmult_ed25519_base_noclamp,
    crypto_scalarmult_ed25519_noclamp,
)
from nacl.exceptions import CryptoError
from numpy.typing import NDArray

from foedus.aggregator.keys import Random
from foedus.aggregator.seeds import ORDER
from foedus.protocol.ids import Seed

Share = bytes
"""A canonical scalar, 32 bytes little-endian (RFC 8032)."""

Commitments = tuple[bytes, ...]
"""One compressed Edwards point a coefficient, constant first."""

_LIMBS = 16
"""16-bit limbs of a scalar."""

_SLAB = 32
"""Coefficients whose products are summed before they are reduced: 32 * ORDER**2 < 2**512, what libsodium reduces."""


class NotEnoughShares(ValueError):
    """Fewer shares than the threshold."""

    def __init__(self, have: int, need: int) -> None:
        super().__init__(f"{have} shares where {need} recover a seed")
        self.have, self.need = have, need


def _scalar(value: int) -> bytes:
    return (value % ORDER).to_bytes(32, "little")


def commit(seed: Seed) -> bytes:
    """The first commitment to a seed: both ends of a pair must publish the same one."""
    return bytes(crypto_scalarmult_ed25519_base_noclamp(seed))


def share(seed: Seed, xs: Sequence[int], threshold: int, random: Random) -> tuple[list[Share], Commitments]:
    """Shares of `seed` at each x (distinct, positive), any `threshold` of which recover it, and their commitments."""
    if threshold < 1 or len(set(xs)) != len(xs) or any(x < 1 for x in xs):
        raise ValueError(
            f"threshold {threshold} and coordinates {list(xs)}: both must be positive, the latter distinct"
        )
    tail = [bytes(crypto_core_ed25519_scalar_reduce(random(64))) for _ in range(threshold - 1)]
    coefficients = [bytes(seed), *tail]
    shares = [bytes(32)] * len(xs)
    for start in range(0, threshold, _SLAB):
        sums = _products(coefficients[start : start + _SLAB], tuple(xs), start)
        parts = [crypto_core_ed25519_scalar_reduce(value) for value in sums]
        shares = [bytes(crypto_core_ed25519_scalar_add(one, other)) for one, other in zip(shares, parts, strict=True)]
    return shares, tuple(bytes(crypto_scalarmult_ed25519_base_noclamp(c)) for c in coefficients)


@lru_cache(maxsize=16)
def _powers(xs: tuple[int, ...], first: int, count: int) -> tuple[NDArray[np.int64], ...]:
    """x**k modulo the order, one array a limb as long as any is not zero: each of shape (count, len(xs)), k from
    `first` on."""
    words = b"".join(_scalar(pow(x, k, ORDER)) for k in range(first, first + count) for x in xs)
    limbs = np.frombuffer(words, dtype="<u2").astype(np.int64).reshape(count, len(xs), _LIMBS)
    used = int(np.flatnonzero(limbs.any(axis=(0, 1))).max(initial=0)) + 1
    return tuple(np.ascontiguousarray(limbs[:, :, at]) for at in range(used))


def _products(coefficients: Sequence[bytes], xs: tuple[int, ...], first: int) -> list[bytes]:
    """The sum of coefficient k times x**(first + k) at each x, not reduced: 64 bytes little-endian.

    A limb's sum stays below 2**41: at most 32 coefficients, 16 products of 2**32 each.
    """
    limbs = np.frombuffer(b"".join(coefficients), dtype="<u2").astype(np.int64).reshape(-1, _LIMBS).T.copy()
    sums = np.zeros((2 * _LIMBS, len(xs)), dtype=np.int64)
    for shift, powers in enumerate(_powers(xs, first, len(coefficients))):
        sums[shift : shift + _LIMBS] += limbs @ powers
    for low, high in pairwise(sums):
        high += low >> 16
        low &= 0xFFFF
    words = sums.T.astype("<u2").tobytes()
    return [words[at : at + 64] for at in range(0, len(words), 64)]


def verify_share(commitments: Commitments, x: int, value: Share) -> bool:
    """Whether `value` is the share at `x` of what `commitments` commit to."""
    return _matches([(commitments, value, 1)], x)


def verify_shares(dealt: Sequence[tuple[Commitments, Share]], x: int, random: Random) -> tuple[int, ...]:
    """The indices of the wrong ones among one member's shares; empty where all are right.

    One random linear combination with 128-bit factors stands for all of them (Bellare, Garay and Rabin, EUROCRYPT
    1998); only where it fails is each share looked at.
    """
    weighted = [(points, value, int.from_bytes(random(16), "little") | 1) for points, value in dealt]
    if not dealt or _matches(weighted, x):
        return ()
    return tuple(i for i, (points, value) in enumerate(dealt) if not verify_share(points, x, value))


def _matches(dealt: Sequence[tuple[Commitments, Share, int]], x: int) -> bool:
    claimed, total = bytes(32), None
    for points, value, factor in dealt:
        if len(value) != 32 or int.from_bytes(value, "little") >= ORDER:
            return False
        weighted = crypto_core_ed25519_scalar_mul(_scalar(factor), value)
        claimed = crypto_core_ed25519_scalar_add(claimed, weighted)
        for power, point in enumerate(points):
            try:
                term = crypto_scalarmult_ed25519_noclamp(_scalar(factor * x**power), point)
                total = term if total is None else crypto_core_ed25519_add(total, term)
            except (CryptoError, RuntimeError):  # not a point of the prime-order group
                return False
    try:
        return total == crypto_scalarmult_ed25519_base_noclamp(claimed)
    except (CryptoError, RuntimeError):  # a share of zero: no honest dealer makes one
        return False


def recover(shares: Mapping[int, Share], threshold: int) -> Seed:
    """The seed from `threshold` verified shares by x (Lagrange interpolation at zero). Raises NotEnoughShares."""
    if len(shares) < threshold:
        raise NotEnoughShares(len(shares), threshold)
    chosen = sorted(shares)[:threshold]
    total = 0
    for x in chosen:
        above = below = 1
        for other in chosen:
            if other != x:
                above, below = above * other % ORDER, below * (other - x) % ORDER
        total += int.from_bytes(shares[x], "little") * above * pow(below, -1, ORDER)
    return Seed(_scalar(total))
