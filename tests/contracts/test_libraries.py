"""The Solidity libraries and their Python twins say the same."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from eth_abi.abi import decode as abi_decode
from eth_abi.abi import encode as abi_encode
from eth_utils.crypto import keccak

from foedus.contracts.bindings import decode_revert
from foedus.contracts.refusals import MalformedBitmap, MalformedPairs
from foedus.protocol import bitmap, merkle
from foedus.protocol.groups import shuffle
from foedus.protocol.ids import Hash32, Position
from tests.contracts.actors import World, digest

Invoke = Callable[..., Any]


@pytest.fixture(scope="module")
def invoke(anvil: World, harness: dict[str, bytes]) -> Invoke:
    """Calls a function of the harness: name, types, result type, arguments."""
    address = anvil.create_contract(harness["Harness"]).created

    def call(function: str, types: list[str], result: str, *arguments: object) -> Any:
        data = keccak(text=f"{function}({','.join(types)})")[:4] + abi_encode(types, arguments)
        answer = anvil.rpc("eth_call", {"to": address, "data": "0x" + data.hex(), "gas": hex(25_000_000)}, "latest")
        return abi_decode([result], bytes.fromhex(answer[2:]))[0] if result else None

    return call


@pytest.mark.parametrize("domain", [1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33, 64])
def test_the_permutation_is_the_same_at_every_index(invoke: Invoke, domain: int) -> None:
    seed = digest("seed", domain)
    places = invoke("places", ["bytes32", "uint256"], "uint256[]", seed, domain)
    assert list(places) == [shuffle(seed, index, domain) for index in range(domain)]
    assert sorted(places) == list(range(domain))


@pytest.mark.parametrize("domain", [1000, 1023, 1024])
def test_the_permutation_is_the_same_in_large_domains(invoke: Invoke, domain: int) -> None:
    for index in random.Random(domain).sample(range(domain), 20):
        seed = digest("seed", domain, index)
        found = invoke("place", ["bytes32", "uint256", "uint256"], "uint256", seed, index, domain)
        assert found == shuffle(seed, index, domain)


def test_heights_and_the_empty_root_are_the_same(invoke: Invoke) -> None:
    for count in (*range(18), 255, 256, 257, 2**32):
        assert invoke("height", ["uint256"], "uint256", count) == merkle.height(count)
    assert invoke("emptyRoot", [], "bytes32") == merkle.merkle_root([])


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
def test_a_leaf_is_proven_where_it_stands_and_nowhere_else(invoke: Invoke, count: int) -> None:
    leaves = [digest("leaf", index) for index in range(count)]
    hashes = [merkle.leaf_hash(leaf) for leaf in leaves]
    root = merkle.root_of_hashes(hashes)
    types = ["bytes32", "bytes32", "uint256", "uint256", "bytes32[]"]
    for index in range(count):
        assert invoke("leaf", ["bytes"], "bytes32", leaves[index]) == hashes[index]
        proof = merkle.prove(hashes, index)
        for other_index, other_count in [(index, count), (index + 1, count), (index ^ 1, count), (index, count + 1)]:
            found = invoke("verify", types, "bool", root, hashes[index], other_index, other_count, proof)
            assert found == merkle.verify(root, hashes[index], other_index, other_count, proof)
            assert found == ((other_index, other_count) == (index, count))
        assert not invoke("verify", types, "bool", root, hashes[index], index, count, [*proof, digest("more")])
        assert not invoke("verify", types, "bool", Hash32(digest("root")), hashes[index], index, count, proof)


@pytest.mark.parametrize("domain", [1, 5, 8, 9, 255, 256, 257, 1000, 1024])
def test_bitmaps_are_the_same(invoke: Invoke, domain: int) -> None:
    draws = random.Random(domain)
    for size in {0, 1, domain // 2, domain}:
        seats = sorted(draws.sample(range(domain), size))
        packed = bitmap.to_bitmap(map(Position, seats), domain)
        assert invoke("bitmapOf", ["uint16[]", "uint16"], "bytes", seats, domain) == packed
        assert invoke("count", ["bytes", "uint16"], "uint256", packed, domain) == size


@pytest.mark.parametrize(
    ("packed", "domain"), [(b"", 1), (b"\x01\x00", 8), (b"\x20", 5), (b"\x00\x80", 15), (b"\x01", 9)]
)
def test_bitmaps_that_python_refuses_are_refused(invoke: Invoke, packed: bytes, domain: int) -> None:
    with pytest.raises(bitmap.MalformedBitmap):
        bitmap.from_bitmap(packed, domain)
    with pytest.raises(MalformedBitmap):
        invoke("count", ["bytes", "uint16"], "uint256", packed, domain)


def test_pairs_are_taken_and_refused_alike(invoke: Invoke) -> None:
    row = bytes.fromhex
    good = [
        b"",
        row("00000001"),
        row("0000000100000002"),
        bitmap.to_pairs((Position(0), Position(p)) for p in range(1, 65)),
    ]
    bad = [b"\x00", row("000000"), row("00010000"), row("00010001"), row("0000000200000001"), row("0000000100000001")]
    bad.append(good[-1] + row("00010002"))
    for pairs in good:
        bitmap.from_pairs(pairs)
        invoke("requirePairs", ["bytes"], "", pairs)
    for pairs in bad:
        with pytest.raises(bitmap.MalformedBitmap):
            bitmap.from_pairs(pairs)
        with pytest.raises(MalformedPairs):
            invoke("requirePairs", ["bytes"], "", pairs)


def test_words_survive_unpacking_and_packing(invoke: Invoke) -> None:
    word = int.from_bytes(digest("word"), "big")
    slot = (word & ~(0xFF | 0xFF << 152)) | 3 | 1 << 152
    assert invoke("repackSlot", ["uint256"], "uint256", slot) == slot
    participant = (word & ((1 << 192) - 1) & ~0xFFFF) | 1 | 1 << 8
    assert invoke("repackParticipant", ["uint256"], "uint256", participant) == participant
    assert invoke("repackCommitting", ["uint256"], "uint256", word) == word


def test_revert_data_that_is_no_error_of_ours_is_shown() -> None:
    assert "0xdeadbeef" in str(decode_revert(bytes.fromhex("deadbeef")))
    assert "out of luck" in str(
        decode_revert(keccak(text="Error(string)")[:4] + abi_encode(["string"], ["out of luck"]))
    )
    assert "panic 17" in str(decode_revert(keccak(text="Panic(uint256)")[:4] + abi_encode(["uint256"], [17])))
    assert "no reason given" in str(decode_revert(b""))
