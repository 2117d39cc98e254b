"""Mask seeds, and the keystream that each of them stands for.

A pair seed is HKDF-SHA256 (RFC 5869) over an X25519 secret, bound through `info` to the context and to both parties; a
seed's mask is the ChaCha20 keystream (RFC 8439, section 2.4) under the seed as key, nonce zero, read as big-endian
lanes. A chunk of 256 lanes is 16 blocks, so chunk c starts at block counter 16 c and can be made without the others.
"""

from __future__ import annotations

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from nacl.bindings import crypto_core_ed25519_scalar_reduce, crypto_scalarmult
from nacl.exceptions import CryptoError

from foedus.aggregator.keys import Random
from foedus.protocol.chunks import CHUNK_BYTES, CHUNK_LANES, Lanes
from foedus.protocol.commitments import Context, Keyed
from foedus.protocol.ids import Address, PublicKey, Seed
from foedus.protocol.round import Participant

BLOCKS_PER_CHUNK = 16
BLOCK_CHUNKS = 128
"""Chunks that are made at a time: 128 KiB, which stays in cache and is little beside the vector."""

ORDER = 2**252 + 27742317777372353535851937790883648493
"""The order of the Ed25519 base point (RFC 8032, section 5.1)."""

ZEROS = memoryview(bytes(1 << 18))
"""What a cipher is given where its keystream alone is wanted."""


class UnusableKey(ValueError):
    """A public key that makes no secret with ours."""

    def __init__(self, participant: Address, key: PublicKey) -> None:
        super().__init__(f"the mask key {key.hex()} of {participant} is of low order: mask without them")
        self.participant, self.key = participant, key


class BadSeed(ValueError):
    """Bytes that are no canonical, non-zero scalar."""


def pair_seed(context: Context, mask: bytes, me: Participant, other: Participant) -> Seed:
    """The seed that two participants share: s_ij = s_ji. `mask` is my private mask key, 32 bytes.

    64 bytes of HKDF output are reduced modulo the group order, which leaves no bias to speak of (2**-259). Raises
    UnusableKey where the other's key is of low order.
    """
    try:
        shared = crypto_scalarmult(mask, other.mask_key)
    except (CryptoError, RuntimeError) as error:
        raise UnusableKey(other.address, other.mask_key) from error
    if not any(shared):
        raise UnusableKey(other.address, other.mask_key)
    info = context.pair_info("mask", Keyed(me.address, me.mask_key), Keyed(other.address, other.mask_key))
    wide = HKDF(algorithm=SHA256(), length=64, salt=None, info=info).derive(shared)
    return Seed(crypto_core_ed25519_scalar_reduce(wide))


def self_seed(random: Random) -> Seed:
    """A fresh seed of one's own: b_i, new for every masking."""
    return Seed(crypto_core_ed25519_scalar_reduce(random(64)))


def checked_seed(blob: bytes) -> Seed:
    """`blob` as a seed. Raises BadSeed unless it is a canonical scalar other than zero, 32 bytes little-endian."""
    if len(blob) != 32 or not 0 < int.from_bytes(blob, "little") < ORDER:
        raise BadSeed(f"{len(blob)} bytes that are no canonical scalar other than zero")
    return Seed(blob)


class Keystream:
    """A seed's mask from chunk `first_chunk` on, in order, without an allocation a block."""

    def __init__(self, seed: Seed, first_chunk: int = 0) -> None:
        nonce = (BLOCKS_PER_CHUNK * first_chunk).to_bytes(4, "little") + bytes(12)
        self.xor_into = Cipher(ChaCha20(seed, nonce), mode=None).encryptor().update_into
        """Writes the next chunks, big-endian, over the whole of its second argument, xored with the first: `ZEROS`."""

    def into(self, buffer: bytearray, chunks: int) -> None:
        """The next `chunks` chunks (at most 256), big-endian, to the front of `buffer`."""
        size = CHUNK_BYTES * chunks
        self.xor_into(ZEROS[:size], memoryview(buffer)[:size])


def prg(seed: Seed, first_chunk: int, chunks: int) -> Lanes:
    """The mask of chunks `first_chunk`..`first_chunk + chunks - 1`: native uint32, shape (chunks * 256,)."""
    out = np.empty(chunks * CHUNK_LANES, dtype=np.uint32)
    stream, buffer = Keystream(seed, first_chunk), bytearray(1024 * BLOCK_CHUNKS)
    for start in range(0, chunks, BLOCK_CHUNKS):
        count = min(BLOCK_CHUNKS, chunks - start)
        stream.into(buffer, count)
        lanes = np.frombuffer(buffer, dtype=">u4", count=count * CHUNK_LANES)
        out[start * CHUNK_LANES : (start + count) * CHUNK_LANES] = lanes
    return out
