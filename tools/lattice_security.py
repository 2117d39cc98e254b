"""How hard an instance of (ring-)LWE is, in bits: the primal attack's cost by core-SVP.

    python tools/lattice_security.py

After Alkim, Ducas, Pöppelmann and Schwabe (USENIX Security 2016, section 6.3): BKZ with blocks of b finds the secret
and the noise as a short vector among d = n + m + 1 dimensions where

    noise sqrt(b)  <=  delta(b)**(2 b - d - 1) (q**m (noise / secret)**n)**(1 / d)

for some number m of samples, the secret's part scaled to the noise's size (Bai and Galbraith, ACISP 2014). The cost is
that of one shortest vector in b dimensions, 2**(0.292 b), which is less than what is known to do. What structure a ring
has besides is not counted, nor are other attacks: those are the lattice estimator's (docs/rlwe.md).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from math import e, log, pi, prod, sqrt

from foedus.aggregator.he import params
from foedus.aggregator.rlwe.noisy import SECRET_COINS
from foedus.aggregator.rlwe.ring import DEGREE
from foedus.protocol.lattice import COINS


@dataclass(frozen=True, slots=True)
class Instance:
    """degree: numbers of the secret; modulus: q; secret, noise: standard deviations; samples: the most that
    an attacker has."""

    degree: int
    modulus: int
    secret: float
    noise: float
    samples: int

    def block(self) -> int:
        """The smallest blocks with which the attack works."""
        low, high = 50, self.degree + self.samples
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self._found(middle) else (middle + 1, high)
        return low

    def bits(self) -> float:
        """log2 of the attack's cost."""
        return 0.292 * self.block()

    def _found(self, block: int) -> bool:
        growth = (log(pi * block) / block + log(block / (2 * pi * e))) / (2 * (block - 1))
        scaled, due = self.degree * log(self.noise / self.secret), log(self.noise * sqrt(block))
        for samples in range(1, self.samples + 1):
            dimension = self.degree + samples + 1
            volume = (samples * log(self.modulus) + scaled) / dimension
            if (2 * block - dimension - 1) * growth + volume >= due:
                return True
        return False


def coins(count: int) -> float:
    """The standard deviation of the heads among so many fair coins."""
    return sqrt(count) / 2


SAMPLES = 4 * DEGREE
"""More than the attack has a use for."""

RLWE = Instance(DEGREE, 2**32, coins(SECRET_COINS), coins(COINS), SAMPLES)

OPENED_PAIR = Instance(DEGREE, 2**32, coins(SECRET_COINS // 2), coins(COINS // 2), SAMPLES)
"""Of two survivors, whose sums of secrets and of noises everybody knows: half of the variance is left."""


HE_SECRET, HE_NOISE = sqrt(2 / 3), 3.2
"""Ternary secrets, and SEAL's noise."""

BFV, CKKS = (
    Instance(scheme.degree, prod(scheme.primes), HE_SECRET, HE_NOISE, 2 * scheme.degree)
    for scheme in (params.BFV, params.CKKS)
)


def main() -> None:
    """Print the modes' instances."""
    for name, instance in (("rlwe", RLWE), ("rlwe, a pair's sum known", OPENED_PAIR), ("bfv", BFV), ("ckks", CKKS)):
        sys.stdout.write(f"{name}: {instance.bits():.0f} bits (blocks of {instance.block()}); {instance}\n")


if __name__ == "__main__":
    main()
