"""An update's lanes made block by block from the model before and after training: nothing of the vector's size is held.

The law is `protocol.rounding`'s; the noise is the ChaCha20 keystream (RFC 8439) of a key, two bytes a lane. The lanes
are laid out as `update.encode_update` has them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from numpy.typing import NDArray

from foedus.aggregator.lanesource import BLOCK_LANES, Fill
from foedus.aggregator.update import update_tail
from foedus.protocol.chunks import Lanes
from foedus.protocol.fixedpoint import NotRepresentable, signed
from foedus.protocol.manifest import MalformedManifest, Manifest
from foedus.protocol.rounding import NOISE_BITS, round_block
from foedus.protocol.terms import Terms

Arrays = Mapping[str, NDArray[np.floating]]
"""Named tensors in the manifest's order."""

Noise = Callable[[memoryview], None]
"""Fills a view with the noise's next bytes."""

_NOISE_BYTES = NOISE_BITS // 8
_ZEROS = memoryview(bytes(_NOISE_BYTES * BLOCK_LANES))


class UpdateStream:
    """The update from `before` to `after`, a LaneSource.

    The arrays are read when lanes are asked for: leave them as they are until then. Differences are taken in float32
    where all arrays have that precision, otherwise in float64. key: 32 bytes that fix the rounding.
    Raises MalformedManifest where names or shapes are not the manifest's, NotRepresentable for a weight beyond the
    terms or a metric that is not finite; `begin`'s function raises it for a value that is no number.
    """

    def __init__(
        self,
        terms: Terms,
        manifest: Manifest,
        before: Arrays,
        after: Arrays,
        weight: int,
        metrics: Mapping[str, float],
        key: bytes,
    ) -> None:
        for arrays in (before, after):
            shapes = {name: tuple(array.shape) for name, array in arrays.items()}
            if list(shapes.items()) != [(tensor.name, tensor.shape) for tensor in manifest.tensors]:
                raise MalformedManifest(f"tensors {shapes} are not the task's")
        self._grid, self._manifest, self._weight, self._key = terms.grid, manifest, weight, key
        self._tail = update_tail(terms, manifest, weight, metrics)
        self._offsets = [tensor.offset for tensor in manifest.tensors]
        self._pairs = [(after[name].reshape(-1), before[name].reshape(-1)) for name in before]
        narrow = all(array.dtype == np.float32 for pair in self._pairs for array in pair)
        self._precision = np.dtype(np.float32 if narrow else np.float64)
        self._shrink = self._shrinking() if self._grid.clip_norm else 1.0

    @property
    def lanes(self) -> int:
        return self._manifest.update_lanes

    def begin(self) -> Fill:
        stream = Cipher(ChaCha20(self._key, bytes(16)), mode=None).encryptor()
        room = memoryview(bytearray(_NOISE_BYTES * min(BLOCK_LANES, self._manifest.model_lanes)))
        at, end = 0, self._manifest.model_lanes

        def fill(out: Lanes) -> None:
            nonlocal at
            inside = max(0, min(out.shape[0], end - at))
            if inside:
                words = room[: _NOISE_BYTES * inside]
                stream.update_into(_ZEROS[: len(words)], words)
                noise = np.frombuffer(words, dtype="<u2").astype(np.uint16, copy=False)
                target = signed(out[:inside])
                moved = self._difference(at, target)
                round_block(self._grid, moved, self._shrink, self._weight, noise, target)
            if inside < out.shape[0]:
                out[inside:] = self._tail
            at += out.shape[0]

        return fill

    def _difference(self, start: int, room: NDArray[np.int32]) -> NDArray[np.floating]:
        """What training moved from lane `start` on: in the memory of `room` where the precision fits it."""
        narrow = self._precision.itemsize == room.itemsize
        moved: NDArray[np.floating] = room.view(self._precision) if narrow else np.empty(room.shape, self._precision)
        end, done = start + room.shape[0], start
        for number in range(max(0, bisect_right(self._offsets, start) - 1), len(self._pairs)):
            offset, (after, before) = self._offsets[number], self._pairs[number]
            if offset >= end:
                break
            low, high = max(start, offset), min(end, offset + after.shape[0])
            if low < high:
                part = slice(low - offset, high - offset)
                np.subtract(after[part], before[part], out=moved[low - start : high - start], dtype=self._precision)
                done = high
        moved[done - start :] = 0
        return moved

    def _shrinking(self) -> float:
        """What the differences are multiplied by to have the L2 norm that they may have."""
        squares, room = 0.0, np.empty(BLOCK_LANES, dtype=np.int32)
        for start in range(0, self._manifest.model_lanes, BLOCK_LANES):
            moved = self._difference(start, room[: self._manifest.model_lanes - start]).astype(np.float64)
            squares += float(np.add.reduce(np.square(moved, out=moved)))
        if not np.isfinite(squares):
            raise NotRepresentable("the update has no finite norm: training diverged, lower its learning rate")
        norm = float(np.sqrt(squares))
        return self._grid.clip_norm / norm if norm > self._grid.clip_norm else 1.0
