"""A record proves an account's word for a peer, here and nowhere else; nothing else passes for one."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st

from foedus.network.errors import PeerMisbehaved
from foedus.network.host import Host
from foedus.network.identity import (
    BadRecord,
    Domain,
    NodeRecord,
    decode,
    encode,
    request_record,
    serve_record,
    sign,
    typed_data,
    verify,
)
from foedus.network.keys import generate_secret, peer_id_of
from foedus.protocol.ids import Address, PeerId, Timestamp

REGISTRY = Address("0x5FbDB2315678afecb367f032d93F642f64180aa3")
DOMAIN = Domain(31337, REGISTRY)
KEY = bytes(31) + b"\x07"
PEER = peer_id_of(bytes(range(32)))
ADDRESS = f"/ip4/127.0.0.1/tcp/4001/p2p/{PEER}"
RECORD = sign(DOMAIN, PEER, KEY, Timestamp(1_700_000_000), [ADDRESS])
Eventually = Callable[..., Awaitable[Any]]


def test_the_account_that_signed_is_recovered() -> None:
    assert verify(RECORD, DOMAIN) == Account.from_key(KEY).address
    assert decode(encode(RECORD)) == RECORD


def test_the_digest_is_the_one_that_a_contract_computes() -> None:
    """EIP-712 by hand, as Solidity's `_hashTypedDataV4(keccak256(abi.encode(...)))` has it."""
    from eth_abi.abi import encode as abi
    from eth_account.messages import _hash_eip191_message, encode_typed_data
    from eth_utils.crypto import keccak

    domain_type = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    binding_type = b"PeerBinding(string peerId,address account,uint64 issuedAt)"
    separator = keccak(
        abi(
            ["bytes32", "bytes32", "bytes32", "uint256", "address"],
            [keccak(domain_type), keccak(b"Foedus"), keccak(b"1"), 31337, REGISTRY],
        )
    )
    struct = keccak(
        abi(
            ["bytes32", "bytes32", "address", "uint64"],
            [keccak(binding_type), keccak(PEER.encode()), RECORD.account, RECORD.issued_at],
        )
    )
    message = encode_typed_data(full_message=typed_data(DOMAIN, PEER, RECORD.account, RECORD.issued_at))
    assert _hash_eip191_message(message) == keccak(b"\x19\x01" + separator + struct)


@pytest.mark.parametrize(
    "record",
    [
        dataclasses.replace(RECORD, peer=peer_id_of(bytes(32))),
        dataclasses.replace(RECORD, issued_at=Timestamp(1_700_000_001)),
        dataclasses.replace(RECORD, account=REGISTRY),
        dataclasses.replace(RECORD, signature=bytes(65)),
        dataclasses.replace(RECORD, signature=RECORD.signature[:64]),
        dataclasses.replace(RECORD, signature=RECORD.signature[:64] + b"\x00"),
        dataclasses.replace(RECORD, signature=b"\xff" * 64 + b"\x1b"),
    ],
)
def test_a_changed_record_proves_nothing(record: NodeRecord) -> None:
    with pytest.raises(BadRecord):
        verify(record, DOMAIN)


def test_a_record_holds_on_one_chain_and_one_registry() -> None:
    for domain in (Domain(1, REGISTRY), Domain(31337, Address("0x" + "11" * 20))):
        with pytest.raises(BadRecord):
            verify(RECORD, domain)


def test_the_other_signature_of_the_same_key_is_refused() -> None:
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    r, s, v = RECORD.signature[:32], int.from_bytes(RECORD.signature[32:64], "big"), RECORD.signature[64]
    twin = r + (order - s).to_bytes(32, "big") + bytes([55 - v])
    with pytest.raises(BadRecord, match="malleable"):
        verify(dataclasses.replace(RECORD, signature=twin), DOMAIN)


def _changed(**fields: Any) -> bytes:
    return json.dumps(json.loads(encode(RECORD)) | fields, sort_keys=True, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"[" * 3000,
        encode(RECORD) + b" ",
        b" " + encode(RECORD),
        _changed(extra=1),
        _changed(issuedAt=-1),
        _changed(issuedAt=1 << 64),
        _changed(issuedAt=1.0),
        _changed(issuedAt=True),
        _changed(account=RECORD.account.lower()),
        _changed(account=7),
        _changed(peerId="12D3KooW"),
        _changed(signature="0x" + RECORD.signature.hex()),
        _changed(signature=RECORD.signature.hex().upper()),
        _changed(addresses={}),
        _changed(addresses=[1]),
        _changed(addresses=[ADDRESS] * 9),
        _changed(addresses=[ADDRESS.replace(PEER, peer_id_of(bytes(32)))]),
        _changed(addresses=["/dns/" + "a" * 4000]),
        "é".encode(),
    ],
)
def test_malformed_records_are_refused(raw: bytes) -> None:
    with pytest.raises(BadRecord):
        decode(raw)


@settings(deadline=None)
@given(st.integers(0, len(encode(RECORD)) - 1), st.integers(1, 255))
def test_no_damaged_byte_leaves_a_valid_record(at: int, flip: int) -> None:
    raw = bytearray(encode(RECORD))
    raw[at] ^= flip
    try:
        record = decode(bytes(raw))
        verify(record, DOMAIN)
    except BadRecord:
        return
    assert dataclasses.replace(record, addresses=()) == dataclasses.replace(RECORD, addresses=())


def test_a_peer_shows_its_account_and_cannot_show_anothers(eventually: Eventually) -> None:
    async def main() -> None:
        async with await Host.start(generate_secret()) as asker, await Host.start(generate_secret()) as honest:
            mine = sign(DOMAIN, honest.peer_id, KEY, Timestamp(5), honest.addresses)
            serve_record(honest, mine)
            asker.add_peer(honest.addresses[0])
            assert await request_record(asker, honest.peer_id, DOMAIN) == mine
            with pytest.raises(BadRecord):
                serve_record(honest, RECORD)

            async def steal(peer: PeerId, request: bytes) -> bytes:
                return encode(RECORD)

            asker.serve("/foedus/record/1", steal, 0)
            with pytest.raises(PeerMisbehaved, match="names peer"):
                await request_record(honest, asker.peer_id, DOMAIN)
            await eventually(lambda: honest.faults(asker.peer_id) == ("record: proves nothing",))

    asyncio.run(main())
