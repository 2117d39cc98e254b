"""What the pure core asks of the world, in its own words; the rooms above provide it."""

from __future__ import annotations

from typing import Protocol

from foedus.protocol.ids import Cid


class BlobMissing(LookupError):
    """No reachable holder has the blob: unavailable, which is never the same as wrong."""

    def __init__(self, cid: Cid) -> None:
        super().__init__(f"no reachable store holds {cid}: start a node that pins it, or name another store")
        self.cid = cid


class BlobCorrupt(ValueError):
    """A store answered with bytes that do not hash to the content identifier."""

    def __init__(self, cid: Cid) -> None:
        super().__init__(f"stored bytes of {cid} do not match their hash: delete the block and fetch it again")
        self.cid = cid


class BlobStore(Protocol):
    """Content-addressed bytes. `get` verifies every block against the identifier before it answers."""

    async def get(self, cid: Cid, limit: int) -> bytes:
        """The blob's bytes; `limit` bounds its size in bytes.

        Raises BlobMissing where no holder answers, BlobCorrupt where the bytes do not match, BlobTooLarge past `limit`.
        """
        ...

    async def put(self, blob: bytes) -> Cid:
        """Store and pin `blob`; the identifier is that of `ipfs add --cid-version=1 --raw-leaves`, 1 MiB chunks."""
        ...


class BlobTooLarge(ValueError):
    """A blob is larger than the protocol allows for its kind."""

    def __init__(self, cid: Cid, size: int, limit: int) -> None:
        super().__init__(f"{cid} holds {size} bytes, more than the {limit} its kind may have")
        self.cid, self.size, self.limit = cid, size, limit
