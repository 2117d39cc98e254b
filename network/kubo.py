"""Blobs in an IPFS daemon: the Kubo RPC over HTTP, and nothing taken on trust.

The RPC is POST only; every option is explicit, because daemons differ in their defaults (js-ipfs answers base58 unless
asked, and ignores what it does not know). What comes back is walked block by block against its identifiers.
"""

from __future__ import annotations

import io
from typing import Any

import httpx

from foedus.network.cid import BLOCK_LIMIT, InvalidCid, Part, cid_of, holds, parse_cid
from foedus.protocol.hostile import load_json
from foedus.protocol.ids import Cid
from foedus.protocol.ports import BlobCorrupt, BlobMissing, BlobTooLarge

ADD = {
    "cid-version": "1",
    "raw-leaves": "true",
    "chunker": "size-1048576",
    "max-file-links": "1024",
    "hash": "sha2-256",
    "cid-base": "base32",
    "trickle": "false",
    "inline": "false",
    "wrap-with-directory": "false",
    "quieter": "true",
    "progress": "false",
    "pin": "true",
}


class KuboError(OSError):
    """The daemon cannot be reached or refuses; not a word about the blob."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(f"IPFS daemon at {url}: {why}; is it running, and is its RPC address right?")
        self.url = url


class KuboStore:
    """A BlobStore in the daemon at `url` (its RPC address, such as `http://127.0.0.1:5001`); timeouts in seconds.

    A block that the daemon does not hold is looked for in its network until `timeout`, then counted as missing.
    """

    def __init__(self, url: str, timeout: float = 30.0) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.AsyncClient(base_url=f"{self.url}/api/v0/", timeout=timeout, trust_env=False)

    async def put(self, blob: bytes) -> Cid:
        """Add and pin. Raises BlobCorrupt where the daemon names the bytes differently, KuboError."""
        want = cid_of(blob)
        answer = await self._post("add", ADD, files={"file": ("blob", blob)})
        if answer.status_code != 200:
            raise KuboError(self.url, f"add: HTTP {answer.status_code}")
        try:
            got = parse_cid(_last_hash(answer))
        except (InvalidCid, ValueError) as error:
            raise KuboError(self.url, "add: it answered with no usable CID") from error
        if got != want:
            raise BlobCorrupt(want)
        return want

    async def get(self, cid: Cid, limit: int) -> bytes:
        """The blob's bytes, every block checked. Raises as the port says, and InvalidCid, KuboError."""
        root = parse_cid(cid)
        block = await self._block(root)
        part = Part.root(root, block)
        if part.file_size > limit:
            raise BlobTooLarge(root, part.file_size, limit)
        out = io.BytesIO()
        stack = [part]
        while stack:
            part = stack.pop()
            block = block if part.cid == root else await self._block(part.cid)
            stack.extend(reversed(part.children(block)))
            if part.level == 0:
                out.write(block)
        return out.getvalue()

    async def unpin(self, cid: Cid) -> None:
        """Let the daemon collect the blob when it next does; a blob that is not pinned is left as it is."""
        await self._post("pin/rm", {"arg": parse_cid(cid), "recursive": "true", "cid-base": "base32"})

    async def close(self) -> None:
        """Close the connections to the daemon."""
        await self._http.aclose()

    async def _block(self, cid: Cid) -> bytes:
        try:
            async with self._http.stream("POST", "block/get", params={"arg": cid}) as answer:
                if answer.status_code != 200:
                    raise BlobMissing(cid)
                block = bytearray()
                async for piece in answer.aiter_bytes():
                    block += piece
                    if len(block) > BLOCK_LIMIT:
                        raise BlobCorrupt(cid)
        except httpx.TimeoutException as error:
            raise BlobMissing(cid) from error
        except httpx.HTTPError as error:
            raise KuboError(self.url, f"block/get: {type(error).__name__}") from error
        if not holds(cid, block):
            raise BlobCorrupt(cid)
        return bytes(block)

    async def _post(self, path: str, params: dict[str, str], **body: Any) -> httpx.Response:
        try:
            return await self._http.post(path, params=params, **body)
        except httpx.HTTPError as error:
            raise KuboError(self.url, f"{path}: {type(error).__name__}") from error


def _last_hash(answer: httpx.Response) -> str:
    lines = [line for line in answer.content.splitlines() if line.strip()]
    named = load_json(lines[-1]) if lines else None
    found = named.get("Hash") if isinstance(named, dict) else None
    if not isinstance(found, str):
        raise ValueError("no Hash")
    return found
