"""Who a peer is: an Ethereum account signs the node key's peer id (EIP-712), and the peer shows that to whoever asks.

The wallet key signs once and stays off the network; a rotated node key needs a new signature, and the newest `issuedAt`
wins. A record proves the account; whether the account may take part is the chain's word, not this file's.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.address import is_checksum_address

from foedus.network.addresses import parse_address
from foedus.network.errors import BadAddress, BadPeerId, Garbage, NetworkError, PeerMisbehaved
from foedus.network.host import Host
from foedus.network.keys import parse_peer_id
from foedus.protocol.hostile import load_json
from foedus.protocol.ids import Address, PeerId, Timestamp

PROTOCOL = "/foedus/record/1"
RECORD_LIMIT = 4096
"""Bytes of a record on the wire."""

MAX_ADDRESSES = 8
_SIGNATURE_BYTES = 65
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


class BadRecord(NetworkError, ValueError):
    """A node record that proves nothing: malformed, or signed by another account, for another peer or registry."""

    def __init__(self, why: str) -> None:
        super().__init__(f"node record refused ({why}): the node must sign a new one for this chain and registry")
        self.why = why


@dataclass(frozen=True, slots=True)
class Domain:
    """Where a binding holds: the chain and the registry contract on it (EIP-712 domain separator)."""

    chain_id: int
    registry: Address


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """An account's word for a peer id, and where that peer listens (`addresses`, which are hints, are not signed)."""

    peer: PeerId
    account: Address
    issued_at: Timestamp
    signature: bytes
    addresses: tuple[str, ...] = ()


def typed_data(domain: Domain, peer: PeerId, account: Address, issued_at: Timestamp) -> dict[str, Any]:
    """The EIP-712 message that the account signs, in the shape that wallets take (`eth_signTypedData_v4`)."""
    return {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            "PeerBinding": [
                {"name": "peerId", "type": "string"},
                {"name": "account", "type": "address"},
                {"name": "issuedAt", "type": "uint64"},
            ],
        },
        "primaryType": "PeerBinding",
        "domain": {
            "name": "Foedus",
            "version": "1",
            "chainId": domain.chain_id,
            "verifyingContract": domain.registry,
        },
        "message": {"peerId": peer, "account": account, "issuedAt": issued_at},
    }


def sign(
    domain: Domain, peer: PeerId, private_key: bytes, issued_at: Timestamp, addresses: Sequence[str] = ()
) -> NodeRecord:
    """Bind the peer id to the account of `private_key` (32 bytes, secp256k1). At most 8 addresses are carried."""
    signer = Account.from_key(private_key)
    account = Address(signer.address)
    signable = encode_typed_data(full_message=typed_data(domain, peer, account, issued_at))
    signature = bytes(signer.sign_message(signable).signature)
    return NodeRecord(peer, account, issued_at, signature, tuple(addresses)[:MAX_ADDRESSES])


def verify(record: NodeRecord, domain: Domain) -> Address:
    """The account that signed the binding, which is the one that the record names. Raises BadRecord."""
    if len(record.signature) != _SIGNATURE_BYTES or record.signature[64] not in (27, 28):
        raise BadRecord("signature is not 65 bytes of r, s, v")
    if int.from_bytes(record.signature[32:64], "big") > _HALF_ORDER:
        raise BadRecord("signature is malleable: s is in the upper half (EIP-2)")
    signable = encode_typed_data(full_message=typed_data(domain, record.peer, record.account, record.issued_at))
    try:
        signer = Account.recover_message(signable, signature=record.signature)
    except Exception as error:
        raise BadRecord("signature recovers no account") from error
    if signer != record.account:
        raise BadRecord(f"signed by {signer}, names {record.account}")
    return record.account


def encode(record: NodeRecord) -> bytes:
    """The record as canonical JSON: keys sorted, no spaces, ASCII."""
    fields = {
        "account": record.account,
        "addresses": list(record.addresses),
        "issuedAt": record.issued_at,
        "peerId": record.peer,
        "signature": record.signature.hex(),
    }
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


def decode(raw: bytes) -> NodeRecord:
    """Read a record strictly: canonical bytes only, every field checked. Raises BadRecord; proves nothing by itself."""
    if len(raw) > RECORD_LIMIT:
        raise BadRecord(f"{len(raw)} bytes, at most {RECORD_LIMIT}")
    try:
        fields = load_json(raw.decode("ascii").encode())
        peer, account, issued_at = fields["peerId"], fields["account"], fields["issuedAt"]
        signature, addresses = fields["signature"], fields["addresses"]
    except (ValueError, KeyError, TypeError) as error:
        raise BadRecord("not a record") from error
    if not (isinstance(peer, str) and isinstance(account, str) and isinstance(signature, str)):
        raise BadRecord("a field of the wrong type")
    if type(issued_at) is not int or not 0 <= issued_at < 1 << 64:
        raise BadRecord("issuedAt is not a uint64")
    if not is_checksum_address(account):
        raise BadRecord("account is not an EIP-55 address")
    if not isinstance(addresses, list) or len(addresses) > MAX_ADDRESSES:
        raise BadRecord(f"addresses are not a list of at most {MAX_ADDRESSES}")
    try:
        parsed_peer = parse_peer_id(peer)
        if any(not isinstance(each, str) or parse_address(each).peer != parsed_peer for each in addresses):
            raise BadRecord("an address of another peer")
        record = NodeRecord(
            parsed_peer, Address(account), Timestamp(issued_at), bytes.fromhex(signature), tuple(addresses)
        )
    except (BadPeerId, BadAddress, ValueError) as error:
        if isinstance(error, BadRecord):
            raise
        raise BadRecord(str(error)) from error
    if encode(record) != raw:
        raise BadRecord("not in canonical form")
    return record


def serve_record(host: Host, record: NodeRecord) -> None:
    """Show this node's record to whoever asks. Raises BadRecord where it is not this host's."""
    if record.peer != host.peer_id:
        raise BadRecord(f"it names peer {record.peer}, this host is {host.peer_id}")
    encoded = encode(record)

    async def answer(peer: PeerId, request: bytes) -> bytes:
        if request:
            raise Garbage("not-empty")
        return encoded

    host.serve(PROTOCOL, answer, request_limit=0, response_limit=RECORD_LIMIT)


async def request_record(host: Host, peer: PeerId, domain: Domain, timeout: float = 10.0) -> NodeRecord:
    """Ask a peer for its record and verify it: the account is the peer's.

    Raises PeerMisbehaved where it proves nothing (counted against the peer), and what Host.request raises.
    """
    raw = await host.request(peer, PROTOCOL, b"", RECORD_LIMIT, timeout)
    try:
        record = decode(raw)
        verify(record, domain)
        if record.peer != peer:
            raise BadRecord(f"it names peer {record.peer}")
    except BadRecord as error:
        host.blame(peer, "record: proves nothing")
        raise PeerMisbehaved(peer, str(error)) from error
    return record
