"""Nodes of one network find each other on the local one; those of another are not heard."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from foedus.network.discovery import LocalDiscovery, bootstrap, network_id
from foedus.network.errors import BadAddress
from foedus.network.host import Host
from foedus.network.keys import generate_secret, peer_id_of
from foedus.protocol.ids import Hash32

Eventually = Callable[..., Awaitable[Any]]
LOOPBACK = ["127.0.0.1"]


def _address(port: int) -> str:
    return f"/ip4/127.0.0.1/tcp/{port}/p2p/{peer_id_of(generate_secret())}"


def test_one_network_finds_itself_and_no_other(eventually: Eventually) -> None:
    async def main() -> None:
        here = network_id(31337, Hash32(bytes(range(32))))
        there = network_id(31337, Hash32(bytes(range(1, 33))))
        assert here != there
        found: dict[str, list[str]] = {"a": [], "b": [], "other": []}
        addresses = {name: _address(4001 + number) for number, name in enumerate(found)}
        nodes = {
            name: LocalDiscovery(there if name == "other" else here, [addresses[name]], found[name].append)
            for name in found
        }
        try:
            await asyncio.gather(*(node.start(LOOPBACK) for node in nodes.values()))
            await eventually(lambda: found["a"] and found["b"], 20)
            await asyncio.sleep(0.5)
            assert set(found["a"]) == {addresses["b"]}
            assert set(found["b"]) == {addresses["a"]}
            assert found["other"] == []
        finally:
            await asyncio.gather(*(node.stop() for node in nodes.values()))

    asyncio.run(main())


def test_hosts_that_discover_each_other_connect(eventually: Eventually) -> None:
    async def main() -> None:
        async with await Host.start(generate_secret()) as one, await Host.start(generate_secret()) as two:
            nodes = [LocalDiscovery("5-00", host.addresses, host.add_peer) for host in (one, two)]
            try:
                await asyncio.gather(*(node.start(LOOPBACK) for node in nodes))
                await eventually(lambda: one.connected() == {two.peer_id}, 20)
            finally:
                await asyncio.gather(*(node.stop() for node in nodes))

    asyncio.run(main())


def test_a_bad_line_in_the_bootstrap_list_spoils_nothing() -> None:
    heard: list[str] = []

    def add(address: str) -> None:
        if "tcp" not in address:
            raise BadAddress(address, "not TCP")
        heard.append(address)

    good = [_address(1), _address(2)]
    assert bootstrap([good[0], "nonsense", good[1]], add) == 2
    assert heard == good
    with pytest.raises(ValueError, match="nothing to announce"):
        LocalDiscovery("5-00", [good[0].replace("/ip4/127.0.0.1", "/dns/example.org")], heard.append)
