"""A finished model as a safetensors file: names, shapes and float32 values, and nothing that could run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foedus.learning.update import model_arrays
from foedus.protocol.chunks import lanes_to_bytes, vector_root
from foedus.protocol.manifest import Manifest


def to_safetensors(
    manifest: Manifest, lanes: NDArray[np.int32], scale_bits: int, metadata: Mapping[str, str] | None = None
) -> bytes:
    """The model as safetensors bytes, float32; the header's metadata names its `model_root` and `scale_bits`.

    lanes: int32, shape (manifest.model_lanes,). Load it with `model.load_state_dict(safetensors.torch.load_file(path),
    strict=False)`: integer buffers are not part of a task's model.
    """
    from safetensors.numpy import save

    about = {"model_root": vector_root(lanes_to_bytes(lanes)).hex(), "scale_bits": str(scale_bits)}
    made: bytes = save(model_arrays(manifest, lanes, scale_bits), {**(metadata or {}), **about})
    return made


def export(
    path: Path,
    manifest: Manifest,
    lanes: NDArray[np.int32],
    scale_bits: int,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write `to_safetensors` to a file."""
    path.write_bytes(to_safetensors(manifest, lanes, scale_bits, metadata))
