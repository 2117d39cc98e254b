"""What can go wrong between peers: each error carries its values, and says whose fault it is by its class."""

from __future__ import annotations

from foedus.protocol.ids import PeerId


class NetworkError(Exception):
    """Anything that the network room raises about peers and streams."""


class HostStopped(NetworkError):
    """The host's thread has ended: nothing more can be sent through it."""

    def __init__(self, why: str = "stopped") -> None:
        super().__init__(f"the network host is not running ({why}): start a new Host")
        self.why = why


class ListenFailed(NetworkError):
    """The listen address cannot be bound."""

    def __init__(self, address: str, why: str) -> None:
        super().__init__(f"cannot listen on {address} ({why}): choose another address or stop the process that has it")
        self.address = address


class BadAddress(NetworkError, ValueError):
    """A multiaddr that this network does not dial."""

    def __init__(self, address: str, why: str) -> None:
        super().__init__(f"{address[:200]!r}: {why}; write /ip4/<address>/tcp/<port>/p2p/<peer id>")
        self.address = address


class BadPeerId(NetworkError, ValueError):
    """Text that is not the identifier of an Ed25519 node key."""

    def __init__(self, text: str) -> None:
        super().__init__(f"{text[:80]!r} is not a peer id: an Ed25519 one begins with 12D3Koo and has 52 characters")
        self.text = text


class PeerUnreachable(NetworkError):
    """No connection to the peer, or it broke while it was used."""

    def __init__(self, peer: PeerId, why: str) -> None:
        super().__init__(f"peer {peer} is unreachable ({why}): add_peer() an address that it listens on")
        self.peer, self.why = peer, why


class RequestTimeout(NetworkError, TimeoutError):
    """The peer did not answer in time."""

    def __init__(self, peer: PeerId, protocol: str, seconds: float) -> None:
        super().__init__(f"peer {peer} did not answer {protocol} within {seconds:g} s: ask another peer, or later")
        self.peer, self.protocol, self.seconds = peer, protocol, seconds


class RequestRefused(NetworkError):
    """The peer refused; `code` is a short ASCII word: `busy`, `internal`, `unsupported`, or the handler's own."""

    def __init__(self, peer: PeerId, protocol: str, code: str) -> None:
        super().__init__(f"peer {peer} refused {protocol}: {code}")
        self.peer, self.protocol, self.code = peer, protocol, code


class TooLarge(NetworkError, ValueError):
    """A message is past its limit, in bytes."""

    def __init__(self, what: str, size: int, limit: int) -> None:
        super().__init__(f"{what} of {size} bytes is past its limit of {limit}: send a blob by its CID instead")
        self.size, self.limit = size, limit


class PeerMisbehaved(NetworkError):
    """The peer broke a protocol: counted against it, and enough of them ban it."""

    def __init__(self, peer: PeerId, reason: str) -> None:
        super().__init__(f"peer {peer} broke the protocol: {reason}")
        self.peer, self.reason = peer, reason


class Refused(Exception):
    """Raised by a request handler: the requester gets `code` (1 to 64 ASCII letters, digits, `-`), nothing else."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Garbage(Refused):
    """Raised by a request handler when the request itself breaks the protocol: also counted against the peer."""
