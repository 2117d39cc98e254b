"""Laws of keys in the mode `bfv`: one set of parameters, one form, and hostile bytes meet no library."""

from __future__ import annotations

import os
import struct
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foedus.aggregator.he.params import BFV, LARGEST_MODULUS, OtherParameters, Parameters, T, WeakParameters, checked
from foedus.aggregator.he.seal import (
    Decryptor,
    Encryptor,
    HeMissing,
    MalformedKey,
    check_key,
    make_keys,
    tenseal,
)
from tests.aggregator.bfv_scene import MODE, Opened

PAIR = make_keys(BFV)
REFUSED = (MalformedKey, WeakParameters, OtherParameters)
HEAD = 4 + 8 + 24
SIZE = HEAD + 2 * BFV.degree * (7 + 5)


def stated(degree: int, primes: tuple[int, ...], plain: int) -> bytes:
    """A key's blob that states these parameters."""
    head = PAIR.public[:4] + struct.pack(f">IHH{len(primes) + 1}Q", degree, len(primes), 0, *primes, plain)
    return head + PAIR.public[HEAD:]


def is_prime(number: int) -> bool:
    return all(pow(base, number - 1, number) == 1 for base in (2, 3, 5, 7, 11, 13)) and number % 2 == 1


def test_the_parameters_make_what_they_promise() -> None:
    assert [prime.bit_length() for prime in BFV.primes] == [54, 40]
    assert BFV.modulus_bits == 94
    assert LARGEST_MODULUS[BFV.degree] == 109
    for prime in (*BFV.primes, BFV.plain):
        assert is_prime(prime)
        assert prime % (2 * BFV.degree) == 1
    assert 2 * 2**24 < T < 2**26
    checked(BFV, BFV)


def test_seal_itself_takes_the_parameters_for_128_bits() -> None:
    context = tenseal().context_from(PAIR.secret)
    assert context.seal_context().data.parameters_error_message() == "valid"


@pytest.mark.parametrize(
    "weak",
    [
        Parameters(2048, BFV.primes, T),
        Parameters(4096, (*BFV.primes, 65537), T),
        Parameters(4096, (36028797018652673, 36028797018652673), T),
        Parameters(512, (12289,), T),
        Parameters(0, BFV.primes, T),
    ],
)
def test_parameters_below_128_bits_are_refused(weak: Parameters) -> None:
    with pytest.raises(WeakParameters, match="128 bits"):
        checked(weak, BFV)
    with pytest.raises(WeakParameters):
        Encryptor(BFV, stated(weak.degree, weak.primes, weak.plain))


@pytest.mark.parametrize(
    "other", [replace(BFV, degree=8192), replace(BFV, plain=65537), replace(BFV, primes=BFV.primes[::-1])]
)
def test_safe_parameters_that_are_not_the_modes_are_refused_too(other: Parameters) -> None:
    with pytest.raises(OtherParameters):
        Encryptor(BFV, stated(other.degree, other.primes, other.plain))


def test_a_public_key_is_two_polynomials_and_nothing_more() -> None:
    scene = Opened(3)
    public = scene.announced[0].public
    assert len(public) == MODE.announcement_limit(scene.layout) == 64 + SIZE
    check_key(BFV, public[64:])


def test_what_one_key_encrypts_another_does_not_decrypt() -> None:
    lanes = np.arange(BFV.degree, dtype=np.uint32)
    ciphertext = Encryptor(BFV, PAIR.public).encrypt(lanes)
    assert np.array_equal(next(Decryptor(BFV, PAIR.secret).decrypt(ciphertext)), lanes)
    assert np.mean(next(Decryptor(BFV, make_keys(BFV).secret).decrypt(ciphertext)) == lanes) < 0.01


@pytest.mark.parametrize("size", [0, 1, 4, 11, HEAD, SIZE - 1, SIZE + 1, 2 * SIZE])
def test_a_key_of_another_length_is_refused(size: int) -> None:
    blob = (PAIR.public * 2)[:size]
    with pytest.raises(MalformedKey):
        check_key(BFV, blob)
    scene = Opened(3)
    signature = scene.announced[0].public[:64]
    assert MODE.check_announcement(scene.layout, scene.context, 0, signature + blob) is not None


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.booleans())
def test_random_bytes_are_no_key(noise: bytes, known: bool) -> None:
    with pytest.raises(REFUSED):
        check_key(BFV, PAIR.public[:4] + noise if known else noise)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, SIZE - 1), st.integers(1, 255))
def test_a_changed_key_is_refused_or_is_another_key(at: int, by: int) -> None:
    blob = bytearray(PAIR.public)
    blob[at] ^= by
    try:
        encryptor = Encryptor(BFV, bytes(blob))
    except REFUSED:
        return
    assert at >= HEAD
    assert len(encryptor.encrypt(np.zeros(BFV.degree, dtype=np.uint32))) == 7 * 2 * BFV.degree


def test_any_coefficients_below_their_moduli_are_a_key_and_others_are_none() -> None:
    generator = np.random.default_rng(1)
    words = generator.integers(0, np.array(BFV.primes)[None, :, None], (2, 2, BFV.degree), dtype=np.uint64)
    Encryptor(BFV, PAIR.public[:HEAD] + BFV.key_form.pack(words.reshape(-1))).encrypt(
        np.zeros(BFV.degree, dtype=np.uint32)
    )
    for row, prime in enumerate(BFV.primes):
        bad = words.copy()
        bad[1, row, -1] = prime
        with pytest.raises(MalformedKey, match="beyond its modulus"):
            Encryptor(BFV, PAIR.public[:HEAD] + BFV.key_form.pack(bad.reshape(-1)))


def test_a_signature_by_somebody_else_is_refused() -> None:
    scene = Opened(6)
    public = scene.announced[0].public
    assert MODE.check_announcement(scene.layout, scene.context, 0, public) is None
    assert "not signed" in str(MODE.check_announcement(scene.layout, scene.context, 1, public))
    assert "not signed" in str(MODE.check_announcement(scene.layout, scene.context, 0, os.urandom(64) + public[64:]))
    assert "at most" in str(MODE.check_announcement(scene.layout, scene.context, 0, public + bytes(1 << 20)))


@pytest.mark.parametrize("missing", ["tenseal", "zstandard"])
def test_without_tenseal_the_error_says_what_to_install(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(HeMissing, match=r"pip install 'foedus\[he\]'"):
        make_keys(BFV)
