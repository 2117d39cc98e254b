"""An update's lanes: what a participant encodes before masking, and what a group's sum says once it is open.

The model's lanes come first; the last chunk holds the weight at lane 0, then one lane a metric: weight times the
metric in fixed point. So metrics are averaged by weight, and are as private as the update itself.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from foedus.protocol.chunks import CHUNK_LANES, Lanes
from foedus.protocol.fixedpoint import NotRepresentable, signed
from foedus.protocol.manifest import MalformedManifest, Manifest
from foedus.protocol.terms import Mode, Terms, sum_bound

METRIC_RANGE = 64
"""Metrics are cut to -64..64 before they are encoded: accuracies and losses, not counts."""

_SUM_BITS: dict[Mode, int] = {"masked": 30, "plain": 30, "lightsecagg": 29, "bfv": 23, "ckks": 23}
"""How large a sum of metrics may be: most vector modes take sums modulo numbers smaller than 2**32, and in rlwe it
depends on how many add noise (`sum_bound`)."""


def metric_bits(terms: Terms) -> int:
    """Fractional bits of a metric lane: as many as keep participants * max_weight * 64 * 2**bits within 2**30 (in the
    vector modes less), so that an honest sum never wraps. At most 20; negative where the weights are so large that
    metrics come out coarse."""
    units = terms.params.max_participants * terms.max_weight * METRIC_RANGE
    most = sum_bound("rlwe", terms.params.max_participants).bit_length() - 1
    return min(20, _SUM_BITS.get(terms.mode, most) - (units - 1).bit_length())


def encode_update(
    terms: Terms,
    manifest: Manifest,
    base: NDArray[np.float64],
    local: NDArray[np.float64],
    weight: int,
    metrics: Mapping[str, float],
    noise: NDArray[np.uint32],
) -> Lanes:
    """The update's lanes before masking: uint32, shape (update_lanes,).

    base, local: float64, shape (model_lanes,), from `from_fixed` and `Manifest.pack`; noise: uniform uint32 of the same
    shape, fresh for every update, which rounds without bias. Raises MalformedManifest where shapes or metric names are
    not the manifest's, NotRepresentable for values that are not finite or a weight beyond the terms.
    """
    shapes = {array.shape for array in (base, local, noise)}
    if shapes != {(manifest.model_lanes,)}:
        raise MalformedManifest(f"vectors of shapes {sorted(shapes)} where the task has {manifest.model_lanes} lanes")
    tail = update_tail(terms, manifest, weight, metrics)
    return np.concatenate([terms.grid.quantise(local - base, weight, noise), tail])


def update_tail(terms: Terms, manifest: Manifest, weight: int, metrics: Mapping[str, float]) -> Lanes:
    """An update's last chunk: the weight, then the metrics. uint32, shape (256,).

    Raises MalformedManifest where metric names are not the manifest's, NotRepresentable for a metric that is not finite
    or a weight beyond the terms.
    """
    if set(metrics) != set(manifest.metrics):
        raise MalformedManifest(f"metrics {sorted(metrics)} where the task has {sorted(manifest.metrics)}")
    terms.grid.check_weight(weight)
    tail = np.zeros(CHUNK_LANES, dtype=np.int64)
    tail[0] = weight
    for index, name in enumerate(manifest.metrics, start=1):
        value = float(metrics[name])
        if not np.isfinite(value):
            raise NotRepresentable(f"metric {name} is {value}: training diverged, lower the learning rate")
        cut = max(-METRIC_RANGE, min(METRIC_RANGE, value))
        tail[index] = weight * round(cut * 2.0 ** metric_bits(terms))
    return tail.astype(np.uint32)


def group_weight(manifest: Manifest, total: Lanes) -> int:
    """The weight lane of a group's sum, read as int32."""
    return int(signed(total)[manifest.model_lanes])


def dishonest_chunk(terms: Terms, manifest: Manifest, total: Lanes, survivors: int) -> int | None:
    """The first chunk in which a group's sum cannot come from honest updates of that many survivors, the last one where
    its weight cannot; None for an honest sum. A group with such a chunk is quarantined.

    Each weight is 1..max_weight and each lane at most weight * max_value, and the terms keep such sums from wrapping.
    Metric lanes do not count: they never touch the model, and `decode_metrics` drops those out of range.
    """
    weight = group_weight(manifest, total)
    if not survivors <= weight <= survivors * terms.max_weight:
        return manifest.model_lanes // CHUNK_LANES
    lanes = signed(total)[: manifest.model_lanes]
    if terms.grid.in_range(lanes, weight):
        return None
    chunks = lanes.reshape(-1, CHUNK_LANES)
    return next(at for at, chunk in enumerate(chunks) if not terms.grid.in_range(chunk, weight))


def is_honest(terms: Terms, manifest: Manifest, total: Lanes, survivors: int) -> bool:
    """Whether a group's sum could come from honest updates of that many survivors."""
    return dishonest_chunk(terms, manifest, total, survivors) is None


def decode_metrics(terms: Terms, manifest: Manifest, totals: Mapping[int, Lanes]) -> dict[str, float]:
    """Each metric's mean by weight over the groups in `totals` (opened, not quarantined).

    A group whose metric sum is beyond what its weight allows is left out of that metric; a metric with no group left
    is not in the result.
    """
    scale = 2.0 ** metric_bits(terms)
    means: dict[str, float] = {}
    for index, name in enumerate(manifest.metrics, start=1):
        total, weights = 0, 0
        for _, lanes in sorted(totals.items()):
            weight, value = group_weight(manifest, lanes), int(signed(lanes)[manifest.model_lanes + index])
            if abs(value) <= weight * round(METRIC_RANGE * scale):
                total, weights = total + value, weights + weight
        if weights:
            means[name] = total / (weights * scale)
    return means
