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

from foedus.aggregator.he.ciphertexts import Form, MalformedCiphertexts, packed, size_of, unpacked
from foedus.aggregator.he.params import BFV, CKKS

FORMS = pytest.mark.parametrize("form", [BFV.form, CKKS.form, BFV.key_form, CKKS.key_form])


def moduli(form: Form) -> np.ndarray:
    """The prime of each coefficient of a ciphertext."""
    return np.tile(np.repeat(np.array(form.primes, dtype=np.uint64), form.degree), 2)


def vector(form: Form, seed: int, count: int = 1) -> bytes:
    """Ciphertexts of random coefficients."""
    generator = np.random.default_rng(seed)
    return b"".join(form.pack(generator.integers(0, moduli(form), dtype=np.uint64)) for _ in range(count))


def with_coefficient(form: Form, value: int, at: int) -> bytes:
    words = form.unpack(vector(form, 1))
    words[at] = value
    return form.pack(words)


@given(st.sampled_from(CKKS.primes + BFV.primes), st.data())
def test_packing_loses_nothing(prime: int, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.integers(0, 256 ** size_of(prime) - 1), min_size=1, max_size=40))
    blob = packed(np.array(values, dtype=np.uint64), prime)
    assert len(blob) == size_of(prime) * len(values)
    assert unpacked(blob, prime).tolist() == values


@FORMS
def test_ciphertexts_are_whole_chunks(form: Form) -> None:
    assert form.size % 1024 == 0
    assert len(vector(form, 1)) == form.size
    words = form.unpack(vector(form, 1))
    assert np.array_equal(form.unpack(form.pack(words)), words)


@FORMS
@settings(max_examples=5, deadline=None)
@given(st.lists(st.integers(0, 2**32), min_size=1, max_size=6), st.integers(1, 2))
def test_a_sum_is_exact(form: Form, seeds: list[int], count: int) -> None:
    vectors = [vector(form, seed, count) for seed in seeds]
    total, primes = form.summed(vectors), moduli(form).tolist()
    form.check(total, count)
    for at in range(0, len(total), form.size):
        columns = [form.unpack(blob[at : at + form.size]).tolist() for blob in vectors]
        want = [sum(column) % prime for *column, prime in zip(*columns, primes, strict=True)]
        assert form.unpack(total[at : at + form.size]).tolist() == want


@FORMS
def test_the_largest_sum_does_not_wrap(form: Form) -> None:
    largest = form.pack(moduli(form) - np.uint64(1))
    assert np.array_equal(form.unpack(form.summed([largest] * 1024)), moduli(form) - np.uint64(1024))
    with pytest.raises(MalformedCiphertexts):
        form.summed([largest] * 1025)


@pytest.mark.parametrize("name", ["BFV", "CKKS"])
def test_a_sum_is_the_same_bytes_in_any_order_and_in_another_process(name: str, tmp_path: Path) -> None:
    form = {"BFV": BFV, "CKKS": CKKS}[name].form
    vectors = [vector(form, seed, 2) for seed in range(7)]
    total = form.summed(vectors)
    for seed in range(5):
        random.Random(seed).shuffle(vectors)
        assert form.summed(vectors) == total
    for at, blob in enumerate(vectors):
        (tmp_path / f"{at}").write_bytes(blob)
    program = (
        "import sys, pathlib, hashlib; from foedus.aggregator.he import params;"
        "blobs = [pathlib.Path(name).read_bytes() for name in sys.argv[2:]];"
        "print(hashlib.sha256(getattr(params, sys.argv[1]).form.summed(blobs)).hexdigest())"
    )
    names = [str(tmp_path / f"{at}") for at in range(7)]
    ran = subprocess.run([sys.executable, "-c", program, name, *names], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == sha256(total).hexdigest()


@FORMS
def test_a_coefficient_beyond_its_modulus_is_refused(form: Form) -> None:
    for at in (0, form.degree - 1, form.coefficients - 1):
        prime = int(moduli(form)[at])
        form.check(with_coefficient(form, prime - 1, at), 1)
        for value in (prime, prime + 1, 256 ** size_of(prime) - 1):
            with pytest.raises(MalformedCiphertexts, match="beyond its modulus"):
                form.check(vector(form, 3) + with_coefficient(form, value, at), 2)


@FORMS
def test_another_length_is_refused_unread(form: Form) -> None:
    for size in (0, 1, form.size - 1, form.size + 1, 2 * form.size):
        with pytest.raises(MalformedCiphertexts, match="bytes where"):
            form.check(bytes(size), 1)


def test_nothing_and_unlike_lengths_are_no_sum() -> None:
    for vectors in ([], [vector(BFV.form, 1), vector(BFV.form, 2, 2)]):
        with pytest.raises(MalformedCiphertexts):
            BFV.form.summed(vectors)
