"""The registry is followed by nodes that run, and a node that nobody reaches finds that out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from eth_account import Account

from foedus.contracts.deploy import deploy
from foedus.contracts.deployment import Deployment
from foedus.contracts.ledger import Ledger
from foedus.network.addresses import parse_address
from foedus.network.host import Host
from foedus.network.identity import Domain, serve_record, sign
from foedus.network.keys import generate_secret
from foedus.network.wire import Wire
from foedus.node import peers as node_peers
from foedus.node.cli.checks import _reach_check
from foedus.node.config import Config
from foedus.node.devnet.accounts import dev_accounts
from foedus.node.devnet.processes import start_chain_process
from foedus.node.errors import BadConfig
from foedus.node.health import make_app
from foedus.node.peers import PeerBook, announce, places_of
from foedus.node.reach import Reach
from foedus.node.vitals import Vitals
from foedus.protocol.ids import Address, PeerId, Timestamp

pytestmark = pytest.mark.processes


@dataclass
class Net:
    """A chain with the contracts on it."""

    url: str
    book: Deployment

    @asynccontextmanager
    async def member(
        self, at: int, secret: bytes | None = None, listen: str = "/ip4/127.0.0.1/tcp/0"
    ) -> AsyncIterator[tuple[Host, Ledger, PeerBook]]:
        """The network of account number `at`, with its record, not yet announced."""
        signer = Account.from_key(dev_accounts()[at].key)
        me, domain = Address(signer.address), Domain(self.book.chain_id, self.book.registry)
        async with (
            await Ledger.connect(self.url, self.book, signer) as ledger,
            await Host.start(secret or generate_secret(), listen) as host,
        ):
            serve_record(host, sign(domain, host.peer_id, bytes(signer.key), Timestamp(1)))
            peers = PeerBook(host, ledger, me)
            yield host, ledger, peers
            peers.close()


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Net]:
    with start_chain_process(tmp_path_factory.mktemp("chain"), block_time=0.2) as chain:
        owner = Account.from_key(dev_accounts()[0].key)
        yield Net(chain.url, asyncio.run(deploy(chain.url, owner, Address(owner.address), 31337)))


async def _until(condition: Callable[[], Any], look: Callable[[], Awaitable[None]]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await look()
            await asyncio.sleep(0.05)


async def _book(wire: Wire, peer: PeerId) -> list[str]:
    return [str(address) for address in wire.dialer.addresses(peer)]


def test_a_peer_that_moved_while_it_was_away_is_found_where_the_registry_says(net: Net) -> None:
    async def main() -> None:
        secret = generate_secret()
        async with net.member(1) as (host, _, peers):
            async with net.member(2, secret) as (moving, ledger, theirs):
                first = moving.addresses
                await announce(moving, ledger, theirs.me, first)
                await _until(lambda: peers.of([theirs.me]) == [moving.peer_id], peers.refresh)
            await _until(lambda: not host.connected(), peers.refresh)
            async with net.member(2, secret) as (moved, ledger, theirs):
                assert moved.addresses != first
                await announce(moved, ledger, theirs.me, moved.addresses)
                await _until(lambda: host.connected() == {moved.peer_id}, peers.refresh)
                assert await host.on_wire(_book, moved.peer_id) == list(moved.addresses)

    asyncio.run(main())


def test_a_peer_with_a_new_key_replaces_the_old_one_in_the_book(net: Net) -> None:
    async def main() -> None:
        async with net.member(3) as (host, _, peers):
            async with net.member(4) as (old, ledger, theirs):
                await announce(old, ledger, theirs.me, old.addresses)
                await _until(lambda: old.peer_id in host.connected(), peers.refresh)
            async with net.member(4) as (new, ledger, theirs):
                await announce(new, ledger, theirs.me, new.addresses)
                await _until(lambda: new.peer_id in host.connected(), peers.refresh)
                assert await host.on_wire(_book, old.peer_id) == []

    asyncio.run(main())


def test_no_account_moves_a_peer_that_has_proven_another(net: Net) -> None:
    async def main() -> None:
        async with net.member(5) as (host, _, peers), net.member(6) as (victim, ledger, theirs):
            await announce(victim, ledger, theirs.me, victim.addresses)
            await _until(lambda: peers.of([theirs.me]), peers.refresh)
            async with net.member(7) as (liar, lying, liars):
                wrong = tuple(f"/ip4/127.0.0.1/tcp/{port}/p2p/{victim.peer_id}" for port in range(1, 6))
                await announce(liar, lying, liars.me, (*liar.addresses, *wrong))
                await _until(lambda: liar.peer_id in host.connected(), peers.refresh)
                assert await host.on_wire(_book, victim.peer_id) == list(victim.addresses)
                await announce(liar, lying, liars.me, (*liar.addresses, *victim.addresses))
                await peers.refresh()
                await announce(liar, lying, liars.me, liar.addresses)
                await peers.refresh()
                assert await host.on_wire(_book, victim.peer_id) == list(victim.addresses)

    asyncio.run(main())


def test_accounts_without_end_do_not_push_out_those_of_the_registry(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_peers, "MAX_RECORDS", 2)

    async def main() -> None:
        async with net.member(1) as (host, _, peers):
            async with net.member(9) as (named, ledger, theirs):
                await announce(named, ledger, theirs.me, named.addresses)
                await _until(lambda: peers.of([theirs.me]), peers.refresh)
            strangers = []
            for at in (0, 8):
                async with net.member(at) as (unnamed, _, others):
                    strangers.append(others.me)
                    host.add_peer(unnamed.addresses[0])
                    await _until(lambda: peers.of(strangers[-1:]), peers.refresh)
            assert peers.of([theirs.me, *strangers]) == [named.peer_id, unnamed.peer_id]

    asyncio.run(main())


def test_a_node_that_nobody_reaches_says_so_with_the_remedy_until_somebody_does(net: Net) -> None:
    async def main() -> None:
        async with net.member(1) as (host, ledger, peers), net.member(2) as (other, _, theirs):
            hidden = places_of(host, ["/ip4/127.0.0.1/tcp/1"])
            reach, vitals = Reach(host, hidden), Vitals(Config("http://x", 1), peers.me, Path())
            vitals.reach, vitals.host = reach, host
            await reach.look()
            assert reach.unreached == "", "nobody is connected"
            await announce(host, ledger, peers.me, hidden)
            host.add_peer(other.addresses[0])
            await _until(lambda: other.peer_id in host.connected(), theirs.refresh)
            await _until(lambda: reach.unreached, reach.look)
            assert "/ip4/127.0.0.1/tcp/1:" in reach.unreached
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(make_app(vitals)), base_url="http://x"
            ) as client:
                assert (await client.get("/readyz")).json()["warnings"] == [f"network: {reach.unreached}"]
                assert "foedus_reachable 0.0" in (await client.get("/metrics")).text
            check = _reach_check({"unreached": reach.unreached})
            assert (check.good, check.remedy.startswith("open and forward the port")) == (False, True)
            assert _reach_check({}).good

    asyncio.run(main())


def test_a_node_that_is_reached_has_nothing_to_say(net: Net) -> None:
    async def main() -> None:
        async with net.member(1) as (host, _, _peers), net.member(2) as (other, _, _others):
            reach = Reach(host, host.addresses)
            reach.unreached = "not yet"
            host.add_peer(other.addresses[0])
            await _until(lambda: not reach.unreached, reach.look)

    asyncio.run(main())


def test_what_is_announced_is_the_setting_with_this_nodes_name() -> None:
    async def main() -> None:
        async with await Host.start(generate_secret()) as host:
            assert places_of(host, ()) == host.addresses
            (told,) = places_of(host, ["/dns4/node.example.org/tcp/4001"])
            assert (parse_address(told).host, parse_address(told).peer) == ("node.example.org", host.peer_id)
            with pytest.raises(BadConfig, match="announce"):
                places_of(host, ["203.0.113.7:4001"])

    asyncio.run(main())
