"""Finding peers without a registry: a list given by hand, and mDNS on the local network (RFC 6762, RFC 6763).

Only names of one network are heard: the scope is the chain id and the head of its genesis hash, part of the service's
name. An answer is a hint: it yields a multiaddr to dial, and Noise proves who is there.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable, Iterable

import structlog
from zeroconf import IPVersion, ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from foedus.network.addresses import parse_address
from foedus.network.errors import BadAddress, BadPeerId
from foedus.network.keys import parse_peer_id
from foedus.protocol.ids import Hash32

log = structlog.get_logger(__name__)

SERVICE = "_foedus._tcp.local."
MAX_PEERS = 512
"""Announcements remembered at a time: more are ignored until some are withdrawn."""

MAX_RESOLVING = 16
MAX_PLACES = 4
RESOLVE_MILLISECONDS = 3000


def network_id(chain_id: int, genesis: Hash32) -> str:
    """The name that tells one network from another: chain id and the first 4 bytes of the genesis hash, in hex."""
    return f"{chain_id}-{genesis[:4].hex()}"


def bootstrap(addresses: Iterable[str], add_peer: Callable[[str], None]) -> int:
    """Hand every good address of a configured list to `add_peer`; bad ones are logged. How many were good."""
    good = 0
    for address in addresses:
        try:
            add_peer(address)
            good += 1
        except BadAddress as error:
            log.warning("bootstrap address skipped", error=str(error))
    return good


class LocalDiscovery:
    """Announces this node on the local network and hands what others announce to `add_peer`."""

    def __init__(self, network: str, addresses: Iterable[str], add_peer: Callable[[str], None]) -> None:
        parsed = [parse_address(address) for address in addresses]
        self._mine = [address for address in parsed if address.kind in ("ip4", "ip6")]
        if not self._mine:
            raise ValueError("nothing to announce: the host has no ip4 or ip6 address")
        self._network, self._add_peer = network, add_peer
        self._zeroconf: AsyncZeroconf | None = None
        self._browser: AsyncServiceBrowser | None = None
        self._found: set[str] = set()
        self._resolving: set[asyncio.Task[None]] = set()

    async def start(self, interfaces: list[str] | None = None) -> None:
        """Announce and listen, on the interfaces with these addresses or on all."""
        self._zeroconf = AsyncZeroconf(interfaces=interfaces) if interfaces else AsyncZeroconf()
        peer, port = self._mine[0].peer, self._mine[0].port
        places = dict.fromkeys(ipaddress.ip_address(each.host).packed for each in self._mine if each.port == port)
        info = AsyncServiceInfo(
            SERVICE,
            f"{peer[-24:]}-{self._network}.{SERVICE}",
            port=port,
            addresses=list(places),
            properties={"network": self._network, "peer": peer},
            server=f"{peer.lower()}.local.",
        )
        await self._zeroconf.async_register_service(info, allow_name_change=True)
        self._browser = AsyncServiceBrowser(self._zeroconf.zeroconf, SERVICE, handlers=[self._changed])
        log.info("local discovery started", network=self._network, port=port)

    async def stop(self) -> None:
        """Withdraw the announcement and stop listening."""
        for task in self._resolving:
            task.cancel()
        if self._browser is not None:
            await self._browser.async_cancel()
        if self._zeroconf is not None:
            await self._zeroconf.async_unregister_all_services()
            await self._zeroconf.async_close()
        self._zeroconf = self._browser = None

    def _changed(self, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        if f"-{self._network}" not in name:
            return
        if state_change is ServiceStateChange.Removed:
            self._found.discard(name)
            return
        if len(self._found) >= MAX_PEERS or len(self._resolving) >= MAX_RESOLVING:
            return
        self._found.add(name)
        task = asyncio.ensure_future(self._resolve(zeroconf, service_type, name))
        self._resolving.add(task)
        task.add_done_callback(self._resolving.discard)

    async def _resolve(self, zeroconf: Zeroconf, service_type: str, name: str) -> None:
        info = AsyncServiceInfo(service_type, name)
        if not await info.async_request(zeroconf, RESOLVE_MILLISECONDS):
            return
        if info.decoded_properties.get("network") != self._network:
            return
        try:
            peer = parse_peer_id(info.decoded_properties.get("peer") or "")
            if peer == self._mine[0].peer:
                return
            for place in info.ip_addresses_by_version(IPVersion.All)[:MAX_PLACES]:
                kind = "ip4" if place.version == 4 else "ip6"
                self._add_peer(str(parse_address(f"/{kind}/{place.compressed}/tcp/{info.port}/p2p/{peer}")))
        except (BadPeerId, BadAddress) as error:
            log.warning("announcement ignored", error=str(error))
