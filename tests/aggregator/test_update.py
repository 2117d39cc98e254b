"""An update's lanes: honest ones never leave the honest range, metrics come back as means, dishonest sums are seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foedus.aggregator.aggregate import MalformedProposal, ProposalManifest, proposal_limit
from foedus.aggregator.update import METRIC_RANGE, decode_metrics, encode_update, group_weight, is_honest, metric_bits
from foedus.protocol.cids import block_cid
from foedus.protocol.fixedpoint import NotRepresentable, from_fixed, signed
from foedus.protocol.ids import Hash32
from foedus.protocol.manifest import MalformedManifest

WEIGHTED = {"weighting": "examples", "max_weight": 50, "max_value": 1 << 14}


def encoded(world: Any, weight: int, accuracy: float = 0.5, loss: float = 1.0, step: float = 0.1) -> Any:
    base = from_fixed(world.base_, 20)
    noise = world.generator.integers(0, 2**32, size=base.shape, dtype=np.uint32)
    metrics = {"accuracy": accuracy, "loss": loss}
    return encode_update(world.terms_, world.manifest, base, base + step, weight, metrics, noise)


@given(entries=st.lists(st.tuples(st.integers(1, 50), st.floats(-100, 100), st.floats(0, 100)), min_size=1, max_size=6))
@settings(max_examples=40, deadline=None)
def test_metrics_come_back_as_means_by_weight(
    worlds: Callable[..., Any], entries: list[tuple[int, float, float]]
) -> None:
    world = worlds(6, WEIGHTED)
    total = np.sum([encoded(world, *entry).astype(np.int64) for entry in entries], axis=0).astype(np.uint32)
    weight = sum(weight for weight, _, _ in entries)
    assert group_weight(world.manifest, total) == weight
    assert is_honest(world.terms_, world.manifest, total, len(entries))
    means = decode_metrics(world.terms_, world.manifest, {0: total})
    for index, name in ((1, "accuracy"), (2, "loss")):
        cut = [(entry[0], max(-METRIC_RANGE, min(METRIC_RANGE, entry[index]))) for entry in entries]
        assert abs(means[name] - sum(w * m for w, m in cut) / weight) <= 2.0 ** -metric_bits(world.terms_)


def test_metric_sums_never_wrap(worlds: Callable[..., Any]) -> None:
    for settings_ in ({}, WEIGHTED, {"weighting": "examples", "max_weight": 2**20, "max_value": 1}):
        terms = worlds(16, settings_).terms_
        bound = terms.params.max_participants * terms.max_weight * METRIC_RANGE * 2.0 ** metric_bits(terms)
        assert bound <= 2**30


def test_a_sum_no_honest_group_could_make_is_seen(worlds: Callable[..., Any]) -> None:
    world = worlds(4, WEIGHTED)
    good = encoded(world, 3)
    at = world.manifest.model_lanes
    assert is_honest(world.terms_, world.manifest, good, 1)
    assert not is_honest(world.terms_, world.manifest, good, 4)
    for lane, value in ((0, 3 * (1 << 14) + 1), (5, -(3 * (1 << 14)) - 1), (at, 0), (at, 51), (at, -3)):
        bad = good.copy()
        signed(bad)[lane] = value
        assert not is_honest(world.terms_, world.manifest, bad, 1)


def test_a_metric_out_of_range_costs_the_metric_only(worlds: Callable[..., Any]) -> None:
    world = worlds(4)
    good, bad = encoded(world, 1, accuracy=0.25), encoded(world, 1)
    signed(bad)[world.manifest.model_lanes + 1] = 2**31 - 1
    assert is_honest(world.terms_, world.manifest, bad, 1)
    means = decode_metrics(world.terms_, world.manifest, {0: good, 1: bad})
    assert means["accuracy"] == 0.25
    assert "accuracy" not in decode_metrics(world.terms_, world.manifest, {1: bad})
    assert means["loss"] == 1.0


def test_what_cannot_be_encoded_is_refused(worlds: Callable[..., Any]) -> None:
    world = worlds(4)
    with pytest.raises(NotRepresentable, match="weight 2"):
        encoded(world, 2)
    with pytest.raises(NotRepresentable, match="diverged"):
        encoded(world, 1, loss=float("nan"))
    with pytest.raises(NotRepresentable, match="diverged"):
        encoded(world, 1, step=float("inf"))
    base, noise = from_fixed(world.base_, 20), np.zeros(world.manifest.model_lanes, dtype=np.uint32)
    with pytest.raises(MalformedManifest):
        encode_update(world.terms_, world.manifest, base, base, 1, {"accuracy": 1.0}, noise)
    with pytest.raises(MalformedManifest):
        encode_update(world.terms_, world.manifest, base[1:], base[1:], 1, {"accuracy": 1.0, "loss": 1.0}, noise[1:])


@given(st.binary(max_size=200))
def test_only_a_proposal_manifest_is_read_as_one(blob: bytes) -> None:
    with pytest.raises(MalformedProposal):
        ProposalManifest.from_bytes(blob)
    cids = [block_cid(Hash32(bytes([number]) * 32)) for number in range(4)]
    for made, size in (
        (ProposalManifest(*cids[:3]), 183),
        (ProposalManifest(*cids), 242),
        (ProposalManifest(*cids[:3], causes={1: 2, 7: 0}), 195),
        (ProposalManifest(*cids, causes={3: 2**32 - 1}), 248),
    ):
        written = made.to_bytes()
        assert (len(written), len(written) <= proposal_limit(8)) == (size, True)
        assert ProposalManifest.from_bytes(written) == made
        for other in (
            written[:4] + bytes(size - 4),
            written[:-1],
            written + b"b",
            written[:63],
            b"FDP\x01" + written[4:],
        ):
            with pytest.raises(MalformedProposal):
                ProposalManifest.from_bytes(other)
