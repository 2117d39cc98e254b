"""Gathering what an audit rests on: blobs by content, comparisons, and a note of each that held or did not."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from foedus.aggregator.report import Finding, Mismatch, Unavailable
from foedus.protocol.chunks import MalformedLanes, lanes_from_bytes, vector_root
from foedus.protocol.fixedpoint import signed
from foedus.protocol.ids import Address, Cid, Hash32
from foedus.protocol.ports import BlobCorrupt, BlobMissing, BlobStore, BlobTooLarge

Int32 = NDArray[np.int32]


@dataclass
class Evidence:
    """What one part of an audit found so far, and the store that it asks."""

    store: BlobStore
    findings: list[Finding] = field(default_factory=list)
    verified: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)

    async def fetch(
        self, what: str, cid: Cid, limit: int, owner: Address | None, digest: Hash32 | None = None
    ) -> bytes | None:
        """The blob, or None with a finding. digest: the sha256 of a blob that is a single block."""
        try:
            blob = await self.store.get(cid, limit)
        except BlobMissing:
            self.findings.append(Unavailable(what, owner, cid))
            return None
        except (BlobCorrupt, BlobTooLarge) as error:
            self.refute(what, owner, cid, str(error))
            return None
        found = sha256(blob).digest()
        if digest is not None and found != digest:
            self.refute(what, owner, digest.hex(), found.hex())
            return None
        return blob

    async def fetch_lanes(self, what: str, cid: Cid, lanes: int, root: Hash32, owner: Address | None) -> Int32 | None:
        """A model or state of `lanes` int32 lanes with this root, or None with a finding."""
        blob = await self.fetch(what, cid, 4 * lanes, owner)
        if blob is None:
            return None
        try:
            found = signed(lanes_from_bytes(blob, lanes))
        except MalformedLanes as error:
            self.refute(what, owner, f"{lanes} lanes", str(error))
            return None
        return found if self.expect(what, owner, root, vector_root(blob)) else None

    def expect(self, what: str, owner: Address | None, expected: object, found: object) -> bool:
        """Note whether two values that must be equal are."""
        if expected == found:
            self.verified.append(what)
            return True
        self.refute(what, owner, _shown(expected), _shown(found))
        return False

    def refute(self, what: str, owner: Address | None, expected: str, found: str) -> None:
        """Note a mismatch."""
        self.findings.append(Mismatch(what, owner, expected, found))


def _shown(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
