"""Distributed differential privacy: what noise is added, what it is worth, and what is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foedus.learning.accounting import epsilon, multiplier_for, spent
from foedus.learning.build import Built, build
from foedus.learning.disclosure import warnings
from foedus.learning.errors import TaskFileError
from foedus.learning.noise import fits, hidden, noise_of
from foedus.learning.taskfile import load_task_file
from foedus.learning.update import local_round, rounding_noise
from foedus.protocol.fixedpoint import SUM_BOUND, Grid, signed
from foedus.protocol.ids import RoundNumber
from foedus.protocol.privacy import TAIL, DifferentialPrivacy, Noise, rounded_norm
from foedus.protocol.terms import InvalidTerms, Terms
from tests.learning.test_update import ROUND, Shift

Write = Callable[..., Path]
PROMISE = ("[privacy]", "[update]\nclip_norm = 0.5\n[privacy]\nepsilon = 4.0\ndelta = 1e-5")


@pytest.fixture
def private(write_task: Write) -> Built:
    return build(load_task_file(write_task(PROMISE)))


def test_the_cost_is_that_of_the_gaussian_mechanism() -> None:
    """Against the closed form: the least over all orders of  order / (2 z^2) + log(1 / delta) / (order - 1)  is an
    upper bound, and the accountant's conversion (Canonne et al., 2020) is never above it."""
    for multiplier, releases in ((1.0, 1), (2.0, 10), (5.0, 100)):
        rho, delta = releases / (2 * multiplier**2), 1e-5
        classic = rho + 2 * math.sqrt(rho * math.log(1 / delta))
        assert 0.5 * classic < epsilon(multiplier, delta, releases) <= classic
    assert epsilon(1.0, 1e-5, 0) == 0.0


def test_the_noise_found_for_a_budget_is_enough_and_no_more() -> None:
    for budget, releases in ((1.0, 1), (8.0, 12), (3.0, 200)):
        multiplier = multiplier_for(budget, 1e-6, releases)
        assert epsilon(multiplier, 1e-6, releases) <= budget
        assert epsilon(0.999 * multiplier, 1e-6, releases) > budget


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 3000), st.integers(0, 12))
def test_rounding_stays_within_its_bound_often_enough(seed: int, lanes: int, bits: int) -> None:
    """At least two draws in five, of the promised 1 - exp(-1/2): the loop that draws again ends soon."""
    random = np.random.default_rng(seed)
    grid = Grid(bits, 2**20, 1, 1.5)
    delta = random.normal(size=lanes) * random.uniform(0, 3)
    noise = Noise(lanes, 1, rounded_norm(1.5 * 2.0**bits, lanes), 1.0, 2**20)
    draws = [random.integers(0, 2**32, lanes, dtype=np.uint32) for _ in range(64)]
    assert sum(fits(noise, grid.quantise(delta, 1, draw)) for draw in draws) >= 0.25 * len(draws)


def test_what_one_lane_gets_is_a_discrete_gaussian(private: Built) -> None:
    """Mean, deviation and kurtosis of many draws; lanes beyond the parameters get none."""
    noise = replace(Noise.of(private.terms.dp, private.terms.grid, 200_000, 1), parameters=200_000, local_std=37.5)
    made = signed(hidden(noise, np.zeros(200_256, dtype=np.uint32), 2**26)).astype(np.float64)
    assert not made[200_000:].any()
    drawn = made[:200_000]
    assert abs(drawn.mean()) < 5 * 37.5 / math.sqrt(200_000)
    assert drawn.std() == pytest.approx(37.5, rel=0.01)
    assert ((drawn / 37.5) ** 4).mean() == pytest.approx(3.0, abs=0.15)
    assert not np.array_equal(drawn, signed(hidden(noise, np.zeros(200_256, dtype=np.uint32), 2**26))[:200_000])


