"""Seeds are bound to their place and parties; masks are ChaCha20 that any chunk can be made of alone."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foedus.aggregator.keys import MalformedKeys, RoundKeys
from foedus.aggregator.layout import makes_secrets
from foedus.aggregator.seeds import ORDER, BadSeed, UnusableKey, checked_seed, pair_seed, prg, self_seed
from foedus.protocol.commitments import Context
from foedus.protocol.ids import ZERO32, Address, Attempt, Hash32, Position, PublicKey, RoundNumber, Seed
from foedus.protocol.round import Participant

HERE = Context(ZERO32, 1, Address("0x" + "11" * 20), RoundNumber(1), Attempt(1), ZERO32)

RFC_8439_A1 = [
    (
        bytes(32),
        0,
        (
            "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
            "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"
        ),
    ),
    (
        bytes(32),
        1,
        (
            "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
            "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f"
        ),
    ),
    (
        bytes(31) + b"\x01",
        1,
        (
            "3aeb5224ecf849929b9d828db1ced4dd832025e8018b8160b82284f3c949aa5a"
            "8eca00bbb4a73bdad192b5c42f73f2fd4e273644c8b36125a64addeb006c13a0"
        ),
    ),
    (
        b"\x00\xff" + bytes(30),
        2,
        (
            "72d54dfbf12ec44b362692df94137f328fea8da73990265ec1bbbea1ae9af0ca"
            "13b25aa26cb4a648cb9b9d1be65b2c0924a66c54d545ec1b7374f4872e99f096"
        ),
    ),
]

LOW_ORDER = [
    bytes(32),
    b"\x01" + bytes(31),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
]


def member(index: int, keys: RoundKeys) -> Participant:
    account = Address("0x" + f"{index:040x}")
    return Participant(account, Position(index), keys.mask_key, keys.box_key, ZERO32, 1)


@pytest.mark.parametrize(("key", "counter", "stream"), RFC_8439_A1)
def test_the_mask_is_chacha20_of_rfc_8439(key: bytes, counter: int, stream: str) -> None:
    lanes = prg(Seed(key), 0, 1)
    assert lanes.astype(">u4").tobytes()[64 * counter :][:64].hex() == stream


@given(first=st.integers(0, 2**21), chunks=st.integers(1, 600), at=st.integers(0, 599))
@settings(max_examples=30, deadline=None)
def test_any_chunk_can_be_made_alone(first: int, chunks: int, at: int) -> None:
    at %= chunks
    seed = Seed(bytes(range(32)))
    whole = prg(seed, first, chunks)
    assert np.array_equal(whole[256 * at : 256 * (at + 1)], prg(seed, first + at, 1))


def test_both_ends_of_a_pair_derive_one_seed() -> None:
    one, two = RoundKeys.generate(os.urandom), RoundKeys.generate(os.urandom)
    a, b = member(1, one), member(2, two)
    seed = pair_seed(HERE, one.mask, a, b)
    assert seed == pair_seed(HERE, two.mask, b, a)
    assert checked_seed(seed) == seed


def test_another_place_or_party_is_another_seed() -> None:
    one, two = RoundKeys.generate(os.urandom), RoundKeys.generate(os.urandom)
    a, b = member(1, one), member(2, two)
    contexts = [
        HERE,
        replace(HERE, genesis=Hash32(b"\x01" * 32)),
        replace(HERE, chain_id=2),
        replace(HERE, task=Address("0x" + "12" * 20)),
        replace(HERE, round=RoundNumber(2)),
        replace(HERE, attempt=Attempt(2)),
        replace(HERE, base_root=Hash32(b"\x02" * 32)),
    ]
    seeds = {pair_seed(context, one.mask, a, b) for context in contexts}
    copy_of_b = replace(b, address=Address("0x" + f"{3:040x}"))
    assert len(seeds | {pair_seed(HERE, one.mask, a, copy_of_b)}) == len(contexts) + 1


@pytest.mark.parametrize("key", LOW_ORDER)
def test_a_key_of_low_order_is_refused(key: bytes) -> None:
    keys = RoundKeys.generate(os.urandom)
    hostile = replace(member(2, keys), mask_key=PublicKey(key))
    with pytest.raises(UnusableKey):
        pair_seed(HERE, keys.mask, member(1, keys), hostile)
    assert not makes_secrets(PublicKey(key))
    assert makes_secrets(keys.mask_key)


def test_only_canonical_scalars_are_seeds() -> None:
    for bad in (bytes(32), ORDER.to_bytes(32, "little"), b"\xff" * 32, b"\x01", b"\x01" * 33):
        with pytest.raises(BadSeed):
            checked_seed(bad)
    assert checked_seed((ORDER - 1).to_bytes(32, "little"))
    assert len({self_seed(os.urandom) for _ in range(10)}) == 10


def test_keys_survive_the_keystore() -> None:
    keys = RoundKeys.generate(os.urandom)
    assert RoundKeys.from_bytes(keys.to_bytes()) == keys
    assert keys.mask.hex() not in repr(keys)
    with pytest.raises(MalformedKeys):
        RoundKeys.from_bytes(b"short")
