"""The integer rules follow the float64 optimisers of their papers, round after round."""

from __future__ import annotations

import numpy as np
import pytest

from foedus.aggregator.rules import initial_state, rule_of
from foedus.aggregator.state import parts
from foedus.protocol.chunks import CHUNK_LANES
from foedus.protocol.terms import Terms
from tests.aggregator.conftest import make_terms
from tests.aggregator.ruling import ADAPTIVE, Float

COUNT, MEMBERS, ROUNDS = 8 * CHUNK_LANES, 8, 500
BITS = 24
"""What a task file's default clip of 1.0 makes of eight participants."""


def follow(terms: Terms, rounds: int) -> tuple[np.ndarray, np.ndarray, Float]:
    """(model, root of the second moment, float optimiser) after rounds of the same mean updates.

    Lane by lane the updates are of another size, from 0.00003 to 0.3, half drift and half noise.
    """
    draw = np.random.default_rng(3)
    size = 10.0 ** draw.uniform(-4.5, -0.5, COUNT)
    drift = size * draw.normal(size=COUNT)
    rule, exact = rule_of(terms), Float.of(terms, np.zeros(COUNT))
    model, state = np.zeros(COUNT, dtype=np.int32), initial_state(rule, COUNT)
    for _ in range(rounds):
        total = np.rint(np.clip(drift + size * draw.normal(size=COUNT), -1, 1) * MEMBERS * 2.0**terms.update_bits)
        model, state = rule.step(model, state, total.astype(np.int32), MEMBERS)
        exact.step(total / MEMBERS / 2.0**terms.update_bits)
    root = np.zeros(COUNT)
    if rule.state_lanes == 2:
        root = (parts(state, 2)[1] + terms.tau) / 2.0**terms.grid.state_bits
    return model / 2.0**terms.scale_bits, root, exact


@pytest.mark.parametrize(
    ("name", "bound"),
    [("fedavg", 4e-5), ("fedavgm", 6e-5), ("fedadam", 6e-4), ("fedadagrad", 2e-4)],
)
def test_the_model_follows_the_float_optimiser(name: str, bound: float) -> None:
    terms = make_terms(MEMBERS, rule=name, update_bits=BITS, max_value=2**BITS, server_lr=6554)
    model, root, exact = follow(terms, ROUNDS)
    moved = np.abs(exact.model).max()
    assert moved > 1
    assert np.abs(model - exact.model).max() < bound
    if name in ADAPTIVE:
        assert np.abs(root - np.sqrt(exact.moment)).max() < 40 / 2.0**terms.grid.state_bits


def test_yogi_follows_but_for_squares_that_all_but_tie() -> None:
    """v - mean^2 decides by its sign alone: where the two are close, a rounding may send v the other way for once."""
    terms = make_terms(MEMBERS, rule="fedyogi", update_bits=BITS, max_value=2**BITS, server_lr=6554)
    model, root, exact = follow(terms, ROUNDS)
    apart = np.abs(root - np.sqrt(exact.moment)) / np.sqrt(exact.moment)
    assert apart.max() < 0.02
    assert np.mean(apart < 0.001) > 0.98
    assert np.abs(model - exact.model).max() < 0.02 * np.abs(exact.model).max()
