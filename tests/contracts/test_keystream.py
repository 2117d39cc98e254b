"""The mask that a seed stands for, made by the EVM: ChaCha20 as RFC 8439 and an independent implementation have it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from eth_abi.abi import decode, encode
from eth_utils.crypto import keccak
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.aggregator.test_seeds import RFC_8439_A1
from tests.contracts.actors import World
from tests.contracts.bench import creation_codes

Keystream = Callable[[bytes, int, bool], bytes]


@pytest.fixture(scope="module")
def keystream(anvil: World) -> Keystream:
    """The library's function."""
    address = anvil.create_contract(creation_codes("Masks")["Masks"]).created
    types = ["bytes32", "uint256", "bool"]

    def call(key: bytes, chunk: int, negated: bool) -> bytes:
        data = keccak(text=f"keystream({','.join(types)})")[:4] + encode(types, [key, chunk, negated])
        answer = anvil.rpc("eth_call", {"to": address, "data": "0x" + data.hex()}, "latest")
        return bytes(decode(["bytes"], bytes.fromhex(answer[2:]))[0])

    return call


@pytest.mark.parametrize(("key", "counter", "stream"), RFC_8439_A1)
def test_the_keystream_is_that_of_rfc_8439(keystream: Keystream, key: bytes, counter: int, stream: str) -> None:
    assert keystream(key, 0, False)[64 * counter :][:64].hex() == stream


@given(
    key=st.binary(min_size=32, max_size=32) | st.sampled_from([bytes(32), b"\xff" * 32]),
    chunk=st.integers(0, 2**28 - 1) | st.sampled_from([0, 1, 2**28 - 1]),
)
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_keystream_is_that_of_an_independent_implementation(keystream: Keystream, key: bytes, chunk: int) -> None:
    nonce = (16 * chunk).to_bytes(4, "little") + bytes(12)
    stream = Cipher(ChaCha20(key, nonce), mode=None).encryptor().update(bytes(1024))
    assert keystream(key, chunk, False) == stream
    lanes = [int.from_bytes(stream[at : at + 4], "big") for at in range(0, 1024, 4)]
    assert keystream(key, chunk, True) == b"".join((-lane % 2**32).to_bytes(4, "big") for lane in lanes)
