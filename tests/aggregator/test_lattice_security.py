"""The count of bits is the published one where there is one, and the mode rlwe has as many as its page says."""

from __future__ import annotations

from math import comb
from pathlib import Path

import pytest

from foedus.aggregator.rlwe.ring import DEGREE
from foedus.protocol.lattice import COINS
from tools.lattice_security import OPENED_PAIR, RLWE, Instance, coins

PAGE = Path(__file__).parents[2] / "docs" / "rlwe.md"


@pytest.mark.parametrize(
    ("degree", "modulus", "secret", "noise", "bits", "block"),
    [
        (512, 3329, 3, 3, 118, 406),  # Kyber, round 3
        (768, 3329, 2, 2, 182, 624),
        (1024, 3329, 2, 2, 256, 874),
        (512, 12289, 24, 24, 131, 450),  # JarJar and NewHope, 2016
        (1024, 12289, 16, 16, 282, 968),
        (512, 3329, 2, 8, None, 424),
    ],
)
def test_known_instances_have_their_published_bits_and_the_lattice_estimators_blocks(
    degree: int, modulus: int, secret: int, noise: int, bits: int | None, block: int
) -> None:
    """Secrets and noises are centred binomials of twice so many coins. The blocks: lattice estimator 27a581b,
    `LWE.primal_usvp(…, red_cost_model=RC.ADPS16, red_shape_model="gsa")`."""
    instance = Instance(degree, modulus, coins(2 * secret), coins(2 * noise), 2 * degree)
    assert abs(instance.block() - block) <= 1
    assert bits is None or abs(instance.bits() - bits) < 1


def test_narrower_secrets_and_fewer_samples_count() -> None:
    wide, narrow = Instance(512, 3329, 2.0, 2.0, 1024), Instance(512, 3329, 1.0, 2.0, 1024)
    assert narrow.bits() < wide.bits() < Instance(512, 3329, 2.0, 2.0, 400).bits()


@pytest.mark.parametrize("instance", [RLWE, OPENED_PAIR])
def test_the_mode_rlwe_has_the_bits_that_its_page_says(instance: Instance) -> None:
    assert f"{instance.bits():.0f} bits" in PAGE.read_text(encoding="utf-8")
    assert instance.bits() > 192


def test_lanes_of_few_possible_noises_are_too_rare_to_solve_for_the_secret() -> None:
    """Arora and Ge: d possible values make an equation of degree d. `narrow`: the cases, of all, in which the heads
    among a pair's coins leave no more values than that."""
    assert comb(DEGREE + COINS + 1, COINS + 1) > 1 << 240
    for values in range(1, COINS + 2):
        narrow = 2 * sum(comb(2 * COINS, heads) for heads in range(values))
        assert comb(DEGREE + values, values) << 2 * COINS > narrow << 74
