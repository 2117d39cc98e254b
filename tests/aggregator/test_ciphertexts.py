"""Laws of stored ciphertexts: one form, exact sums in any order on any machine, and nothing malformed gets in."""

from __future__ import annotations

import random
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foedus.aggregator.bfv_params import BFV
from foedus.aggregator.ciphertexts import (
    CIPHERTEXT_BYTES,
    MalformedCiphertexts,
    check_ciphertexts,
    packed,
    summed,
    unpacked,
)

Q = BFV.primes[0]
COEFFICIENTS = 2 * BFV.degree


def vector(seed: int, count: int = 1) -> bytes:
    """Ciphertexts of random coefficients."""
    generator = np.random.default_rng(seed)
    return b"".join(packed(generator.integers(0, Q, COEFFICIENTS, dtype=np.uint64)) for _ in range(count))


def with_coefficient(value: int, at: int = 0) -> bytes:
    words = unpacked(vector(1))
    words[at] = value
    return packed(words)


@given(st.lists(st.integers(0, 2**56 - 1), min_size=1, max_size=40))
def test_packing_loses_nothing(values: list[int]) -> None:
    blob = packed(np.array(values, dtype=np.uint64))
    assert len(blob) == 7 * len(values)
    assert unpacked(blob).tolist() == values


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 2**32), min_size=1, max_size=6), st.integers(1, 2))
def test_a_sum_is_exact(seeds: list[int], count: int) -> None:
    vectors = [vector(seed, count) for seed in seeds]
    total = summed(vectors)
    check_ciphertexts(total, count)
    for at in range(0, len(total), CIPHERTEXT_BYTES):
        columns = [unpacked(blob[at : at + CIPHERTEXT_BYTES]).tolist() for blob in vectors]
        want = [sum(column) % Q for column in zip(*columns, strict=True)]
        assert unpacked(total[at : at + CIPHERTEXT_BYTES]).tolist() == want


def test_the_largest_sum_does_not_wrap() -> None:
    largest = packed(np.full(COEFFICIENTS, Q - 1, dtype=np.uint64))
    assert unpacked(summed([largest] * 1024)).tolist() == [-1024 % Q] * COEFFICIENTS
    with pytest.raises(MalformedCiphertexts):
        summed([largest] * 1025)


def test_a_sum_is_the_same_bytes_in_any_order_and_in_another_process(tmp_path: Path) -> None:
    vectors = [vector(seed, 2) for seed in range(7)]
    total = summed(vectors)
    for seed in range(5):
        random.Random(seed).shuffle(vectors)
        assert summed(vectors) == total
    for at, blob in enumerate(vectors):
        (tmp_path / f"{at}").write_bytes(blob)
    program = (
        "import sys, pathlib, hashlib; from foedus.aggregator.ciphertexts import summed;"
        "print(hashlib.sha256(summed([pathlib.Path(name).read_bytes() for name in sys.argv[1:]])).hexdigest())"
    )
    names = [str(tmp_path / f"{at}") for at in range(7)]
    ran = subprocess.run([sys.executable, "-c", program, *names], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == sha256(total).hexdigest()


@pytest.mark.parametrize("value", [Q, Q + 1, 2**54 - 1, 2**55, 2**56 - 1])
@pytest.mark.parametrize("at", [0, COEFFICIENTS - 1])
def test_a_coefficient_beyond_the_modulus_is_refused(value: int, at: int) -> None:
    check_ciphertexts(with_coefficient(Q - 1, at), 1)
    with pytest.raises(MalformedCiphertexts, match="beyond the modulus"):
        check_ciphertexts(vector(3) + with_coefficient(value, at), 2)


@pytest.mark.parametrize("size", [0, 1, CIPHERTEXT_BYTES - 1, CIPHERTEXT_BYTES + 1, 2 * CIPHERTEXT_BYTES])
def test_another_length_is_refused_unread(size: int) -> None:
    with pytest.raises(MalformedCiphertexts, match="bytes where"):
        check_ciphertexts(bytes(size), 1)


def test_nothing_and_unlike_lengths_are_no_sum() -> None:
    for vectors in ([], [vector(1), vector(2, 2)]):
        with pytest.raises(MalformedCiphertexts):
            summed(vectors)
