"""Content identifiers as text: a single block's, from its digest alone, and the check of one that a peer wrote.

The network's profile (CIDv1, sha2-256, base32) leaves a raw block's identifier fully determined by its sha256, so the
chain carries 32 bytes and everyone derives the rest.
"""

from __future__ import annotations

from base64 import b32decode, b32encode

from foedus.protocol.ids import Cid, Hash32

CID_TEXT = 59
"""Characters of every CID of the profile."""

_RAW, _TREE = b"\x01\x55\x12\x20", b"\x01\x70\x12\x20"


class MalformedCid(ValueError):
    """Text that is no CID of the network's profile."""


def block_cid(digest: Hash32) -> Cid:
    """The CID of one raw block with this sha256 digest: CIDv1, raw codec, base32, lower case."""
    if len(digest) != 32:
        raise MalformedCid(f"a digest of {len(digest)} bytes where sha256 has 32")
    return Cid("b" + b32encode(_RAW + digest).decode().rstrip("=").lower())


def checked_cid(text: bytes) -> Cid:
    """The CID that these ASCII bytes spell, of one block or of a tree. Raises MalformedCid unless it is canonical."""
    try:
        raw = b32decode(text[1:].upper() + b"======")
    except ValueError as error:
        raise MalformedCid(f"{text[:CID_TEXT]!r} is not base32") from error
    canonical = b"b" + b32encode(raw).rstrip(b"=").lower()
    if canonical != text or len(raw) != 36 or raw[:4] not in (_RAW, _TREE):
        raise MalformedCid(f"{text[:CID_TEXT]!r} is no CIDv1 of a sha2-256 block in base32")
    return Cid(text.decode())
