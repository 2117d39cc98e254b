"""Laws of pads: uniform modulo t, the same from the same seed, and gone once their sum is taken away."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from hypothesis import given, settings
from hypothesis import strategies as st

from foedus.aggregator.he.pads import opened, pad, pad_sum, residues
from foedus.aggregator.he.params import T
from foedus.protocol.ids import Seed

SEED = Seed(sha256(b"pad").digest())


def words_of(seed: bytes, count: int) -> list[int]:
    """A pad by its definition, word by word."""
    stream = Cipher(ChaCha20(seed, bytes(16)), mode=None).encryptor().update(bytes(8 * count))
    low = [int.from_bytes(stream[at : at + 4], "big") % 2**26 for at in range(0, len(stream), 4)]
    return [word for word in low if word < T][:count]


def test_a_pad_is_its_seeds_keystream_without_what_is_not_below_t() -> None:
    assert pad(SEED, 50_000).tolist() == words_of(SEED, 50_000)


def test_words_that_are_not_below_t_occur_and_are_skipped() -> None:
    stream = Cipher(ChaCha20(SEED, bytes(16)), mode=None).encryptor().update(bytes(4 * 50_000))
    raw = np.frombuffer(stream, dtype=">u4") & np.uint32(2**26 - 1)
    skipped = np.flatnonzero(raw >= T)
    assert len(skipped)
    first = int(skipped[0])
    made = pad(SEED, 50_000)
    assert made[:first].tolist() == raw[:first].tolist()
    assert made[first] == raw[first + 1]


@given(st.integers(0, 70_000), st.integers(0, 70_000))
@settings(max_examples=20, deadline=None)
def test_a_shorter_pad_is_the_beginning_of_a_longer_one(one: int, other: int) -> None:
    short, long = sorted((one, other))
    assert np.array_equal(pad(SEED, long)[:short], pad(SEED, short))


def test_lanes_are_spread_evenly_below_t() -> None:
    counts, _ = np.histogram(pad(SEED, 1 << 20), bins=64, range=(0, T))
    expected = (1 << 20) / 64
    assert ((counts - expected) ** 2 / expected).sum() < 130  # 63 degrees of freedom: passed by chance in 1 - 1e-6


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=5), st.integers(1, 300))
@settings(max_examples=30, deadline=None)
def test_the_sum_of_pads_is_the_sum_of_their_lanes(seeds: list[bytes], lanes: int) -> None:
    total = pad_sum([Seed(seed) for seed in seeds], lanes)
    assert total.tolist() == [
        sum(column) % T for column in zip(*(words_of(seed, lanes) for seed in seeds), strict=True)
    ]


@given(st.lists(st.integers(-(T // 2), T // 2), min_size=1, max_size=50), st.integers(0, T - 1))
def test_what_is_opened_is_the_sum_however_it_was_padded(values: list[int], shift: int) -> None:
    sums = np.array(values, dtype=np.int64).astype(np.uint32)
    pads = np.full(len(values), shift, dtype=np.uint32)
    padded = ((residues(sums).astype(np.int64) + pads) % T).astype(np.uint32)
    assert opened(padded, pads).view(np.int32).tolist() == values


@pytest.mark.parametrize("beyond", [T // 2 + 1, -(T // 2) - 1])
def test_a_sum_beyond_half_of_t_comes_out_as_another(beyond: int) -> None:
    lanes = residues(np.array([beyond], dtype=np.int64).astype(np.uint32))
    assert opened(lanes, np.zeros(1, dtype=np.uint32)).view(np.int32)[0] == beyond - (T if beyond > 0 else -T)
