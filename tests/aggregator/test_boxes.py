"""Boxes: NaCl's own, for one receiver, and nothing but `Unsealable` for anything else."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.public import Box, PrivateKey, PublicKey

from foedus.aggregator.boxes import SEAL_BYTES, Unsealable, seal_box, unseal_box
from foedus.aggregator.keys import RoundKeys

A, B, C = (RoundKeys.generate(os.urandom) for _ in range(3))
NACL = Box(PrivateKey(B.box), PublicKey(A.box_key))


@given(st.binary(max_size=300))
def test_boxes_are_those_of_nacl(plain: bytes) -> None:
    box = seal_box(plain, A, B.box_key, os.urandom)
    assert len(box) == SEAL_BYTES + len(plain)
    assert NACL.decrypt(box) == unseal_box(box, B, A.box_key) == plain
    assert unseal_box(bytes(NACL.encrypt(plain)), A, B.box_key) == plain


def test_a_box_opens_for_its_receiver_and_as_its_senders_alone() -> None:
    box = seal_box(b"word", A, B.box_key, os.urandom)
    for keys, sender in ((C, A.box_key), (B, C.box_key)):
        with pytest.raises(Unsealable):
            unseal_box(box, keys, sender)


@given(st.binary(max_size=90))
def test_junk_of_any_length_is_no_box(junk: bytes) -> None:
    with pytest.raises(Unsealable):
        unseal_box(junk, B, A.box_key)


@pytest.mark.parametrize("key", [bytes(32), b"\x01" + bytes(31), b"short"])
def test_nothing_opens_from_a_key_of_low_order_or_none_at_all(key: bytes) -> None:
    with pytest.raises(Unsealable):
        unseal_box(seal_box(b"word", A, B.box_key, os.urandom), B, key)
