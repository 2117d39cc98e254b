"""Masks cancel for every roster, degree and set of dropouts, and what is left is the plain integer sum."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foedus.aggregator.freeze import TooFewSurvivors
from foedus.aggregator.lanesource import all_lanes, write_lanes
from foedus.aggregator.masking import MaskedLanes, masked
from foedus.aggregator.seeds import BLOCK_CHUNKS, prg
from foedus.protocol.chunks import MalformedLanes, lanes_from_bytes
from foedus.protocol.ids import Position, Seed


@given(
    members=st.integers(2, 12),
    degree=st.sampled_from([0, 2, 4]),
    group_size=st.integers(2, 12),
    out=st.sets(st.integers(0, 11), max_size=4),
    absent=st.sets(st.integers(0, 11), max_size=2),
    seed=st.integers(0, 2**16),
)
@settings(max_examples=40, deadline=None)
def test_masks_cancel_to_the_exact_sum(
    worlds: Callable[..., Any],
    members: int,
    degree: int,
    group_size: int,
    out: set[int],
    absent: set[int],
    seed: int,
) -> None:
    degree = min(degree, group_size - group_size % 2)
    world = worlds(members, {"neighbours": degree, "group_size": group_size}, seed=seed)
    for p in world.positions:
        if p not in out:
            world.commit(p)
    try:
        survivors = world.freeze()
    except TooFewSurvivors:
        return
    gone = {p for p in survivors if p in absent}
    collected = world.unmask(survivors, gone, away=gone)
    assert not collected.faults
    if members - len(gone) >= world.layout.threshold:
        assert not any(collected.missing.values())
    outcome = world.outcome(survivors, collected)
    for group, total in outcome.group_sums.items():
        inside = [p for p in survivors if world.layout.group(p) == group]
        expected = np.sum([world.plain[p].astype(np.int64) for p in inside], axis=0)
        assert np.array_equal(total, expected.astype(np.uint32))
    assert outcome.total_weight == sum(1 for p in survivors if world.layout.group(p) in outcome.group_sums)
    assert not any(outcome.quarantined)


def test_the_masked_and_the_plain_mode_make_one_model(worlds: Callable[..., Any]) -> None:
    roots = []
    for mode in ("masked", "plain"):
        world = worlds(7, {"mode": mode}, seed=3)
        updates = {p: world.encode() for p in world.positions}
        for p in world.positions[:6]:
            world.commit(p, updates[p])
        survivors = world.freeze()
        outcome = world.outcome(survivors, world.unmask(survivors))
        roots.append((outcome.model_root, outcome.total_weight, outcome.metrics))
    assert roots[0] == roots[1]


def test_who_contributes_what_is_swapped_without_a_trace(worlds: Callable[..., Any]) -> None:
    """Indistinguishability in small: two participants trade updates, and all that is public of the sums is the same."""
    seen = []
    for swapped in (False, True):
        world = worlds(6, seed=9)
        updates = {p: world.encode() for p in world.positions}
        one, two = Position(1), Position(4)
        if swapped:
            updates[one], updates[two] = updates[two], updates[one]
        for p in world.positions:
            world.commit(p, updates[p])
        survivors = world.freeze()
        outcome = world.outcome(survivors, world.unmask(survivors))
        seen.append((outcome.model_root, outcome.group_sums[0].tobytes(), outcome.metrics))
        assert lanes_from_bytes(world.prepared[one].update_blob, world.manifest.update_lanes).std() > 1e9
    assert seen[0] == seen[1]


def test_a_masked_vector_looks_uniform(worlds: Callable[..., Any]) -> None:
    world = worlds(3)
    world.commit(Position(0), np.zeros(world.manifest.update_lanes, dtype=np.uint32))
    lanes = lanes_from_bytes(world.prepared[Position(0)].update_blob, world.manifest.update_lanes)
    bits = np.unpackbits(lanes.view(np.uint8))
    assert abs(bits.mean() - 0.5) < 0.02


@pytest.mark.parametrize("chunks", [1, BLOCK_CHUNKS - 1, BLOCK_CHUNKS, BLOCK_CHUNKS + 1, 3 * BLOCK_CHUNKS + 7])
def test_a_vector_of_any_length_gets_all_its_masks(chunks: int) -> None:
    update = np.random.default_rng(chunks).integers(0, 2**32, 256 * chunks, dtype=np.uint32)
    before = update.copy()
    terms = [(Seed(bytes([number]) + bytes(31)), (-1) ** number) for number in range(1, 6)]
    due = update.copy()
    for seed, sign in terms:
        due += prg(seed, 0, chunks) if sign > 0 else -prg(seed, 0, chunks)
    assert np.array_equal(lanes_from_bytes(masked(update, terms), update.shape[0]), due)
    assert np.array_equal(update, before)


def test_masks_come_off_where_a_vector_lies_and_part_by_part() -> None:
    update = np.random.default_rng(1).integers(0, 2**32, 256 * 401, dtype=np.uint32)
    terms = [(Seed(bytes([number]) + bytes(31)), (-1) ** number) for number in range(1, 6)]
    lanes = all_lanes(MaskedLanes(update, terms))
    assert np.array_equal(lanes, lanes_from_bytes(masked(update, terms), update.shape[0]))
    away = [(seed, -sign) for seed, sign in terms]
    for first, last in ((0, 7), (7, 401)):
        part = lanes[256 * first : 256 * last]
        write_lanes(MaskedLanes(part, away, first), part)
    assert np.array_equal(lanes, update)


def test_masking_takes_one_vector_of_memory_and_a_tenth() -> None:
    update = np.zeros(1 << 20, dtype=np.uint32)
    terms = [(Seed(bytes([number]) + bytes(31)), 1) for number in range(1, 4)]
    tracemalloc.start()
    try:
        blob = masked(update, terms)
        assert tracemalloc.get_traced_memory()[1] <= 1.1 * len(blob)
    finally:
        tracemalloc.stop()


def test_only_whole_chunks_are_masked() -> None:
    seed = Seed(b"\x01" + bytes(31))
    for bad in (np.zeros(255, dtype=np.uint32), np.zeros(256, dtype=np.int64), np.zeros((2, 256), dtype=np.uint32)):
        with pytest.raises(MalformedLanes):
            masked(bad, [(seed, 1)])
