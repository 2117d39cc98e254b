"""The parameters of the two schemes, and what any offered key's parameters are held against.

BFV (Brakerski, CRYPTO 2012; Fan and Vercauteren, ePrint 2012/144) adds integers modulo t exactly, 4,096 of them in a
ciphertext. CKKS (Cheon et al., ASIACRYPT 2017) adds reals, with an error. The last prime of each is the public key's
alone: ciphertexts are modulo those before it.
"""

from __future__ import annotations

from dataclasses import dataclass

from foedus.aggregator.he.ciphertexts import Form

LARGEST_MODULUS = {1024: 27, 2048: 54, 4096: 109, 8192: 218, 16384: 438, 32768: 881}
"""Bits of the coefficient modulus that leave 128 bits of security, by degree, for ternary secrets: table 1 of the
Homomorphic Encryption Standard (Albrecht et al., 2018)."""


class WeakParameters(ValueError):
    """Parameters below 128 bits of security."""


class OtherParameters(ValueError):
    """Parameters that are not those of the mode."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """degree: of the ring; primes: of the coefficient modulus; plain: in BFV the modulus of the lanes, a prime that is
    1 modulo twice the degree; in CKKS the scale of the lanes."""

    degree: int
    primes: tuple[int, ...]
    plain: int

    @property
    def modulus_bits(self) -> int:
        """Bits of the coefficient modulus."""
        return sum(prime.bit_length() for prime in self.primes)

    @property
    def form(self) -> Form:
        """Of ciphertexts."""
        return Form(self.degree, self.primes[:-1])

    @property
    def key_form(self) -> Form:
        """Of public keys."""
        return Form(self.degree, self.primes)


BFV = Parameters(4096, (18014398509309953, 1099511480321), 67084289)
"""54 and 40 bits; lanes modulo a prime of 26 bits. At the 109 bits that the table bears today's attacks cost 2**125."""

CKKS = Parameters(8192, (1152921504606830593, 1099510890497, 1099511480321), 1 << 40)
"""60, 40 and 40 bits, of the 218 that a degree of 8,192 bears."""

SLOTS = 4096
"""Lanes of a ciphertext, in either scheme."""

SALTS = 4
"""Lanes at the end of each ciphertext that hold random values: 100 bits that only its sender knows."""

SALT_BITS = 25

BATCH = SLOTS - SALTS
"""Lanes of an update in one ciphertext."""

CHECKS = 4
"""The fewest lanes after an update's last one, all zero: parts that do not belong together miss them by 2**-104."""

T = BFV.plain


def checked(offered: Parameters, due: Parameters) -> None:
    """Raises WeakParameters for any that are below 128 bits of security, OtherParameters for any but those due."""
    most = LARGEST_MODULUS.get(offered.degree, 0)
    if not 0 < offered.modulus_bits <= most:
        raise WeakParameters(
            f"a modulus of {offered.modulus_bits} bits at degree {offered.degree}: at most {most} leave 128 bits of "
            "security"
        )
    if offered != due:
        raise OtherParameters(f"{offered} where this mode has {due}")


def batches(lanes: int) -> int:
    """Ciphertexts that an update of so many lanes takes, with the lanes that follow it."""
    return -(-(lanes + CHECKS) // BATCH)
