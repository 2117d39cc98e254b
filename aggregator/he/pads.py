"""Pads: what hides an update from whoever can decrypt its ciphertexts.

A seed's pad is the ChaCha20 keystream under it (RFC 8439, section 2.4), read as big-endian words of which the low 26
bits count; those that are not below t are skipped, so that every lane is uniform modulo t. The sum of all pads of a
group, and no single one, is what the pad holder makes public.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from foedus.aggregator.he.params import T
from foedus.aggregator.seeds import BLOCK_CHUNKS, Keystream
from foedus.protocol.chunks import CHUNK_BYTES
from foedus.protocol.ids import Seed

_MASK = np.uint32((1 << T.bit_length()) - 1)

Residues = NDArray[np.uint32]
"""Lanes modulo t: uint32 below t, shape (n,)."""


def pad(seed: Seed, lanes: int) -> Residues:
    """The first `lanes` lanes of a seed's pad: uint32 below t, shape (lanes,)."""
    out = np.empty(lanes, dtype=np.uint32)
    stream, buffer, filled = Keystream(seed), bytearray(CHUNK_BYTES * BLOCK_CHUNKS), 0
    words = np.frombuffer(buffer, dtype=">u4")
    while filled < lanes:
        stream.into(buffer, BLOCK_CHUNKS)
        drawn = words.astype(np.uint32) & _MASK
        kept = drawn[drawn < T][: lanes - filled]
        out[filled : filled + kept.shape[0]] = kept
        filled += kept.shape[0]
    return out


def pad_sum(seeds: Iterable[Seed], lanes: int) -> Residues:
    """The sum of these seeds' pads modulo t: uint32 below t, shape (lanes,)."""
    total = np.zeros(lanes, dtype=np.uint64)
    for seed in seeds:
        total += pad(seed, lanes)
    return (total % T).astype(np.uint32)


def residues(update: NDArray[np.uint32]) -> Residues:
    """Lanes that mean signed integers (two's complement), modulo t."""
    return (update.view(np.int32).astype(np.int64) % T).astype(np.uint32)


def opened(decrypted: Residues, pads: Residues) -> NDArray[np.uint32]:
    """The sum that is nearest to zero of those equal to decrypted - pads modulo t: uint32, two's complement."""
    difference = (decrypted.astype(np.int64) - pads) % T
    return np.where(difference > T // 2, difference - T, difference).astype(np.int32).view(np.uint32)
