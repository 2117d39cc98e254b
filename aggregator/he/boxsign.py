"""Signatures with a participant's X25519 box key, which the chain knows for each opening: XEdDSA.

Perrin, "The XEdDSA and VXEdDSA Signature Schemes" (Signal, 2016), sections 2.3 and 3: the Montgomery key is read as the
Edwards key whose sign bit is zero, and a signature is then an ordinary Ed25519 one (RFC 8032). It needs no second key,
and no account key in a simulation.
"""

from __future__ import annotations

from hashlib import sha512

from nacl.bindings import (
    crypto_core_ed25519_scalar_add,
    crypto_core_ed25519_scalar_mul,
    crypto_core_ed25519_scalar_negate,
    crypto_core_ed25519_scalar_reduce,
    crypto_scalarmult_ed25519_base_noclamp,
    crypto_sign_open,
)
from nacl.exceptions import CryptoError

from foedus.aggregator.keys import Random
from foedus.protocol.ids import Hash32, PublicKey

SIGNATURE_BYTES = 64
_P = 2**255 - 19
_PREFIX = b"\xfe" + b"\xff" * 31


def sign(private: bytes, message: Hash32, random: Random) -> bytes:
    """64 bytes. private: an X25519 private key."""
    low, high = private[0] & 248, private[31] & 127 | 64
    scalar = _reduced(bytes([low]) + private[1:31] + bytes([high]))
    point = crypto_scalarmult_ed25519_base_noclamp(scalar)
    if point[31] & 128:
        scalar = crypto_core_ed25519_scalar_negate(scalar)
    public = point[:31] + bytes([point[31] & 127])
    nonce = crypto_core_ed25519_scalar_reduce(sha512(_PREFIX + scalar + message + random(64)).digest())
    commitment = crypto_scalarmult_ed25519_base_noclamp(nonce)
    challenge = crypto_core_ed25519_scalar_reduce(sha512(commitment + public + message).digest())
    return commitment + crypto_core_ed25519_scalar_add(nonce, crypto_core_ed25519_scalar_mul(challenge, scalar))


def verify(public: PublicKey, message: Hash32, signature: bytes) -> bool:
    """Whether the owner of an X25519 public key signed. False for anything malformed."""
    u = int.from_bytes(public, "little")
    if len(public) != 32 or len(signature) != SIGNATURE_BYTES or u >= _P or u == _P - 1:
        return False
    edwards = ((u - 1) * pow(u + 1, _P - 2, _P) % _P).to_bytes(32, "little")
    try:
        return bool(crypto_sign_open(signature + message, edwards) == message)
    except (CryptoError, ValueError):
        return False


def _reduced(scalar: bytes) -> bytes:
    return crypto_core_ed25519_scalar_reduce(scalar + bytes(32))
