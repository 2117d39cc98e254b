"""Which lanes of the flat model vector are which tensor: names, shapes and offsets, in one canonical order."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from math import prod

import numpy as np
from numpy.typing import NDArray

from foedus.protocol.chunks import CHUNK_LANES, padded
from foedus.protocol.hostile import load_json
from foedus.protocol.ids import Hash32

MAX_TENSORS = 100_000
MAX_LANES = 2**31


class MalformedManifest(ValueError):
    """Bytes that are no manifest, or arrays that do not fit one."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor's place: `size` lanes from `offset`, row-major."""

    name: str
    shape: tuple[int, ...]
    offset: int

    @property
    def size(self) -> int:
        return prod(self.shape)


@dataclass(frozen=True, slots=True)
class Manifest:
    """Every tensor of the model, in lane order, and the names of the metrics that travel beside it.

    The model vector has `model_lanes` lanes, whole chunks; an update has one chunk more: the weight, then the metrics.
    """

    tensors: tuple[Tensor, ...]
    metrics: tuple[str, ...] = ()

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[np.floating]], metrics: tuple[str, ...] = ()) -> Manifest:
        """The manifest of named arrays, in their own order. At most 255 metrics."""
        if len(metrics) >= CHUNK_LANES:
            raise MalformedManifest(f"{len(metrics)} metrics, more than {CHUNK_LANES - 1}")
        tensors, offset = [], 0
        for name, array in arrays.items():
            tensors.append(Tensor(name, tuple(array.shape), offset))
            offset += tensors[-1].size
        return cls(tuple(tensors), metrics)

    @property
    def parameters(self) -> int:
        """The number of values in all tensors."""
        return sum(tensor.size for tensor in self.tensors)

    @property
    def model_lanes(self) -> int:
        return padded(self.parameters)

    @property
    def update_lanes(self) -> int:
        return self.model_lanes + CHUNK_LANES

    def pack(self, arrays: Mapping[str, NDArray[np.floating]]) -> NDArray[np.float64]:
        """Named arrays to one float64 vector of `model_lanes`, zero-padded. Raises MalformedManifest on a misfit."""
        if list(arrays) != [tensor.name for tensor in self.tensors]:
            raise MalformedManifest(f"tensors {list(arrays)} are not the task's {[t.name for t in self.tensors]}")
        flat = np.zeros(self.model_lanes, dtype=np.float64)
        for tensor in self.tensors:
            array = arrays[tensor.name]
            if tuple(array.shape) != tensor.shape:
                raise MalformedManifest(f"{tensor.name} has shape {tuple(array.shape)}, the task says {tensor.shape}")
            flat[tensor.offset : tensor.offset + tensor.size] = array.reshape(-1)
        return flat

    def unpack(self, flat: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """The vector of `model_lanes` back to named float64 arrays (views)."""
        if flat.shape != (self.model_lanes,):
            raise MalformedManifest(f"a vector of shape {flat.shape} where the model has {self.model_lanes} lanes")
        return {t.name: flat[t.offset : t.offset + t.size].reshape(t.shape) for t in self.tensors}

    def to_bytes(self) -> bytes:
        """Canonical JSON: the same manifest is the same bytes."""
        rows = [[tensor.name, list(tensor.shape), tensor.offset] for tensor in self.tensors]
        return json.dumps({"metrics": list(self.metrics), "tensors": rows}, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, blob: bytes) -> Manifest:
        """Parse and validate. Raises MalformedManifest for anything but what `to_bytes` writes."""
        try:
            raw = load_json(blob)
            rows = [(str(name), tuple(int(side) for side in shape)) for name, shape, _ in raw["tensors"]]
            metrics = tuple(str(name) for name in raw["metrics"])
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise MalformedManifest(f"not a manifest: {error}") from error
        if len(rows) > MAX_TENSORS or len({name for name, _ in rows}) != len(rows):
            raise MalformedManifest(f"{len(rows)} tensors, or two of one name")
        if any(side < 0 for _, shape in rows for side in shape) or sum(prod(shape) for _, shape in rows) > MAX_LANES:
            raise MalformedManifest("a tensor with a negative side, or more than 2**31 values in all")
        tensors, offset = [], 0
        for name, shape in rows:
            tensors.append(Tensor(name, shape, offset))
            offset += prod(shape)
        manifest = cls(tuple(tensors), metrics)
        if manifest.to_bytes() != blob or len(metrics) >= CHUNK_LANES:
            raise MalformedManifest("not in canonical form")
        return manifest

    @property
    def digest(self) -> Hash32:
        return Hash32(sha256(self.to_bytes()).digest())
