"""The multiaddrs that this network dials: TCP, with the peer's id at the end."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from foedus.network.errors import BadAddress, BadPeerId
from foedus.network.keys import parse_peer_id
from foedus.protocol.ids import PeerId

_PATTERN = re.compile(r"/(ip4|ip6|dns|dns4|dns6)/([^/\s]{1,253})/tcp/([0-9]{1,5})/p2p/([1-9A-Za-z]{1,64})")
_HOST_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?")


@dataclass(frozen=True, slots=True)
class PeerAddress:
    """A peer and one place where it listens: `kind` is ip4, ip6, dns, dns4 or dns6."""

    peer: PeerId
    kind: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"/{self.kind}/{self.host}/tcp/{self.port}/p2p/{self.peer}"


def parse_address(text: str) -> PeerAddress:
    """Read a full multiaddr, `/ip4/203.0.113.7/tcp/4001/p2p/12D3Koo...`. Raises BadAddress."""
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise BadAddress(text, "not a TCP address of a peer")
    kind, host, port, peer = match.groups()
    if not 0 < int(port) < 65536 or port != str(int(port)):
        raise BadAddress(text, f"port {port}")
    try:
        if kind == "ip4":
            host = str(ipaddress.IPv4Address(host))
        elif kind == "ip6":
            host = str(ipaddress.IPv6Address(host))
        elif _HOST_NAME.fullmatch(host) is None:
            raise BadAddress(text, "not a host name")
        return PeerAddress(parse_peer_id(peer), kind, host, int(port))
    except BadPeerId as error:
        raise BadAddress(text, "no Ed25519 peer id at its end") from error
    except ipaddress.AddressValueError as error:
        raise BadAddress(text, str(error)) from error
