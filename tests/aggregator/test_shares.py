"""Any t shares recover a seed, fewer say nothing of use, and a junk share is told from a good one."""

from __future__ import annotations

import os
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foedus.aggregator.seeds import ORDER, self_seed
from foedus.aggregator.shares import NotEnoughShares, commit, recover, share, verify_share, verify_shares
from foedus.protocol.ids import Seed


@given(members=st.integers(1, 12), data=st.data())
@settings(max_examples=25, deadline=None)
def test_any_threshold_of_shares_recovers(members: int, data: st.DataObject) -> None:
    threshold = data.draw(st.integers(1, members))
    source = random.Random(data.draw(st.integers(0, 2**32))).randbytes
    seed = self_seed(source)
    shares, commitments = share(seed, range(1, members + 1), threshold, source)
    assert commitments[0] == commit(seed)
    assert all(verify_share(commitments, x, value) for x, value in enumerate(shares, start=1))
    chosen = data.draw(st.sets(st.integers(1, members), min_size=threshold))
    assert recover({x: shares[x - 1] for x in chosen}, threshold) == seed
    if threshold > 1:
        few = dict(list(enumerate(shares, start=1))[: threshold - 1])
        with pytest.raises(NotEnoughShares):
            recover(few, threshold)
        assert recover(few, threshold - 1) != seed


@given(
    threshold=st.sampled_from([1, 2, 14, 31, 32, 33, 64, 70]),
    xs=st.sets(st.one_of(st.integers(1, 40), st.integers(1, ORDER - 1)), min_size=1, max_size=6),
    extreme=st.booleans(),
    source=st.integers(0, 2**32),
)
@settings(max_examples=40, deadline=None)
def test_a_share_is_the_polynomial_at_its_coordinate(threshold: int, xs: set[int], extreme: bool, source: int) -> None:
    drawn: list[bytes] = []

    def draw(size: int) -> bytes:
        drawn.append(b"\xff" * size if extreme else random.Random(source + len(drawn)).randbytes(size))
        return drawn[-1]

    seed = Seed((ORDER - 1).to_bytes(32, "little")) if extreme else self_seed(random.Random(source).randbytes)
    shares, _ = share(seed, sorted(xs), threshold, draw)
    coefficients = [int.from_bytes(word, "little") for word in (seed, *drawn)]
    assert len(coefficients) == threshold
    for x, value in zip(sorted(xs), shares, strict=True):
        due = sum(coefficient * pow(x, k, ORDER) for k, coefficient in enumerate(coefficients)) % ORDER
        assert int.from_bytes(value, "little") == due


def test_a_batch_names_every_junk_share() -> None:
    dealt = []
    for _ in range(6):
        shares, commitments = share(self_seed(os.urandom), [1, 2, 3], 2, os.urandom)
        dealt.append((commitments, shares[1]))
    assert verify_shares(dealt, 2, os.urandom) == ()
    assert verify_shares(dealt, 1, os.urandom) == tuple(range(6))
    dealt[3] = (dealt[3][0], dealt[4][1])
    dealt[5] = (dealt[5][0], ORDER.to_bytes(32, "little"))
    assert verify_shares(dealt, 2, os.urandom) == (3, 5)


@pytest.mark.parametrize("junk", [bytes(32), b"\xff" * 32, b"\x01" + bytes(31), b"short"])
def test_points_outside_the_group_are_junk(junk: bytes) -> None:
    shares, commitments = share(self_seed(os.urandom), [1, 2], 2, os.urandom)
    assert not verify_share((junk, commitments[1]), 1, shares[0])
    assert not verify_share(commitments, 1, junk)


def test_nonsense_is_not_shared() -> None:
    for xs, threshold in (([1, 1], 1), ([0, 1], 1), ([1], 0)):
        with pytest.raises(ValueError, match="threshold"):
            share(self_seed(os.urandom), xs, threshold, os.urandom)
