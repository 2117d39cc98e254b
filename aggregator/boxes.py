"""Boxes: bytes that one participant sends to another for nobody else to read or change (crypto_box: X25519 and
XSalsa20-Poly1305; Bernstein, "Cryptography in NaCl", 2009).

    24 B  nonce
    16 B  authenticator
     n B  what is sealed

PyNaCl's own `Box` derives the sender's public key each time, which takes half as long as the rest.
"""

from __future__ import annotations

from nacl.bindings import crypto_box_easy, crypto_box_open_easy
from nacl.exceptions import CryptoError

from foedus.aggregator.keys import Random, RoundKeys
from foedus.protocol.ids import PublicKey

_NONCE = 24
SEAL_BYTES = _NONCE + 16
"""Bytes of a box beyond what is sealed."""


class Unsealable(ValueError):
    """Bytes that are no box from this sender for this receiver."""


def seal_box(plain: bytes, keys: RoundKeys, to: PublicKey, random: Random) -> bytes:
    """A box for whoever has the private half of `to`. Raises RuntimeError where that key is of low order."""
    nonce = random(_NONCE)
    return nonce + crypto_box_easy(plain, nonce, to, keys.box)


def unseal_box(box: bytes, keys: RoundKeys, sender: PublicKey) -> bytes:
    """What is in a box for me. Raises Unsealable."""
    try:
        return crypto_box_open_easy(box[_NONCE:], box[:_NONCE], sender, keys.box)
    except CryptoError as error:
        raise Unsealable(f"a box of {len(box)} bytes does not open") from error
