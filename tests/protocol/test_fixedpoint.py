"""Laws of the integer encoding: exact round trips, unbiased rounding, bounded lanes, honest sums in range."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from foedus.protocol.chunks import MalformedLanes, lanes_from_bytes, lanes_to_bytes, vector_root
from foedus.protocol.fixedpoint import Grid, NotRepresentable, from_fixed, signed, to_fixed

lanes32 = arrays(np.int32, st.integers(1, 64), elements=st.integers(-(2**31) + 1, 2**31 - 1))


@given(lanes32, st.integers(0, 30))
def test_fixed_point_round_trips_exactly(lanes, bits):
    assert np.array_equal(to_fixed(from_fixed(lanes, bits), bits), lanes)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 2048.0, -1e300])
def test_what_does_not_fit_is_refused_with_its_value(bad):
    with pytest.raises(NotRepresentable, match="lane 1 holds"):
        to_fixed(np.array([0.0, bad]), 20)


@given(st.floats(-0.99, 0.99), st.integers(0, 2**32 - 1))
def test_rounding_goes_to_a_neighbour(value, noise):
    grid = Grid(8, 256, 1, 0.0)
    lane = int(signed(grid.quantise(np.array([value]), 1, np.array([noise], dtype=np.uint32)))[0])
    assert abs(lane - value * 256) <= 1


def test_rounding_is_unbiased():
    grid = Grid(4, 16, 1, 0.0)
    noise = np.random.default_rng(1).integers(0, 2**32, 200_000, dtype=np.uint32)
    lanes = signed(grid.quantise(np.full(200_000, 0.3), 1, noise))
    assert abs(lanes.mean() / 16 - 0.3) < 4 * 0.5 / 16 / np.sqrt(200_000)


@given(arrays(np.float64, 16, elements=st.floats(-1e6, 1e6)), st.integers(1, 7), st.integers(1, 50))
def test_honest_sums_are_in_range_and_weights_multiply(delta, weight, participants):
    grid = Grid(10, 1024, 7, 3.0)
    noise = np.zeros(16, dtype=np.uint32)
    lanes = grid.quantise(delta, weight, noise)
    assert np.array_equal(signed(lanes), signed(grid.quantise(delta, 1, noise)) * weight)
    total = (lanes.astype(np.uint64) * participants).astype(np.uint32)
    assert grid.in_range(signed(total), weight * participants)
    assert not grid.in_range(np.array([weight * participants * 1024 + 1], dtype=np.int32), weight * participants)


@given(arrays(np.float64, 16, elements=st.floats(-100, 100)))
def test_clipping_bounds_the_norm_and_keeps_small_updates(delta):
    grid = Grid(10, 10 * 1024, 1, 3.0)
    assert np.linalg.norm(grid.clip(delta)) <= 3.0 + 1e-9
    small = delta / max(1.0, np.linalg.norm(delta))
    assert np.array_equal(grid.clip(small), small)


@pytest.mark.parametrize("weight", [0, 8, -1])
def test_a_weight_outside_the_terms_is_refused(weight):
    with pytest.raises(NotRepresentable, match=f"weight {weight} is outside 1..7"):
        Grid(10, 1024, 7, 0.0).quantise(np.zeros(4), weight, np.zeros(4, dtype=np.uint32))


def test_a_diverged_update_is_refused():
    with pytest.raises(NotRepresentable, match="lane 2 is nan: training diverged"):
        Grid(10, 1024, 1, 0.0).quantise(np.array([0, 0, np.nan]), 1, np.zeros(3, dtype=np.uint32))


@given(st.integers(1, 4), st.randoms(use_true_random=False))
def test_vectors_are_big_endian_chunks(chunks, random):
    lanes = np.array([random.getrandbits(32) for _ in range(256 * chunks)], dtype=np.uint32)
    blob = lanes_to_bytes(lanes)
    assert blob[:4] == int(lanes[0]).to_bytes(4, "big")
    assert np.array_equal(lanes_from_bytes(blob, 256 * chunks), lanes)
    changed = bytearray(blob)
    changed[random.randrange(len(blob))] ^= 1
    assert vector_root(bytes(changed)) != vector_root(blob)


def test_a_vector_of_another_length_is_refused():
    with pytest.raises(MalformedLanes, match="1020 bytes where 256 lanes need 1024"):
        lanes_from_bytes(bytes(1020), 256)
