"""An `ipfshttpclient.Client` that the caller has, as the way to a daemon: `KuboStore(ClientRpc(client))`.

For programs that have such a client already; Foedus itself talks to daemons through `kubo_rpc`. Make the client with
`ipfshttpclient.Client(address)`: its `connect` refuses every daemon newer than the package.
"""

from __future__ import annotations

from ipfshttpclient import Client
from ipfshttpclient.exceptions import CommunicationError, ErrorResponse, TimeoutError

from foedus.network.cid import InvalidCid, holds, parse_cid
from foedus.network.kubo_rpc import ADD, TIMEOUT_SECONDS, KuboError
from foedus.protocol.ids import Cid
from foedus.protocol.ports import BlobCorrupt, BlobMissing


class ClientRpc:
    """The daemon behind `client`; timeout in seconds. A block comes into memory before its size is known."""

    def __init__(self, client: Client, timeout: float = TIMEOUT_SECONDS) -> None:
        self._client, self._timeout = client, timeout

    def add(self, blob: bytes) -> Cid:
        """Have the daemon cut, store and pin a blob; its name there. Raises KuboError."""
        try:
            return parse_cid(Cid(str(self._client.add_bytes(blob, opts=ADD, timeout=self._timeout))))
        except InvalidCid as error:
            raise KuboError("the client's address", "add: it answered with no usable CID") from error
        except CommunicationError as error:
            raise KuboError("the client's address", f"add: {error}") from error

    def block(self, cid: Cid) -> bytes:
        """A block. Raises BlobMissing, BlobCorrupt where its bytes are not the CID's, KuboError."""
        try:
            block: bytes = self._client.block.get(cid, timeout=self._timeout)
        except (ErrorResponse, TimeoutError) as error:
            raise BlobMissing(cid) from error
        except CommunicationError as error:
            raise KuboError("the client's address", f"block/get: {error}") from error
        if not holds(cid, block):
            raise BlobCorrupt(cid)
        return block

    def unpin(self, cid: Cid) -> None:
        """Give up what is pinned under the CID; what is not pinned stays as it is. Raises KuboError."""
        try:
            self._client.pin.rm(parse_cid(cid), recursive=True, timeout=self._timeout)
        except ErrorResponse:
            return
        except CommunicationError as error:
            raise KuboError("the client's address", f"pin/rm: {error}") from error

    def close(self) -> None:
        """Close the client's session, if it has one."""
        self._client.close()
