"""A streamed update has the lanes of the law, whatever blocks it is asked for, and its masking holds one vector."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

from foedus.aggregator.lanesource import BLOCK_LANES, WholeLanes, all_lanes
from foedus.aggregator.masking import masked
from foedus.aggregator.update import encode_update
from foedus.aggregator.updatestream import UpdateStream
from foedus.protocol.fixedpoint import NotRepresentable, signed
from foedus.protocol.ids import Seed
from foedus.protocol.manifest import MalformedManifest, Manifest

KEY = bytes(range(32))
SIZES = {"a": (3, 7), "none": (0,), "b": (), "c": (BLOCK_LANES - 10,), "d": (251, 211), "e": (5,)}


def models(scale: float = 0.01, dtype: Any = np.float32, sizes: dict[str, Any] = SIZES) -> Any:
    generator = np.random.default_rng(5)
    before = {name: np.asarray(generator.standard_normal(shape), dtype) for name, shape in sizes.items()}
    moved = {name: np.asarray(generator.standard_normal(shape) * scale, dtype) for name, shape in sizes.items()}
    return before, {name: before[name] + moved[name] for name in sizes}, Manifest.of(before, ("loss",))


def plain(terms: Any, manifest: Manifest, before: Any, after: Any, weight: int) -> Any:
    """The law, lane by lane in wide integers, over the whole vector."""
    flat = np.concatenate([(after[name] - before[name]).reshape(-1) for name in before])
    steps = np.clip(flat.astype(np.float64) * 2.0**terms.update_bits, -terms.max_value, terms.max_value)
    words = Cipher(ChaCha20(KEY, bytes(16)), mode=None).encryptor().update(bytes(2 * manifest.model_lanes))
    cut = np.trunc(steps * 65536).astype(np.int64)
    lanes = (cut + np.frombuffer(words, dtype="<u2")[: cut.shape[0]]) // 65536 * weight
    return np.concatenate([lanes, np.zeros(manifest.model_lanes - lanes.shape[0], dtype=np.int64)])


@pytest.fixture
def terms(worlds: Callable[..., Any]) -> Any:
    return replace(worlds(4).terms_, weighting="examples", max_weight=50, max_value=1 << 16, update_bits=16)


@pytest.mark.parametrize("scale", [0.0, 0.01, 0.4])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_its_lanes_are_those_of_the_law(terms: Any, scale: float, dtype: Any) -> None:
    before, after, manifest = models(scale, dtype)
    assert manifest.model_lanes > 2 * BLOCK_LANES
    lanes = all_lanes(UpdateStream(terms, manifest, before, after, 3, {"loss": 0.5}, KEY))
    assert np.array_equal(signed(lanes)[: manifest.model_lanes], plain(terms, manifest, before, after, 3))
    zeros = np.zeros(manifest.model_lanes)
    told = encode_update(terms, manifest, zeros, zeros, 3, {"loss": 0.5}, zeros.astype(np.uint32))
    assert np.array_equal(lanes[manifest.model_lanes :], told[manifest.model_lanes :])


def test_blocks_of_any_size_make_the_same_lanes(terms: Any) -> None:
    before, after, manifest = models()
    source = UpdateStream(terms, manifest, before, after, 1, {"loss": 0.5}, KEY)
    due, generator = all_lanes(source), np.random.default_rng(2)
    for _ in range(3):
        fill, at, made = source.begin(), 0, np.empty_like(due)
        while at < source.lanes:
            size = min(256 * int(generator.integers(1, BLOCK_LANES // 256 + 1)), source.lanes - at)
            fill(made[at : at + size])
            at += size
        assert np.array_equal(made, due)


def test_another_key_rounds_otherwise(terms: Any) -> None:
    before, after, manifest = models()
    one, other = (
        signed(all_lanes(UpdateStream(terms, manifest, before, after, 1, {"loss": 0.5}, key)))
        for key in (KEY, KEY[::-1])
    )
    assert 0.2 < (one != other).mean() < 0.5
    assert np.abs(one - other).max() == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_norm_is_clipped(terms: Any, dtype: Any) -> None:
    before, after, manifest = models(0.01, dtype)
    for clip_norm in (0.5, 1e9):
        clipped = replace(terms, clip_norm=clip_norm, max_value=1 << 19)
        lanes = all_lanes(UpdateStream(clipped, manifest, before, after, 1, {"loss": 0.5}, KEY))
        values = signed(lanes)[: manifest.model_lanes] / 2.0**terms.update_bits
        moved = np.concatenate([(after[name] - before[name]).reshape(-1) for name in before]).astype(np.float64)
        norm = min(clip_norm, float(np.linalg.norm(moved)))
        assert np.linalg.norm(values) == pytest.approx(norm, rel=1e-3)


def test_a_streamed_update_is_masked_like_its_lanes(terms: Any) -> None:
    before, after, manifest = models()
    source = UpdateStream(terms, manifest, before, after, 1, {"loss": 0.5}, KEY)
    masks = [(Seed(bytes([number]) + bytes(31)), (-1) ** number) for number in range(1, 4)]
    whole = masked(all_lanes(source), masks)
    assert masked(source, masks) == masked(WholeLanes(all_lanes(source)), masks) == whole
    first = 3 * 256
    assert masked(all_lanes(source)[first:], masks, first_chunk=3) == whole[4 * first :]


@pytest.mark.parametrize("scale", [0.01, 0.4])
def test_quantising_and_masking_take_one_vector_of_memory_and_a_tenth(terms: Any, scale: float) -> None:
    before, after, manifest = models(scale, sizes={"w": (1000, 1000)})
    masks = [(Seed(bytes([number]) + bytes(31)), 1) for number in range(1, 4)]
    tracemalloc.start()
    try:
        blob = masked(UpdateStream(terms, manifest, before, after, 1, {"loss": 0.5}, KEY), masks)
        assert tracemalloc.get_traced_memory()[1] <= 1.1 * len(blob)
    finally:
        tracemalloc.stop()
    assert len(blob) == 4 * manifest.update_lanes


def test_what_does_not_fit_is_refused(terms: Any) -> None:
    before, after, manifest = models()
    for arrays in ({"a": after["a"]}, after | {"a": after["a"].T}, dict(reversed(after.items()))):
        with pytest.raises(MalformedManifest):
            UpdateStream(terms, manifest, before, arrays, 1, {"loss": 0.5}, KEY)
    with pytest.raises(MalformedManifest):
        UpdateStream(terms, manifest, before, after, 1, {}, KEY)
    for weight, loss in ((51, 0.5), (0, 0.5), (1, float("nan"))):
        with pytest.raises(NotRepresentable):
            UpdateStream(terms, manifest, before, after, weight, {"loss": loss}, KEY)
    after["d"][7, 7] = np.nan
    broken = UpdateStream(terms, manifest, before, after, 1, {"loss": 0.5}, KEY)
    with pytest.raises(NotRepresentable, match="training diverged"):
        masked(broken, [])
    with pytest.raises(NotRepresentable, match="training diverged"):
        UpdateStream(replace(terms, clip_norm=1.0), manifest, before, after, 1, {"loss": 0.5}, KEY)
