"""TenSEAL and the library below it, SEAL: keys, encryption and decryption for the mode `bfv`, and nothing else.

SEAL is given no byte that a peer wrote: a key or a ciphertext reaches it as coefficients that were checked one by one,
in a frame of SEAL's own format that this process made. So hostile bytes meet neither its parser nor its decompression.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foedus.aggregator.bfv_params import BFV, Parameters, T, checked
from foedus.aggregator.ciphertexts import CIPHERTEXT_BYTES, POLYNOMIALS, Coefficients
from foedus.aggregator.ciphertexts import packed as pack
from foedus.aggregator.ciphertexts import unpacked as unpack
from foedus.aggregator.pads import Residues
from foedus.aggregator.protobuf import fields, framed, varint

VERSION = b"FDK\x01"
_HEADER = struct.Struct(">IHH")
_HEAD_BYTES = len(VERSION) + _HEADER.size + 8 * (len(BFV.primes) + 1)
KEY_BYTES = _HEAD_BYTES + len(BFV.primes) * CIPHERTEXT_BYTES
"""A public key's blob: version, degree, how many primes, the primes, t, then the coefficients of two polynomials modulo
each prime, in planes."""

_SEAL_HEAD = struct.Struct("<HBBBBHQ")
_SEAL_MAGIC, _PLAIN, _ZSTD = 0xA15E, 0, 2


class HeMissing(RuntimeError):
    """TenSEAL, or the decompression of what it writes, is not installed."""


class MalformedKey(ValueError):
    """Bytes that are no public key of the mode."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A key holder's keys for one group and opening. secret: a TenSEAL context with its secret key, which must be kept
    to itself and erased once the round is final; public: the blob that `checked_key` takes."""

    secret: bytes = field(repr=False)
    public: bytes = field(repr=False)


def tenseal() -> ModuleType:
    """TenSEAL. Raises HeMissing."""
    try:
        import tenseal as found
        import zstandard  # noqa: F401
    except ImportError as error:
        raise HeMissing("this task's mode encrypts, which needs TenSEAL: pip install 'foedus[he]'") from error
    module: ModuleType = found
    return module


def make_keys() -> KeyPair:
    """A fresh pair, from SEAL's generator, which the operating system seeds."""
    context = _fresh()
    secret: bytes = context.serialize(
        save_public_key=True, save_secret_key=True, save_galois_keys=False, save_relin_keys=False
    )
    found = dict(fields(dict(fields(secret))[2]))[1]
    words = np.frombuffer(_inflated(found)[-POLYNOMIALS * len(BFV.primes) * BFV.degree * 8 :], dtype="<u8")
    head = VERSION + _HEADER.pack(BFV.degree, len(BFV.primes), 0) + struct.pack(">3Q", *BFV.primes, T)
    return KeyPair(secret, head + pack(words.astype(np.uint64)))


def checked_key(blob: bytes) -> Coefficients:
    """The coefficients of a peer's public key: shape (2, primes, degree).

    Raises WeakParameters or OtherParameters where it states any but the mode's parameters, MalformedKey for anything
    else that is not what `make_keys` gives. There is no room in this form for a secret key.
    """
    offered = _parameters(blob)
    checked(offered)
    if len(blob) != KEY_BYTES:
        raise MalformedKey(f"a public key of {len(blob)} bytes where {KEY_BYTES} are due")
    words = unpack(blob[_HEAD_BYTES:]).reshape(POLYNOMIALS, len(BFV.primes), BFV.degree)
    if (words >= np.array(BFV.primes, dtype=np.uint64)[None, :, None]).any():
        raise MalformedKey("a public key with a coefficient beyond its modulus")
    return words


def _parameters(blob: bytes) -> Parameters:
    if blob[:4] != VERSION or len(blob) < 4 + _HEADER.size:
        raise MalformedKey(f"{len(blob)} bytes that do not start with {VERSION!r}")
    degree, count, spare = _HEADER.unpack_from(blob, 4)
    at = 4 + _HEADER.size
    if spare or not 0 < count <= 16 or len(blob) < at + 8 * (count + 1):
        raise MalformedKey(f"{len(blob)} bytes that state {count} primes")
    words = struct.unpack_from(f">{count + 1}Q", blob, at)
    return Parameters(degree, words[:count], words[count])


