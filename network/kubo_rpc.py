"""The Kubo RPC of an IPFS daemon, over HTTP, and nothing taken on trust. Synchronous; safe to use from many threads.

POST only; every option is explicit, because daemons differ in their defaults (js-ipfs answers base58 unless asked, and
ignores what it does not know). A block that comes back is held against its identifier.
"""

from __future__ import annotations

from typing import Any

import httpx

from foedus.network.cid import BLOCK_LIMIT, InvalidCid, holds, is_raw, parse_cid
from foedus.protocol.hostile import load_json
from foedus.protocol.ids import Cid
from foedus.protocol.ports import BlobCorrupt, BlobMissing

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
PUT = {"format": "dag-pb", "mhtype": "sha2-256", "version": "1", "cid-base": "base32", "pin": "false"}
ANSWER_LIMIT = 1 << 20
TIMEOUT_SECONDS = 30.0
PROBE_SECONDS = 5.0


class KuboError(OSError):
    """The daemon cannot be reached or refuses; not a word about the blob."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(f"IPFS daemon at {url}: {why}; is it running, and is its RPC address right?")
        self.url = url


class KuboRpc:
    """The daemon at `url` (its RPC address, such as `http://127.0.0.1:5001`); timeout in seconds.

    A block that the daemon does not hold is looked for in its network until `timeout`, then counted as missing.
    """

    def __init__(self, url: str, timeout: float = TIMEOUT_SECONDS) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.Client(base_url=f"{self.url}/api/v0/", timeout=timeout, trust_env=False)

    def version(self) -> str:
        """What the daemon says that it is. Raises KuboError."""
        return str(self._named("version", {}, "Version"))[:40]

    def add(self, blob: bytes) -> Cid:
        """Have the daemon cut, store and pin a blob; its name there. Raises KuboError."""
        return self._cid(self._named("add", ADD, "Hash", files={"file": ("blob", blob)}), "add")

    def block(self, cid: Cid) -> bytes:
        """A block. Raises BlobMissing, BlobCorrupt where its bytes are not the CID's, KuboError."""
        try:
            with self._http.stream("POST", "block/get", params={"arg": cid}) as answer:
                if answer.status_code != 200:
                    raise BlobMissing(cid)
                block = bytearray()
                for piece in answer.iter_bytes():
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

    def put_block(self, cid: Cid, block: bytes | bytearray | memoryview) -> None:
        """Store a block and pin it by itself: the daemon's collector leaves it. Raises BlobCorrupt, KuboError.

        A leaf is added as the file that it is, since js-ipfs puts no block of a whole chunk.
        """
        if is_raw(cid):
            got = self.add(bytes(block))
        else:
            got = self._cid(self._named("block/put", PUT, "Key", files={"data": ("block", bytes(block))}), "block/put")
            pinned = self._post("pin/add", {"arg": cid, "recursive": "false", "cid-base": "base32"})
            if pinned.status_code != 200 and b"already pinned" not in pinned.content:
                raise KuboError(self.url, f"pin/add: HTTP {pinned.status_code}")
        if got != cid:
            raise BlobCorrupt(cid)

    def remove_block(self, cid: Cid) -> None:
        """Give up a block of `put_block`; one that another pin of the daemon reaches stays there. Raises KuboError."""
        recursive = "true" if is_raw(cid) else "false"  # as `put_block` pinned it
        self._post("pin/rm", {"arg": cid, "recursive": recursive, "cid-base": "base32"})
        self._post("block/rm", {"arg": cid, "force": "true", "cid-base": "base32"})

    def unpin(self, cid: Cid) -> None:
        """Let the daemon collect what is pinned under the CID when it next does; what is not pinned stays as it is."""
        self._post("pin/rm", {"arg": parse_cid(cid), "recursive": "true", "cid-base": "base32"})

    def close(self) -> None:
        """Close the connections to the daemon."""
        self._http.close()

    @classmethod
    def fault(cls, url: str) -> str:
        """Why the daemon cannot be used now, or nothing."""
        rpc = cls(url, PROBE_SECONDS)
        try:
            rpc.version()
        except KuboError as error:
            return str(error)
        finally:
            rpc.close()
        return ""

    def _cid(self, text: object, path: str) -> Cid:
        try:
            return parse_cid(Cid(str(text)))
        except InvalidCid as error:
            raise KuboError(self.url, f"{path}: it answered with no usable CID") from error

    def _named(self, path: str, params: dict[str, str], name: str, **body: Any) -> object:
        """A value of the last line of an answer in JSON."""
        answer = self._post(path, params, **body)
        if answer.status_code != 200:
            raise KuboError(self.url, f"{path}: HTTP {answer.status_code}")
        lines = [line for line in answer.content[-ANSWER_LIMIT:].splitlines() if line.strip()]
        try:
            named = load_json(lines[-1]) if lines else None
        except ValueError:
            named = None
        return named.get(name) if isinstance(named, dict) else None

    def _post(self, path: str, params: dict[str, str], **body: Any) -> httpx.Response:
        try:
            return self._http.post(path, params=params, **body)
        except httpx.HTTPError as error:
            raise KuboError(self.url, f"{path}: {type(error).__name__}") from error
