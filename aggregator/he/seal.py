"""TenSEAL and the library below it, SEAL: keys, encryption and decryption for the modes `bfv` and `ckks`, nothing else.

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

from foedus.aggregator.he.ciphertexts import MalformedCiphertexts
from foedus.aggregator.he.params import BFV, CKKS, SLOTS, Parameters, checked
from foedus.aggregator.he.protobuf import fields, fixed64, framed, varint

VERSIONS = {BFV: b"FDK\x01", CKKS: b"FDK\x02"}
_HEADER = struct.Struct(">IHH")
_SEAL_HEAD = struct.Struct("<HBBBBHQ")
_SEAL_MAGIC, _PLAIN, _ZSTD = 0xA15E, 0, 2
_MOST_BODY = 1 << 21


class HeMissing(RuntimeError):
    """TenSEAL, or the decompression of what it writes, is not installed."""


class MalformedKey(ValueError):
    """Bytes that are no public key of the mode."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A key holder's keys for one group and opening. secret: a TenSEAL context with its secret key, which must be kept
    to itself and erased once the round is final; public: the blob that `check_key` takes."""

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


def _head_bytes(parameters: Parameters) -> int:
    return 4 + _HEADER.size + 8 * (len(parameters.primes) + 1)


def key_bytes(parameters: Parameters) -> int:
    """A public key's blob: version, degree, how many primes, the primes, t or the scale, then the coefficients of two
    polynomials modulo each prime, in planes."""
    return _head_bytes(parameters) + parameters.key_form.size


def make_keys(parameters: Parameters) -> KeyPair:
    """A fresh pair, from SEAL's generator, which the operating system seeds."""
    secret: bytes = _fresh(parameters).serialize(
        save_public_key=True, save_secret_key=True, save_galois_keys=False, save_relin_keys=False
    )
    body = _inflated(dict(fields(dict(fields(secret))[2]))[1])
    words = np.frombuffer(body[-8 * parameters.key_form.coefficients :], dtype="<u8").astype(np.uint64)
    count = len(parameters.primes)
    head = VERSIONS[parameters] + _HEADER.pack(parameters.degree, count, 0)
    head += struct.pack(f">{count + 1}Q", *parameters.primes, parameters.plain)
    return KeyPair(secret, head + parameters.key_form.pack(words))


def check_key(parameters: Parameters, blob: bytes) -> None:
    """Check a peer's public key.

    Raises WeakParameters or OtherParameters where it states any but the mode's parameters, MalformedKey for anything
    else that is not what `make_keys` gives. There is no room in this form for a secret key.
    """
    checked(_stated(VERSIONS[parameters], blob), parameters)
    try:
        parameters.key_form.check(blob[_head_bytes(parameters) :], 1)
    except MalformedCiphertexts as error:
        raise MalformedKey(str(error)) from error


def _stated(version: bytes, blob: bytes) -> Parameters:
    if blob[:4] != version or len(blob) < 4 + _HEADER.size:
        raise MalformedKey(f"{len(blob)} bytes that do not start with {version!r}")
    degree, count, spare = _HEADER.unpack_from(blob, 4)
    at = 4 + _HEADER.size
    if spare or not 0 < count <= 16 or len(blob) < at + 8 * (count + 1):
        raise MalformedKey(f"{len(blob)} bytes that state {count} primes")
    words = struct.unpack_from(f">{count + 1}Q", blob, at)
    return Parameters(degree, words[:count], words[count])


class Encryptor:
    """Encrypts under one public key."""

    def __init__(self, parameters: Parameters, key: bytes) -> None:
        """key: a blob, checked here. Raises as `check_key` does, and HeMissing."""
        check_key(parameters, key)
        words = parameters.key_form.unpack(key[_head_bytes(parameters) :])
        public = _framed_words(_key_frame(parameters), words)
        keys = framed(1, _seal(public)) + (fixed64(3, float(parameters.plain)) if parameters == CKKS else b"")
        self._parameters, self._he = parameters, tenseal()
        proto = framed(1, _parameters_bytes(parameters)) + framed(2, keys)
        self._context = self._he.context_from(proto, n_threads=1)

    def encrypt(self, lanes: NDArray[Any]) -> bytes:
        """One ciphertext. lanes: shape (4096,), in BFV below t."""
        sealed = dict(fields(_vector(self._he, self._context, self._parameters, lanes).serialize()))[2]
        form = self._parameters.form
        return form.pack(np.frombuffer(_inflated(sealed)[-8 * form.coefficients :], dtype="<u8").astype(np.uint64))


