"""Content identifiers, and the one way in which this network cuts a blob into blocks.

The profile is `unixfs-v1-2025` (IPIP-499): CIDv1, sha2-256, raw leaves of 1 MiB, balanced DAG of at most 1,024 links
a node, base32. A blob therefore has exactly one DAG, which its size and bytes determine; `Part` checks fetched nodes
against that shape, so no peer can make a small request expensive.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from foedus.network import dagpb
from foedus.protocol.ids import Cid
from foedus.protocol.ports import BlobCorrupt

CHUNK = 1 << 20
"""Bytes in every leaf but the last."""

FANOUT = dagpb.MAX_LINKS
BLOCK_LIMIT = CHUNK
"""No block is larger, in bytes."""

CIDS_KNOWN = 4096
"""CIDs whose bytes are remembered: a block's is read a dozen times while it is fetched, at 50 us each."""

RAW, DAG_PB = 0x55, 0x70
_SHA2_256 = b"\x12\x20"
_TEXT_LENGTH = 59


class InvalidCid(ValueError):
    """Text or bytes that are not a CID of this network's profile."""

    def __init__(self, shown: str, why: str) -> None:
        super().__init__(f"{shown[:100]!r} is not a usable CID ({why}): expected CIDv1 base32, sha2-256, raw or dag-pb")
        self.shown = shown


class BlobMalformed(BlobCorrupt):
    """Bytes that match the identifier but are not a blob of the profile: no honest peer made it."""

    def __init__(self, cid: Cid, why: str) -> None:
        ValueError.__init__(self, f"{cid} is not a blob of profile unixfs-v1-2025 ({why}): add it again with `put`")
        self.cid = cid


def parse_cid(text: str) -> Cid:
    """Check a CID that someone else wrote. Raises InvalidCid unless it is canonical and of the profile."""
    to_binary(Cid(text))
    return Cid(text)


@lru_cache(CIDS_KNOWN)
def to_binary(cid: Cid) -> bytes:
    """The 36 bytes of a CID: version, codec, multihash. Raises InvalidCid."""
    if len(cid) != _TEXT_LENGTH or not cid.startswith("b") or not cid.isascii():
        raise InvalidCid(cid, f"{len(cid)} characters")
    try:
        raw = base64.b32decode(cid[1:].upper() + "======")
    except ValueError as error:
        raise InvalidCid(cid, "not base32") from error
    if from_binary(raw) != cid:
        raise InvalidCid(cid, "not in canonical form")
    return raw


def from_binary(raw: bytes) -> Cid:
    """The CID with these 36 bytes. Raises InvalidCid."""
    if len(raw) != dagpb.BINARY_CID_BYTES or raw[0] != 1 or raw[1] not in (RAW, DAG_PB) or raw[2:4] != _SHA2_256:
        raise InvalidCid(raw.hex(), "version, codec or hash")
    return Cid("b" + base64.b32encode(raw).decode().rstrip("=").lower())


def cid_of_block_digest(digest: bytes, codec: int = RAW) -> Cid:
    """The CID of one block with this sha2-256 digest. Raises InvalidCid unless it has 32 bytes."""
    return from_binary(bytes([1, codec]) + _SHA2_256 + digest)


def digest_of(cid: Cid) -> bytes:
    """The sha2-256 digest, 32 bytes, of the block that a CID names. Raises InvalidCid."""
    return to_binary(cid)[4:]


def is_raw(cid: Cid) -> bool:
    """Whether the block is file bytes themselves (a blob of at most 1 MiB, or a leaf)."""
    return to_binary(cid)[1] == RAW


def holds(cid: Cid, *pieces: bytes | bytearray | memoryview) -> bool:
    """Whether a block, whole or in pieces, is what its CID says."""
    if sum(map(len, pieces)) > BLOCK_LIMIT:
        return False
    hashed = hashlib.sha256()
    for piece in pieces:
        hashed.update(piece)
    return hashed.digest() == digest_of(cid)


