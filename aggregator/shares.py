"""Shamir sharing of seeds over the Ed25519 scalar field, with Feldman's commitments (FOCS 1987): junk has a name.

The constant coefficient is the seed itself; commitment k is coefficient k times the base point, and a share at x is
right exactly where share * B equals the sum of x**k times commitment k. Shares are dealt and checked in libsodium's
constant-time scalar arithmetic; only recovery, of what is about to be public, uses Python's integers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nacl.bindings import (
    crypto_core_ed25519_add,
    crypto_core_ed25519_scalar_add,
    crypto_core_ed25519_scalar_mul,
    crypto_core_ed25519_scalar_reduce,
    crypto_scalarmult_ed25519_base_noclamp,
    crypto_scalarmult_ed25519_noclamp,
)
from nacl.exceptions import CryptoError

from foedus.aggregator.keys import Random
from foedus.aggregator.seeds import ORDER
from foedus.protocol.ids import Seed

Share = bytes
"""A canonical scalar, 32 bytes little-endian (RFC 8032)."""

Commitments = tuple[bytes, ...]
"""One compressed Edwards point a coefficient, constant first."""


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
    shares = []
    for x in xs:
        at, value = _scalar(x), coefficients[-1]
        for coefficient in reversed(coefficients[:-1]):
            value = crypto_core_ed25519_scalar_add(crypto_core_ed25519_scalar_mul(value, at), coefficient)
        shares.append(bytes(value))
    return shares, tuple(bytes(crypto_scalarmult_ed25519_base_noclamp(c)) for c in coefficients)


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