def test_a_sum_of_the_counted_participants_has_the_promised_noise(private: Built) -> None:
    noise = noise_of(private.terms, private.manifest)
    assert noise is not None
    total = noise.local_std * math.sqrt(noise.contributors)
    assert total == pytest.approx(private.terms.dp.noise_multiplier * noise.sensitivity)
    assert noise.contributors == max(1, private.terms.g_min // 2)
    assert spent(private.terms, private.manifest, private.terms.params.rounds) <= 4.0


def test_few_steps_of_noise_cost_more_than_a_gaussian() -> None:
    """Below one step of the grid sums of discrete Gaussians are far from one, and what that costs is counted."""
    promise = DifferentialPrivacy(1.0, 1e-5, 1.0)
    fine, coarse = (Noise.of(promise, Grid(bits, 2**20, 1, 0.02), 1, 4) for bits in (16, 5))
    assert fine.multiplier == pytest.approx(1.0)
    assert coarse.local_std < 1.5
    assert coarse.multiplier < 1.0
    tiny = replace(coarse, local_std=0.3)
    assert tiny.multiplier < 0.75 * math.sqrt(tiny.contributors) * tiny.local_std / tiny.sensitivity


def test_an_update_is_clipped_and_hidden(private: Built) -> None:
    terms, manifest = private.terms, private.manifest
    noise, base = noise_of(terms, manifest), private.initial_lanes
    assert noise is not None
    one, other = (local_round(Shift(3.0), terms, manifest, base, 0, ROUND).lanes for _ in range(2))
    assert not np.array_equal(one, other), "every update has fresh noise"
    values = signed(one)
    assert not values[manifest.parameters : manifest.model_lanes].any()
    assert np.abs(values).max() <= terms.max_value
    mean = np.mean(
        [
            signed(local_round(Shift(3.0), terms, manifest, base, 0, ROUND).lanes)[: noise.parameters]
            for _ in range(400)
        ],
        axis=0,
    )
    clipped = 0.5 * 2.0**terms.update_bits
    error = noise.local_std * math.sqrt(noise.parameters / 400)
    assert np.linalg.norm(mean) == pytest.approx(math.hypot(clipped, error), rel=0.25)


def test_rounding_again_draws_other_noise(private: Built) -> None:
    first, again, second = (rounding_noise(private.terms, 0, RoundNumber(1), 256, draw) for draw in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, second)


def test_a_promise_of_epsilon_fixes_the_noise_and_the_other_way_round(write_task: Write) -> None:
    given_epsilon = load_task_file(write_task(PROMISE)).draft
    assert given_epsilon.dp is not None
    multiplier = given_epsilon.dp.noise_multiplier
    text = PROMISE[1].replace("epsilon = 4.0", f"noise_multiplier = {multiplier!r}\nhonest = 100")
    given_noise = load_task_file(write_task((PROMISE[0], text))).draft
    assert given_noise.dp is not None
    assert given_noise.dp.epsilon == pytest.approx(4.0, rel=1e-4)
    assert (given_noise.dp.honest, given_noise.dp.contributors(8)) == (10_000, 8)
    assert Terms.from_bytes(given_noise.to_bytes()) == given_noise


def test_the_grid_leaves_room_for_the_noise(private: Built) -> None:
    terms = private.terms
    noise = noise_of(terms, private.manifest)
    assert noise is not None
    assert noise.largest <= terms.max_value
    assert noise.largest > TAIL * noise.local_std
    assert terms.params.max_participants * terms.max_value <= SUM_BOUND


def test_the_terms_say_what_they_promise(private: Built) -> None:
    (told,) = (line for line in warnings(private.terms) if "ifferential" in line)
    assert "epsilon = 4 at delta = 1e-05" in told
    assert private.manifest.metrics == ()


@pytest.mark.parametrize(
    ("text", "need"),
    [
        ("[privacy]\nepsilon = 4.0", "privacy.delta is missing"),
        ("[privacy]\ndelta = 1e-5", "belongs to differential privacy"),
        ("[privacy]\nhonest = 40", "belongs to differential privacy"),
        ("[privacy]\nepsilon = 4.0\ndelta = 1e-5", "update.clip_norm = 0.0: differential privacy bounds"),
        ("[update]\nclip_norm = 1\n[privacy]\nepsilon = -1\ndelta = 1e-5", "must be a number above 0"),
        ("[update]\nclip_norm = 1\n[privacy]\nepsilon = 1\ndelta = 0.9", "must be a number above 0"),
        ("[update]\nclip_norm = 1\nclip = 2\n[privacy]\nepsilon = 1\ndelta = 1e-5", "clip_norm bounds each value"),
        (
            '[update]\nclip_norm = 1\nweighting = "examples"\nmax_weight = 4\n[privacy]\nepsilon = 1\ndelta = 1e-5',
            "uniform weighting",
        ),
        (
            "[update]\nclip_norm = 1\n[privacy]\nepsilon = 1\ndelta = 1e-5\nnoise_multiplier = 0.1",
            "allow that, or add noise",
        ),
    ],
)
def test_a_promise_that_does_not_add_up_is_refused(write_task: Write, text: str, need: str) -> None:
    with pytest.raises(TaskFileError, match=need):
        load_task_file(write_task(("[privacy]", text)))


@pytest.mark.parametrize(
    ("text", "need"),
    [
        (
            PROMISE[1].replace("clip_norm = 0.5", "clip_norm = 0.5\nmax_value = 1000"),
            "max_value = 1000: with its noise",
        ),
        (
            PROMISE[1].replace("clip_norm = 0.5", "clip_norm = 0.5\nupdate_bits = 4").replace("4.0", "1e5"),
            "update_bits = 4",
        ),
    ],
)
def test_a_promise_that_the_model_cannot_keep_is_refused(write_task: Write, text: str, need: str) -> None:
    with pytest.raises(TaskFileError, match=need):
        build(load_task_file(write_task(("[privacy]", text))))


def test_metrics_would_answer_more_than_was_promised(private: Built) -> None:
    with pytest.raises(InvalidTerms, match="every metric is one more answer"):
        noise_of(private.terms, replace(private.manifest, metrics=("accuracy",)))
