"""Laws of the holders: two accounts a group, drawn alike by everybody; and only theirs is the word about the key."""

from __future__ import annotations

import os
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.bindings import crypto_sign_open
from nacl.exceptions import CryptoError

from foedus.aggregator.he.boxsign import SIGNATURE_BYTES, sign, verify
from foedus.aggregator.he.holders import announce, check_announcement, holders, key_place, may_aggregate
from foedus.aggregator.keys import RoundKeys
from foedus.aggregator.layout import Layout
from foedus.protocol.commitments import Context
from foedus.protocol.ids import ZERO32, Attempt, Hash32, Opening, PublicKey, RoundNumber
from foedus.simulation.seating import Seating, seat
from tests.aggregator.conftest import make_terms

KEY = Hash32(sha256(b"key").digest())


def opening(members: int, size: int, attempt: int = 1) -> tuple[Layout, Context, Seating]:
    terms = make_terms(members, mode="bfv", group_size=max(2, size), max_value=1)
    seating = seat(terms, members, RoundNumber(1), Attempt(attempt), Opening(1), ZERO32, ZERO32, os.urandom)
    return Layout.of(seating.round, terms), seating.context, seating


@settings(max_examples=40, deadline=None)
@given(st.integers(3, 60), st.integers(2, 20), st.integers(1, 5))
def test_each_group_has_two_holders_from_the_committee(members: int, size: int, attempt: int) -> None:
    layout, context, _ = opening(members, size, attempt)
    pairs = holders(layout, context)
    assert len(pairs) == layout.groups.count
    for pair in pairs:
        assert pair.key != pair.pads
        assert {pair.key, pair.pads} <= set(layout.committee)


@settings(max_examples=40, deadline=None)
@given(st.integers(3, 60), st.integers(2, 20))
def test_a_third_of_the_committee_is_left_to_aggregate(members: int, size: int) -> None:
    layout, context, _ = opening(members, size)
    free = [position for position in layout.committee if may_aggregate(layout, context, position)]
    assert 3 * len(free) >= len(layout.committee)
    held = {member for pair in holders(layout, context) for member in (pair.key, pair.pads)}
    assert not held & set(free)


def test_everybody_draws_the_same_holders() -> None:
    one, context, seating = opening(20, 5)
    terms = make_terms(20, mode="bfv", group_size=5, max_value=1)
    assert holders(Layout.of(seating.round, terms), context) == holders(one, context)


def test_another_attempt_draws_others() -> None:
    drawn = {holders(*opening(20, 5, attempt)[:2]) for attempt in range(1, 6)}
    assert len(drawn) == 5


@settings(max_examples=20, deadline=None)
@given(st.integers(12, 60), st.integers(2, 5))
def test_holders_sit_outside_their_group_where_others_can(members: int, size: int) -> None:
    layout, context, _ = opening(members, size)
    for group, pair in enumerate(holders(layout, context)):
        assert group not in (layout.group(pair.key), layout.group(pair.pads))


def test_different_groups_have_different_holders_in_a_large_committee() -> None:
    layout, context, _ = opening(30, 8)
    pairs = holders(layout, context)
    assert len(pairs) == 3
    assert len({member for pair in pairs for member in (pair.key, pair.pads)}) == 6


def test_a_committee_of_two_holds_nothing() -> None:
    layout, context, _ = opening(2, 2)
    assert holders(layout, context) == ()
    assert not check_announcement(layout, context, 0, KEY, bytes(SIGNATURE_BYTES))


def test_an_announcement_counts_for_one_group_key_and_opening() -> None:
    layout, context, seating = opening(12, 4)
    holder = holders(layout, context)[1].key
    signature = announce(context, 1, KEY, seating.keys[holder], os.urandom)
    assert check_announcement(layout, context, 1, KEY, signature)
    assert not check_announcement(layout, context, 0, KEY, signature)
    assert not check_announcement(layout, context, layout.groups.count, KEY, signature)
    assert not check_announcement(layout, context, 1, Hash32(sha256(b"another").digest()), signature)
    for field, value in (("attempt", Attempt(2)), ("chain_id", 5), ("genesis", KEY), ("task", "0x" + "11" * 20)):
        changed = {name: getattr(context, name) for name in Context.__slots__} | {field: value}
        box_key = layout.roster[holder].box_key
        assert verify(box_key, key_place(context, 1, KEY), signature)
        assert not verify(box_key, key_place(Context(**changed), 1, KEY), signature)


def test_nobody_else_can_announce_a_groups_key() -> None:
    layout, context, seating = opening(12, 4)
    holder = holders(layout, context)[0].key
    for position, keys in seating.keys.items():
        signed = announce(context, 0, KEY, keys, os.urandom)
        assert check_announcement(layout, context, 0, KEY, signed) == (position == holder)


@settings(max_examples=50, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32), st.integers(0, 511))
def test_a_box_key_signs_and_one_bit_less_does_not(private: bytes, message: bytes, bit: int) -> None:
    keys = RoundKeys(private, private)
    signature = sign(keys.box, Hash32(message), os.urandom)
    assert verify(keys.box_key, Hash32(message), signature)
    broken = bytearray(signature)
    broken[bit // 8] ^= 1 << bit % 8
    assert not verify(keys.box_key, Hash32(message), bytes(broken))


def test_a_signature_is_an_ordinary_ed25519_one() -> None:
    keys, p = RoundKeys.generate(os.urandom), 2**255 - 19
    u = int.from_bytes(keys.box_key, "little")
    edwards = ((u - 1) * pow(u + 1, -1, p) % p).to_bytes(32, "little")
    signature = sign(keys.box, KEY, os.urandom)
    assert crypto_sign_open(signature + KEY, edwards) == KEY
    with pytest.raises(CryptoError):
        crypto_sign_open(signature + ZERO32, edwards)


@pytest.mark.parametrize("key", [bytes(32), b"\xff" * 32, (2**255 - 20).to_bytes(32, "little"), b"short"])
def test_no_key_of_low_order_or_malformed_signs(key: bytes) -> None:
    assert not verify(PublicKey(key), KEY, sign(os.urandom(32), KEY, os.urandom))
    assert not verify(PublicKey(key), KEY, bytes(SIGNATURE_BYTES))
    assert not verify(PublicKey(key), KEY, b"")