def blocks_of(blob: bytes, chunk: int = CHUNK, fanout: int = FANOUT) -> Iterator[tuple[Cid, bytes | memoryview]]:
    """Every block of a blob, leaves first, the root last; leaves are views into `blob`.

    `chunk` and `fanout` are the profile's in all but tests of deep DAGs.
    """
    view = memoryview(blob)
    level: list[dagpb.Link] = []
    for start in range(0, len(blob), chunk) if blob else (0,):
        leaf = view[start : start + chunk]
        cid = cid_of_block_digest(hashlib.sha256(leaf).digest())
        level.append(dagpb.Link(to_binary(cid), len(leaf), len(leaf)))
        yield cid, leaf
    while len(level) > 1:
        parents: list[dagpb.Link] = []
        for start in range(0, len(level), fanout):
            children = level[start : start + fanout]
            node = dagpb.encode(children)
            cid = cid_of_block_digest(hashlib.sha256(node).digest(), DAG_PB)
            size, dag = sum(link.file_size for link in children), sum(link.dag_size for link in children)
            parents.append(dagpb.Link(to_binary(cid), size, dag + len(node)))
            yield cid, node
        level = parents


def cid_of(blob: bytes, chunk: int = CHUNK, fanout: int = FANOUT) -> Cid:
    """The identifier that `ipfs add` of the profile gives to `blob`."""
    cid = Cid("")
    for block_cid, _ in blocks_of(blob, chunk, fanout):
        cid = block_cid
    return cid


@dataclass(frozen=True, slots=True)
class Part:
    """A block within a blob: where it stands, and the sizes in bytes that it must have."""

    cid: Cid
    level: int
    file_size: int
    dag_size: int

    @classmethod
    def root(cls, blob: Cid, block: bytes) -> Part:
        """The root's place, read from its (hash-checked) block. Raises BlobMalformed."""
        if is_raw(blob):
            return cls(blob, 0, len(block), len(block))
        links = _links(blob, block)
        size, dag = sum(link.file_size for link in links), sum(link.dag_size for link in links)
        leaves, level = -(-size // CHUNK), 0
        while FANOUT**level < leaves:
            level += 1
        if level == 0:
            raise BlobMalformed(blob, "a node above one leaf")
        return cls(blob, level, size, dag + len(block))

    def children(self, block: bytes) -> tuple[Part, ...]:
        """The blocks beneath this one, in order; none for a leaf. Raises BlobMalformed."""
        if self.level == 0:
            if len(block) != self.file_size:
                raise BlobMalformed(self.cid, f"leaf of {len(block)} bytes where {self.file_size} were promised")
            return ()
        links = _links(self.cid, block)
        span = CHUNK * FANOUT ** (self.level - 1)
        want = [min(span, self.file_size - start) for start in range(0, self.file_size, span)]
        if [link.file_size for link in links] != want:
            raise BlobMalformed(self.cid, "sizes of children are not those of a balanced DAG")
        if sum(link.dag_size for link in links) + len(block) != self.dag_size:
            raise BlobMalformed(self.cid, "sizes of children do not add up")
        parts = []
        for link in links:
            cid = from_binary(link.cid)
            if is_raw(cid) != (self.level == 1):
                raise BlobMalformed(self.cid, "a child of the wrong kind")
            if self.level == 1 and link.dag_size != link.file_size:
                raise BlobMalformed(self.cid, "a leaf of two sizes")
            parts.append(Part(cid, self.level - 1, link.file_size, link.dag_size))
        return tuple(parts)


def _links(cid: Cid, block: bytes) -> tuple[dagpb.Link, ...]:
    try:
        links = dagpb.decode(block)
        for link in links:
            from_binary(link.cid)
    except (dagpb.BadNode, InvalidCid) as error:
        raise BlobMalformed(cid, str(error)) from error
    return links