class Decryptor:
    """Decrypts with one secret key."""

    def __init__(self, parameters: Parameters, secret: bytes) -> None:
        """secret: of a `KeyPair` that was made here. Raises HeMissing."""
        self._parameters, self._he = parameters, tenseal()
        self._context = self._he.context_from(secret, n_threads=1)

    def decrypt(self, ciphertexts: bytes) -> Iterator[NDArray[Any]]:
        """The lanes of each ciphertext: shape (4096,); in BFV int64, -t / 2 to t / 2, in CKKS float64. ciphertexts:
        passed by `Form.check`."""
        form, frame, ckks = self._parameters.form, _ciphertext_frame(self._parameters), self._parameters == CKKS
        read = self._he.ckks_vector_from if ckks else self._he.bfv_vector_from
        tail = fixed64(3, float(self._parameters.plain)) if ckks else b""
        for start in range(0, len(ciphertexts), form.size):
            words = form.unpack(ciphertexts[start : start + form.size])
            proto = framed(1, varint(SLOTS)) + framed(2, _seal(_framed_words(frame, words))) + tail
            yield np.array(read(self._context, proto).decrypt(), dtype=np.float64 if ckks else np.int64)


def _fresh(parameters: Parameters) -> Any:
    he = tenseal()
    sizes = [prime.bit_length() for prime in parameters.primes]
    if parameters == BFV:
        return he.context(he.SCHEME_TYPE.BFV, parameters.degree, BFV.plain, coeff_mod_bit_sizes=sizes, n_threads=1)
    context = he.context(he.SCHEME_TYPE.CKKS, parameters.degree, coeff_mod_bit_sizes=sizes, n_threads=1)
    context.global_scale = parameters.plain
    return context


def _vector(he: ModuleType, context: Any, parameters: Parameters, lanes: NDArray[Any]) -> Any:
    if parameters == CKKS:
        return he.ckks_vector(context, he.plain_tensor(lanes, dtype="float"))
    return he.bfv_vector(context, he.plain_tensor(lanes, dtype="int"))


@cache
def _parameters_bytes(parameters: Parameters) -> bytes:
    """What SEAL writes for the mode's parameters."""
    return dict(fields(_fresh(parameters).serialize(save_secret_key=False)))[1]


@cache
def _key_frame(parameters: Parameters) -> bytes:
    """A public key as SEAL writes it, without compression: only its coefficients differ from another one's."""
    return _inflated(dict(fields(dict(fields(_fresh(parameters).serialize(save_secret_key=False)))[2]))[1])


@cache
def _ciphertext_frame(parameters: Parameters) -> bytes:
    """A ciphertext as SEAL writes it, without compression: only its coefficients differ from another one's."""
    zero = _vector(tenseal(), _fresh(parameters), parameters, np.zeros(SLOTS, dtype=np.int64))
    return _inflated(dict(fields(zero.serialize()))[2])


def _framed_words(frame: bytes, words: NDArray[np.uint64]) -> bytes:
    return frame[: -8 * words.size] + words.astype("<u8").tobytes()


def _inflated(sealed: bytes) -> bytes:
    """The members of an object that SEAL, in this process, wrote with a compressed body."""
    from zstandard import ZstdDecompressor

    magic, size, major, minor, mode, _, length = _SEAL_HEAD.unpack_from(sealed)
    if (magic, size, mode, length) != (_SEAL_MAGIC, _SEAL_HEAD.size, _ZSTD, len(sealed)):
        raise HeMissing(f"SEAL {major}.{minor} writes another form than SEAL 4: install another release of TenSEAL")
    body: bytes = ZstdDecompressor().decompress(sealed[size:], max_output_size=_MOST_BODY)
    return body


def _seal(body: bytes) -> bytes:
    """An object as SEAL reads it, its body not compressed."""
    _, size, major, minor, *_ = _SEAL_HEAD.unpack_from(_parameters_bytes(BFV))
    return _SEAL_HEAD.pack(_SEAL_MAGIC, size, major, minor, _PLAIN, 0, size + len(body)) + body