class Encryptor:
    """Encrypts under one public key."""

    def __init__(self, key: bytes) -> None:
        """key: a blob, checked here. Raises as `checked_key` does, and HeMissing."""
        words = checked_key(key)
        frame = _key_frame()
        public = frame[: -words.size * 8] + words.astype("<u8").tobytes()
        proto = framed(1, _parameters_bytes()) + framed(2, framed(1, _seal(public)))
        self._he = tenseal()
        self._context = self._he.context_from(proto, n_threads=1)

    def encrypt(self, lanes: Residues) -> bytes:
        """One ciphertext, `CIPHERTEXT_BYTES`. lanes: below t, shape (4096,)."""
        plain = self._he.plain_tensor(lanes, dtype="int")
        made = dict(fields(self._he.bfv_vector(self._context, plain).serialize()))[2]
        return pack(_words(_inflated(made), POLYNOMIALS * BFV.degree))


class Decryptor:
    """Decrypts with one secret key."""

    def __init__(self, secret: bytes) -> None:
        """secret: of a `KeyPair` that was made here. Raises HeMissing."""
        self._he = tenseal()
        self._context = self._he.context_from(secret, n_threads=1)

    def decrypt(self, ciphertexts: bytes) -> Iterator[NDArray[np.int64]]:
        """The lanes of each ciphertext: int64 below t, shape (4096,). ciphertexts: passed by `check_ciphertexts`."""
        frame = _ciphertext_frame()
        for start in range(0, len(ciphertexts), CIPHERTEXT_BYTES):
            words = unpack(ciphertexts[start : start + CIPHERTEXT_BYTES])
            sealed = _seal(frame[: -words.size * 8] + words.astype("<u8").tobytes())
            proto = framed(1, varint(BFV.degree)) + framed(2, sealed)
            lanes = self._he.bfv_vector_from(self._context, proto).decrypt()
            yield np.array(lanes, dtype=np.int64) % T


def _fresh() -> Any:
    he = tenseal()
    sizes = [prime.bit_length() for prime in BFV.primes]
    return he.context(he.SCHEME_TYPE.BFV, BFV.degree, T, coeff_mod_bit_sizes=sizes, n_threads=1)


@cache
def _parameters_bytes() -> bytes:
    """What SEAL writes for the mode's parameters."""
    return dict(fields(_fresh().serialize(save_secret_key=False)))[1]


@cache
def _key_frame() -> bytes:
    """A public key as SEAL writes it, without compression: only its coefficients differ from another one's."""
    return _inflated(dict(fields(dict(fields(_fresh().serialize(save_secret_key=False)))[2]))[1])


@cache
def _ciphertext_frame() -> bytes:
    """A ciphertext as SEAL writes it, without compression: only its coefficients differ from another one's."""
    he = tenseal()
    zero = he.bfv_vector(_fresh(), he.plain_tensor([0] * BFV.degree, dtype="int"))
    return _inflated(dict(fields(zero.serialize()))[2])


def _words(inflated: bytes, count: int) -> Coefficients:
    return np.frombuffer(inflated[-8 * count :], dtype="<u8").astype(np.uint64)


def _inflated(sealed: bytes) -> bytes:
    """The members of an object that SEAL, in this process, wrote with a compressed body."""
    from zstandard import ZstdDecompressor

    magic, size, major, minor, mode, _, length = _SEAL_HEAD.unpack_from(sealed)
    if (magic, size, mode, length) != (_SEAL_MAGIC, _SEAL_HEAD.size, _ZSTD, len(sealed)):
        raise HeMissing(f"SEAL {major}.{minor} writes another form than SEAL 4: install another release of TenSEAL")
    body: bytes = ZstdDecompressor().decompress(sealed[size:], max_output_size=1 << 20)
    return body


def _seal(body: bytes) -> bytes:
    """An object as SEAL reads it, its body not compressed."""
    _, size, major, minor, *_ = _SEAL_HEAD.unpack_from(_parameters_bytes())
    return _SEAL_HEAD.pack(_SEAL_MAGIC, size, major, minor, _PLAIN, 0, size + len(body)) + body
