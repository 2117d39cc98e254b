"""From a base model to a participant's update lanes: one function that the simulation and the daemon both call.

The base model arrives as the chain has it, int32 lanes; the model trains in float32; the difference is put on the
terms' grid by stochastic rounding (Gupta et al., ICML 2015), block by block while it is masked
(`aggregator.updatestream`), or at once in float64 where noise is added to it. The rounding is drawn from (task seed,
partition, round), so both callers make the same bytes. It hides nothing: privacy is the masks' work, and that of the
noise where the terms promise differential privacy.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from numpy.typing import NDArray

from foedus.aggregator.lanesource import LaneSource, WholeLanes, all_lanes
from foedus.aggregator.update import encode_update
from foedus.aggregator.updatestream import UpdateStream
from foedus.learning.errors import LearningError
from foedus.learning.noise import fits, hidden, noise_of
from foedus.learning.trainer import Arrays, State, TrainConfig, Trained, Trainer, derive_seed
from foedus.protocol.chunks import Lanes
from foedus.protocol.commitments import tagged
from foedus.protocol.fixedpoint import NotRepresentable, from_fixed, to_fixed
from foedus.protocol.ids import RoundNumber
from foedus.protocol.manifest import Manifest
from foedus.protocol.terms import Terms

MAX_DRAWS = 128
"""Each rounding stays within its bound with a probability of 0.39 or more: so many all fail less than once in 2**90."""


@dataclass(frozen=True, slots=True)
class LocalUpdate:
    """A participant's part in a round, before masking.

    source: what makes its lanes: the weighted update, then the weight and the metrics. state: what the trainer may be
    handed next time; never sent.
    """

    source: LaneSource
    weight: int
    metrics: dict[str, float]
    state: State = field(default_factory=dict)

    @property
    def lanes(self) -> Lanes:
        """All of them: uint32, shape (manifest.update_lanes,), made anew at each call."""
        return all_lanes(self.source)


def model_arrays(manifest: Manifest, lanes: NDArray[np.int32], scale_bits: int) -> Arrays:
    """A model's int32 lanes, shape (manifest.model_lanes,), as named float32 arrays."""
    tensors = manifest.unpack(from_fixed(lanes, scale_bits))
    return {name: values.astype(np.float32) for name, values in tensors.items()}


def model_lanes(manifest: Manifest, arrays: Arrays, scale_bits: int) -> NDArray[np.int32]:
    """Named arrays as a model's int32 lanes. Raises LearningError for values that do not fit."""
    try:
        return to_fixed(manifest.pack(arrays), scale_bits)
    except NotRepresentable as error:
        raise LearningError(str(error)) from error


def train_config(terms: Terms, manifest: Manifest, partition: int, round_: RoundNumber) -> TrainConfig:
    """The orders for one participant's round; their seed comes from (task seed, partition, round)."""
    return TrainConfig(terms.config, derive_seed("train", terms.seed, partition, round_), manifest.metrics)


def rounding_key(terms: Terms, partition: int, round_: RoundNumber, draw: int = 0) -> bytes:
    """The 32 bytes that fix a rounding: of (task seed, partition, round), and of the how-manieth draw after the
    first."""
    numbers = [number.to_bytes(8, "big") for number in (terms.seed, partition, round_, draw)[: 4 if draw else 3]]
    return tagged("foedus/rounding/v1", *numbers)


def rounding_noise(terms: Terms, partition: int, round_: RoundNumber, lanes: int, draw: int = 0) -> NDArray[np.uint32]:
    """Uniform uint32 noise, shape (lanes,): the ChaCha20 keystream (RFC 8439) of `rounding_key`."""
    stream = bytearray(4 * lanes)
    key = rounding_key(terms, partition, round_, draw)
    Cipher(ChaCha20(key, bytes(16)), mode=None).encryptor().update_into(stream, stream)
    return np.frombuffer(stream, dtype="<u4").astype(np.uint32, copy=False)


def local_round(
    trainer: Trainer,
    terms: Terms,
    manifest: Manifest,
    base: NDArray[np.int32],
    partition: int,
    round_: RoundNumber,
    state: State | None = None,
) -> LocalUpdate:
    """Train from the base model and encode the difference.

    base: int32, shape (manifest.model_lanes,). With differential privacy every call draws other noise. Raises AppError
    where the app fails; LearningError where training diverged, or the evaluation lacks a metric that the task promises;
    InvalidTerms where the terms promise a privacy that they cannot keep.
    """
    before = model_arrays(manifest, base, terms.scale_bits)
    trained = trainer.train(before, train_config(terms, manifest, partition, round_), state or {})
    metrics = _promised(manifest, trained)
    weight = min(trained.weight, terms.max_weight) if terms.weighting == "examples" else 1
    hiding = noise_of(terms, manifest)
    try:
        if hiding is None:
            _check_finite(trained.arrays)
            key = rounding_key(terms, partition, round_)
            source = UpdateStream(terms, manifest, before, trained.arrays, weight, metrics, key)
            return LocalUpdate(source, weight, metrics, trained.state)
        vectors = manifest.pack(before), manifest.pack(trained.arrays)
        for draw in range(MAX_DRAWS):
            rounding = rounding_noise(terms, partition, round_, manifest.model_lanes, draw)
            lanes = encode_update(terms, manifest, *vectors, weight, metrics, rounding)
            if fits(hiding, lanes):
                noisy = WholeLanes(hidden(hiding, lanes, terms.max_value))
                return LocalUpdate(noisy, weight, metrics, trained.state)
    except NotRepresentable as error:
        raise LearningError(f"round {round_}: {error}") from error
    raise LearningError(f"round {round_}: rounding {MAX_DRAWS} times left the update longer than its noise hides")


def _check_finite(arrays: Arrays) -> None:
    """Raises NotRepresentable with the first value that is not finite."""
    for name, array in arrays.items():
        values = array.reshape(-1)
        if values.size and not (np.isfinite(values.min()) and np.isfinite(values.max())):
            value = float(values[int(np.argmin(np.isfinite(values)))])
            raise NotRepresentable(f"{name} holds {value}: training diverged, lower its learning rate")


def _promised(manifest: Manifest, trained: Trained) -> dict[str, float]:
    missing = [name for name in manifest.metrics if name not in trained.metrics]
    if missing:
        raise LearningError(
            f"the task promises the metrics {', '.join(missing)}, training gave {', '.join(trained.metrics)}: let the "
            "app's data() return test data and evaluate() these names, or change [task] metrics"
        )
    return {name: trained.metrics[name] for name in manifest.metrics}
