"""A participant's part of the noise: discrete Gaussian, on the update's lanes, before masking.

The sampler is OpenDP's, exact and fed by the operating system's randomness (Canonne, Kamath and Steinke, "The Discrete
Gaussian for Differential Privacy", NeurIPS 2020): floating-point noise gives itself away in its last bits.
"""

from __future__ import annotations

import numpy as np

from foedus.learning.errors import LearningError
from foedus.protocol.chunks import Lanes
from foedus.protocol.fixedpoint import signed
from foedus.protocol.manifest import Manifest
from foedus.protocol.privacy import Noise
from foedus.protocol.terms import InvalidTerms, Terms

SLICE = 1 << 16
"""Lanes that are drawn at a time: the sampler takes and gives lists."""


def noise_of(terms: Terms, manifest: Manifest) -> Noise | None:
    """The noise that the terms ask for with this model; None where they promise no differential privacy.

    Raises InvalidTerms where the promise cannot be kept with this model.
    """
    noise = terms.noise(manifest.parameters)
    if noise is None:
        return None
    if manifest.metrics:
        told = "every metric is one more answer about the data: a task with differential privacy has none"
        raise InvalidTerms(f"metrics = {list(manifest.metrics)}: {told}")
    if noise.local_std < 1:
        raise InvalidTerms(
            f"update_bits = {terms.update_bits}: each participant's noise has a standard deviation of "
            f"{noise.local_std:.2g} steps of the grid, it needs one or more: more update_bits, or a larger clip_norm"
        )
    if noise.largest > terms.max_value:
        raise InvalidTerms(
            f"max_value = {terms.max_value}: with its noise a lane of an update may reach {noise.largest}: fewer "
            "update_bits, participants or noise make room"
        )
    return noise


def fits(noise: Noise, lanes: Lanes) -> bool:
    """Whether rounding left an update's norm within what its noise hides."""
    values = signed(lanes)[: noise.parameters].astype(np.float64)
    return float(np.dot(values, values)) <= noise.sensitivity**2


def hidden(noise: Noise, lanes: Lanes, max_value: int) -> Lanes:
    """An update's lanes with this participant's noise on the model's parameters.

    lanes: uint32, from `encode_update`. No value exceeds `max_value`; the chance that one is cut is below 2**-100.
    Raises LearningError where the sampler is not installed.
    """
    try:
        import opendp.prelude as dp
    except ImportError as error:
        raise LearningError(
            "this task has differential privacy, which needs OpenDP: pip install 'foedus[privacy]'"
        ) from error
    dp.enable_features("contrib")
    space = dp.vector_domain(dp.atom_domain(T="i32")), dp.l2_distance(T="f64")
    draw = dp.m.make_gaussian(*space, scale=noise.local_std)
    values = signed(lanes).astype(np.int64)
    for start in range(0, noise.parameters, SLICE):
        part = slice(start, min(start + SLICE, noise.parameters))
        values[part] += np.array(draw([0] * (part.stop - part.start)), dtype=np.int64)
    values[: noise.parameters] = values[: noise.parameters].clip(-max_value, max_value)
    wrapped: Lanes = values.astype(np.uint32)
    return wrapped
