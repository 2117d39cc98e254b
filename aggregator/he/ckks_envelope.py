"""The envelope of a bundle in the mode `ckks`.

  4 B  version
 59 B  CID of the ciphertexts
 32 B  sha256 of the key's blob
 64 B  the key holder's signature under its announcement
104 B  box to the key holder: place (32 B), tag of what is encrypted (32 B)
"""

from __future__ import annotations

from dataclasses import dataclass

from foedus.aggregator.bundle import BundleError
from foedus.aggregator.he.boxsign import SIGNATURE_BYTES
from foedus.aggregator.he.known import BOX_BYTES
from foedus.protocol.cids import CID_TEXT, MalformedCid, checked_cid
from foedus.protocol.ids import Cid, Hash32, Position

VERSION = b"FDC\x01"
_HEAD = len(VERSION) + CID_TEXT
ENVELOPE_BYTES = _HEAD + 32 + SIGNATURE_BYTES + BOX_BYTES


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
    if len(blob) != ENVELOPE_BYTES or blob[:4] != VERSION:
        raise BundleError(f"{len(blob)} bytes where an envelope of ckks has {ENVELOPE_BYTES} and starts {VERSION!r}")
    try:
        update = checked_cid(blob[4:_HEAD])
    except MalformedCid as error:
        raise BundleError(str(error)) from error
    body = bytes(blob[_HEAD:])
    at = 32 + SIGNATURE_BYTES
    return CkksEnvelope(owner, update, Hash32(body[:32]), body[32:at], body[at:])
