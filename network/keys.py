"""The node key: an Ed25519 key of the network alone, rotatable, never the wallet's.

A peer id is the base58 identity multihash of the protobuf-encoded public key (libp2p specs, peer-ids.md); for an
Ed25519 key that is a constant prefix and the 32 bytes of the key, so it needs no libp2p to read or write.
"""

from __future__ import annotations

import secrets

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from foedus.network.errors import BadPeerId
from foedus.protocol.ids import PeerId

SECRET_BYTES = 32
_PREFIX = bytes.fromhex("002408011220")  # identity multihash of 36 bytes: KeyType Ed25519, 32 bytes
_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_LENGTH = 52


def generate_secret() -> bytes:
    """A new node secret: the 32-byte Ed25519 seed of RFC 8032, from the system's randomness. Store it as a key."""
    return secrets.token_bytes(SECRET_BYTES)


def peer_id_of(secret: bytes) -> PeerId:
    """The peer id of a node secret. Raises ValueError unless it has 32 bytes."""
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"a node secret has {SECRET_BYTES} bytes, not {len(secret)}: make one with generate_secret()")
    public = Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()
    return PeerId(_base58(_PREFIX + public))


def parse_peer_id(text: str) -> PeerId:
    """Check that `text` is the canonical peer id of an Ed25519 key. Raises BadPeerId."""
    if len(text) != _LENGTH or not set(text) <= set(_ALPHABET):
        raise BadPeerId(text)
    number = 0
    for digit in text[1:]:  # the first is the one leading zero byte
        number = number * 58 + _ALPHABET.index(digit)
    size = len(_PREFIX) + SECRET_BYTES
    if number.bit_length() > 8 * size:
        raise BadPeerId(text)
    raw = number.to_bytes(size, "big")
    if not raw.startswith(_PREFIX) or _base58(raw) != text:
        raise BadPeerId(text)
    return PeerId(text)


def _base58(raw: bytes) -> str:
    zeros = len(raw) - len(raw.lstrip(b"\0"))
    number, digits = int.from_bytes(raw, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        digits = _ALPHABET[digit] + digits
    return "1" * zeros + digits
