"""The envelope of a bundle in the mode `ckks`.

  4 B  version
 59 B  CID of the ciphertexts
 32 B  sha256 of the key's blob
 64 B  the key holder's signature under its announcement
104 B  box to the key holder: place (32 B), tag of what is encrypted (32 B)
"""

from __future__ import annotations

from dataclasses import dataclass

from foedus.aggregator.he.boxsign import SIGNATURE_BYTES
from foedus.aggregator.he.keyed import words_of
from foedus.aggregator.he.known import BOX_BYTES
from foedus.protocol.ids import Cid, Hash32, Position

VERSION = b"FDC\x01"
_SIZES = (32, SIGNATURE_BYTES, BOX_BYTES)


@dataclass(frozen=True, slots=True)
class CkksEnvelope:
    """A parsed envelope. key: the sha256 of the key's blob."""

    owner: Position
    update: Cid
    key: Hash32
    signature: bytes
    key_box: bytes


def body_bytes(key: Hash32, signature: bytes, key_box: bytes) -> bytes:
    """What follows the version and the CID."""
    return key + signature + key_box


def parse_envelope(owner: Position, blob: bytes) -> CkksEnvelope:
    """Read a peer's envelope. Raises BundleError for anything but the one layout."""
    update, (key, signature, key_box) = words_of(VERSION, _SIZES, blob)
    return CkksEnvelope(owner, update, Hash32(key), signature, key_box)
