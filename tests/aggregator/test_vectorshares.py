"""Any threshold of members decode, fewer learn nothing, and what does not fit is told from what does."""

from __future__ import annotations

import os
import random
from hashlib import sha256

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from hypothesis import given, settings
from hypothesis import strategies as st

from foedus.aggregator.rlwe import vectorshares as vs
from foedus.aggregator.rlwe.vectorshares import CHECKS, PRIME

SIZE = 64
LARGEST = PRIME // 2


def numbers(seed: int, size: int = SIZE) -> np.ndarray:
    return np.random.default_rng(seed).integers(-LARGEST, LARGEST + 1, size)


def digest(rows: bytes) -> bytes:
    return sha256(rows).digest()


def parts(dealing: vs.Dealing, size: int = SIZE) -> dict[int, np.ndarray]:
    return {x: row[:size].copy() for x, row in enumerate(dealing.shares, start=1)}


@given(members=st.integers(1, 40), data=st.data())
@settings(max_examples=30, deadline=None)
def test_any_threshold_of_members_decode(members: int, data: st.DataObject) -> None:
    threshold = data.draw(st.integers(1, members))
    secret = numbers(data.draw(st.integers(0, 2**32)))
    held = parts(vs.deal(secret, members, threshold, os.urandom(32)))
    chosen = data.draw(st.sets(st.integers(1, members), min_size=threshold))
    found = vs.opened({x: held[x] for x in chosen}, threshold)
    assert np.array_equal(vs.centred(found), secret)
    assert not vs.strays(held, sorted(chosen)[:threshold])


def test_a_sum_of_shares_is_a_share_of_the_sum() -> None:
    secrets = [np.random.default_rng(at).integers(-4, 5, 2048) for at in range(100)]
    held = [vs.deal(secret, 20, 14, os.urandom(32)).shares for secret in secrets]
    total = sum(held) % PRIME
    found = vs.opened({x: total[x - 1, :2048] for x in range(6, 20)}, 14)
    assert np.array_equal(vs.centred(found), sum(secrets))


def test_one_member_less_than_the_threshold_sees_what_any_other_secret_could_have_made() -> None:
    """The other secret's polynomials are constructed: everything that the colluders hold and that is public of the
    dealing comes out the same."""
    threshold, colluders, challenge = 5, (1, 3, 4, 8), os.urandom(32)
    one, other = numbers(1), numbers(2)
    dealt = vs.deal(one, 9, threshold, os.urandom(32))
    shift = vs.product(vs.lagrange([0, *colluders], range(1, 10))[:, :1], (other - one)[None, :] % PRIME)
    vanishing = np.array([[1]])
    for x in colluders:
        scaled = vanishing * pow(-x, -1, PRIME)
        vanishing = (np.pad(scaled, ((0, 1), (0, 0))) * -x + np.pad(scaled, ((1, 0), (0, 0)))) % PRIME
    moved = vs.product(vanishing, (other - one)[None, :] % PRIME)
    maps = vs.uniform(challenge, CHECKS * SIZE).reshape(CHECKS, SIZE)
    hiding = (dealt.polynomials[:, SIZE:] - vs.product(moved, maps.T)) % PRIME
    polynomials = np.hstack([(dealt.polynomials[:, :SIZE] + moved) % PRIME, hiding])
    alternative = vs.Dealing(vs.product(vs.powers(range(1, 10), threshold), polynomials), polynomials)
    assert np.array_equal(alternative.shown(challenge), dealt.shown(challenge))
    rows = [x - 1 for x in colluders]
    assert np.array_equal(alternative.shares[rows], dealt.shares[rows])
    assert np.array_equal(alternative.shares[:, :SIZE], (dealt.shares[:, :SIZE] + shift) % PRIME)
    opened = vs.opened(parts(alternative), threshold)
    assert np.array_equal(vs.centred(opened), other)
    assert not np.array_equal(vs.centred(vs.opened(parts(dealt), threshold)), other)


def test_a_share_that_is_not_on_the_dealers_polynomials_does_not_fit() -> None:
    dealt, challenge = vs.deal(numbers(1), 6, 4, os.urandom(32)), os.urandom(32)
    shown = dealt.shown(challenge)
    assert all(vs.fits(share, x, shown, challenge) for x, share in enumerate(dealt.shares, start=1))
    for at in (0, SIZE - 1, SIZE, SIZE + CHECKS - 1):
        bad = dealt.shares[2].copy()
        bad[at] = (bad[at] + 1) % PRIME
        assert not vs.fits(bad, 3, shown, challenge)
    assert not vs.fits(dealt.shares[2], 4, shown, challenge)
    assert not vs.fits(dealt.shares[2], 3, shown, os.urandom(32))


@given(members=st.integers(3, 32), source=st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_as_many_wrong_shares_as_half_of_those_to_spare_are_named(members: int, source: int) -> None:
    generator = random.Random(source)
    threshold = generator.randint(1, members - 2)
    spare = members - threshold
    held = parts(vs.deal(numbers(source), members, threshold, generator.randbytes(32)))
    lying = generator.sample(range(1, members + 1), generator.randint(0, spare // 2))
    for x in lying:
        held[x][generator.randrange(SIZE)] += generator.choice([1, 5, PRIME - 1])
        held[x] %= PRIME
    assert vs.wrong(held, threshold, digest) == frozenset(lying)


def test_nobody_is_named_where_the_wrong_shares_are_too_many() -> None:
    held = parts(vs.deal(numbers(1), 8, 5, os.urandom(32)))
    held[1][0] = (held[1][0] + 1) % PRIME
    assert vs.wrong(held, 5, digest) == {1}
    held[2][9] = (held[2][9] + 1) % PRIME
    assert vs.wrong(held, 5, digest) is None
    assert vs.wrong({x: held[x] for x in (1, 3, 4, 5, 6, 7)}, 5, digest) is None
    assert vs.strays(held, [3, 4, 5, 6, 7]) == {1, 2}


def test_uniform_elements_are_the_words_of_the_keystream_that_are_elements() -> None:
    key = sha256(b"key 0").digest()
    stream = Cipher(ChaCha20(key, bytes(16)), mode=None).encryptor().update(bytes(1 << 18))
    words = [int.from_bytes(stream[at : at + 2], "little") for at in range(0, len(stream), 2)]
    kept = [word for word in words if word < PRIME]
    assert PRIME in words[:50_000], "a key whose keystream tries the first number that is no element"
    for count in (0, 1, 1000, 100_000):
        assert vs.uniform(key, count).tolist() == kept[:count]


def test_bytes_that_are_no_elements_are_refused() -> None:
    values = np.array([0, 1, PRIME - 1])
    blob = vs.to_bytes(values)
    assert len(blob) == 6
    assert np.array_equal(vs.from_bytes(blob, 3), values)
    for wrong in (blob[:-1], blob + b"\x00", b"", PRIME.to_bytes(2, "big") + blob[2:], b"\xff" * 6):
        with pytest.raises(vs.MalformedShare):
            vs.from_bytes(wrong, 3)
