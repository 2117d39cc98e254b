"""The room for noise is what the mode rlwe's page says, by exact counting."""

from __future__ import annotations

from math import comb

import pytest

from foedus.protocol.lattice import COINS, room, scale, spread


@pytest.mark.parametrize("members", [1, 2, 5, 6, 20, 100, 300])
def test_the_noise_of_a_sum_fits_its_spread_but_for_a_chance_below_two_to_the_minus_129(members: int) -> None:
    coins = COINS * members
    beyond = sum(comb(coins, heads) for heads in range(coins // 2 - spread(members))) * 2
    assert beyond << 129 < 1 << coins
    assert (beyond == 0) == (members <= 5)


@pytest.mark.parametrize("members", [1, 2, 19, 20, 777, 1024])
def test_values_a_scale_apart_are_told_apart_and_sums_stay_within_half_a_lane(members: int) -> None:
    assert spread(members) ** 2 >= 38**2 * members > (spread(members) - 1) ** 2
    assert scale(members) == 2 * spread(members) + 1
    assert room(members) * scale(members) <= 2**30 < (room(members) + 1) * scale(members)
