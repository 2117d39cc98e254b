"""An IPFS daemon that nobody here wrote names our blobs as we do, keeps what we pin, and shares a network with us.

Runs against the daemon at FOEDUS_IPFS_URL, or else against js-ipfs, which `make peers` installs.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import ipfshttpclient
import pytest

from foedus.network.cid import CHUNK, InvalidCid, cid_of
from foedus.network.host import Host
from foedus.network.ipfs_client import ClientRpc
from foedus.network.keys import generate_secret
from foedus.network.kubo import KuboStore, Rpc
from foedus.network.kubo_rpc import KuboRpc
from foedus.network.netstore import NetworkStore
from foedus.network.store import BlockStore, StoreFull, bytes_held
from foedus.protocol.ids import Cid
from foedus.protocol.ports import BlobMissing, BlobStore, BlobTooLarge
from tests.peers.daemon import PROGRAM, js_ipfs

SIZES = (0, 3, CHUNK, 3 * CHUNK + 7)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if url := os.environ.get("FOEDUS_IPFS_URL"):
        yield url
    elif PROGRAM.exists():
        with js_ipfs(tmp_path_factory.mktemp("ipfs")) as url:
            yield url
    else:
        pytest.skip("no IPFS daemon: run `make peers` (300 MB), or set FOEDUS_IPFS_URL to one's RPC address")


async def _rpc(daemon: str, path: str, files: dict[str, bytes] | None = None, **params: str) -> httpx.Response:
    """Ask the daemon, without any code of ours between."""
    async with httpx.AsyncClient(base_url=f"{daemon}/api/v0/", trust_env=False, timeout=30) as client:
        return await client.post(path, params=params, files=files)


async def _is_pinned(daemon: str, cid: Cid) -> bool:
    answer = await _rpc(daemon, "pin/ls", arg=cid, type="recursive", **{"cid-base": "base32"})
    return answer.status_code == 200 and cid in answer.text


def _client(daemon: str) -> ClientRpc:
    host, port = daemon.removeprefix("http://").split(":")
    return ClientRpc(ipfshttpclient.Client(f"/ip4/{host}/tcp/{port}/http"), timeout=2)


@pytest.mark.parametrize("rpc", [KuboRpc, _client], ids=["ours", "ipfshttpclient"])
def test_a_daemon_stores_and_returns_what_we_name(daemon: str, rpc: Callable[[str], Rpc]) -> None:
    async def main() -> None:
        kubo = KuboStore(rpc(daemon))
        store: BlobStore = kubo
        for blob in map(os.urandom, SIZES):
            cid = await store.put(blob)
            assert cid == cid_of(blob)
            assert await store.get(cid, len(blob)) == blob
        with pytest.raises(BlobTooLarge):
            await store.get(cid, 3 * CHUNK)
        assert await _is_pinned(daemon, cid)
        await kubo.unpin(cid)
        assert not await _is_pinned(daemon, cid)
        await kubo.unpin(cid)
        await kubo.close()

    asyncio.run(main())


@pytest.mark.parametrize("rpc", [lambda url: KuboRpc(url, timeout=2), _client], ids=["ours", "ipfshttpclient"])
def test_a_daemon_without_the_blob_says_so(daemon: str, rpc: Callable[[str], Rpc]) -> None:
    async def main() -> None:
        store = KuboStore(rpc(daemon))
        with pytest.raises(BlobMissing):
            await store.get(cid_of(os.urandom(100)), 1000)
        with pytest.raises(InvalidCid):
            await store.get(Cid("../../version"), 1000)
        await store.close()

    asyncio.run(main())


def test_the_daemon_itself_lists_the_pin_and_reads_the_blob_whole(daemon: str) -> None:
    async def main() -> None:
        blob = os.urandom(3 * CHUNK + 7)
        kubo = KuboStore(KuboRpc(daemon))
        cid = await kubo.put(blob)
        assert (await _rpc(daemon, "cat", arg=cid)).content == blob
        assert await _is_pinned(daemon, cid)
        await kubo.unpin(cid)
        assert not await _is_pinned(daemon, cid)
        await kubo.close()

    asyncio.run(main())


def test_collection_keeps_what_was_put_until_it_is_unpinned(daemon: str) -> None:
    if "FOEDUS_IPFS_URL" in os.environ:
        pytest.skip("would collect what else the daemon at FOEDUS_IPFS_URL holds unpinned")

    async def main() -> None:
        blob = os.urandom(2 * CHUNK + 7)
        kubo = KuboStore(KuboRpc(daemon, timeout=2))
        cid = await kubo.put(blob)
        (await _rpc(daemon, "repo/gc")).raise_for_status()
        assert await kubo.get(cid, len(blob)) == blob
        await kubo.unpin(cid)
        (await _rpc(daemon, "repo/gc")).raise_for_status()
        with pytest.raises(BlobMissing):
            await kubo.get(cid, len(blob))
        await kubo.close()

    asyncio.run(main())


@asynccontextmanager
async def _node(folder: Path, ipfs: str = "") -> AsyncIterator[tuple[Host, NetworkStore]]:
    local = BlockStore(folder, ipfs=ipfs)
    async with await Host.start(generate_secret()) as host:
        yield host, NetworkStore(host, local)
    await local.close()


def test_blobs_move_between_an_embedded_store_and_a_daemon_both_ways_under_one_name(
    daemon: str, tmp_path: Path, eventually: Callable[..., Awaitable[Any]]
) -> None:
    """The node in the middle has both: it fetches from a peer for its daemon, and offers peers what its daemon has."""

    async def main() -> None:
        ours, theirs = os.urandom(3 * CHUNK + 7), os.urandom(2 * CHUNK + 9)
        kubo = KuboStore(KuboRpc(daemon))
        async with _node(tmp_path / "far") as (far, embedded), _node(tmp_path / "middle") as (middle, bridge):
            middle.add_peer(far.addresses[0])
            await eventually(middle.connected)

            cid = await embedded.put(ours)
            assert await kubo.put(await bridge.get(cid, len(ours))) == cid
            assert (await _rpc(daemon, "cat", arg=cid)).content == ours

            options = {"cid-version": "1", "raw-leaves": "true", "chunker": "size-1048576", "cid-base": "base32"}
            answer = await _rpc(daemon, "add", files={"file": theirs}, **options)
            cid = Cid(answer.json()["Hash"])
            assert await bridge.put(await kubo.get(cid, len(theirs))) == cid
            assert await embedded.get(cid, len(theirs)) == theirs
        await kubo.close()

    asyncio.run(main())


async def _holds(daemon: str, cid: Cid) -> bool:
    return (await _rpc(daemon, "block/get", arg=cid, timeout="1s")).status_code == 200


def test_a_store_keeps_its_blocks_in_the_daemon_and_shares_them_with_peers(
    daemon: str, tmp_path: Path, eventually: Callable[..., Awaitable[Any]]
) -> None:
    async def main() -> None:
        ours, theirs = os.urandom(3 * CHUNK + 7), os.urandom(2 * CHUNK + 9)
        async with _node(tmp_path / "far") as (far, embedded), _node(tmp_path / "near", daemon) as (near, backed):
            near.add_peer(far.addresses[0])
            await eventually(near.connected)

            cid = await embedded.put(ours)
            assert await backed.get(cid, len(ours)) == ours
            assert (await _rpc(daemon, "cat", arg=cid)).content == ours

            cid = await backed.put(theirs)
            assert await embedded.get(cid, len(theirs)) == theirs
        assert not (tmp_path / "near" / "blocks").exists()
        assert bytes_held(tmp_path / "near") > len(ours) + len(theirs)

    asyncio.run(main())


def test_the_daemon_collects_nothing_of_a_store_and_the_store_gives_back_what_nobody_pins(
    daemon: str, tmp_path: Path
) -> None:
    if "FOEDUS_IPFS_URL" in os.environ:
        pytest.skip("would collect what else the daemon at FOEDUS_IPFS_URL holds unpinned")

    async def main() -> None:
        kept, given_up = os.urandom(2 * CHUNK + 7), os.urandom(2 * CHUNK + 8)
        store = BlockStore(tmp_path, ipfs=daemon)
        keep, drop = await store.put(kept), await store.put(given_up)
        (await _rpc(daemon, "repo/gc")).raise_for_status()
        await store.close()

        store = BlockStore(tmp_path, ipfs=daemon)  # as after a restart
        assert await store.get(keep, len(kept)) == kept
        assert await store.get(drop, len(given_up)) == given_up
        used = store.disk.used
        await store.unpin(drop)
        assert len(given_up) < await store.gc() == used - store.disk.used
        assert await _holds(daemon, keep)
        assert not await _holds(daemon, drop)
        with pytest.raises(BlobMissing):
            await store.get(drop, len(given_up))
        await store.close()

    asyncio.run(main())


def test_what_somebody_else_pinned_in_the_daemon_outlives_the_stores_collection(daemon: str, tmp_path: Path) -> None:
    async def main() -> None:
        blob = os.urandom(2 * CHUNK + 7)
        store = BlockStore(tmp_path, ipfs=daemon)
        cid = await store.put(blob)
        (await _rpc(daemon, "pin/add", arg=cid, recursive="true")).raise_for_status()
        await store.unpin(cid)
        assert await store.gc() > len(blob)
        assert await _is_pinned(daemon, cid)
        assert (await _rpc(daemon, "cat", arg=cid)).content == blob
        await _rpc(daemon, "pin/rm", arg=cid)
        await store.close()

    asyncio.run(main())


def test_what_the_daemon_lost_is_fetched_from_peers_again(
    daemon: str, tmp_path: Path, eventually: Callable[..., Awaitable[Any]]
) -> None:
    async def main() -> None:
        blob = os.urandom(2 * CHUNK + 7)
        async with _node(tmp_path / "far") as (far, embedded), _node(tmp_path / "near", daemon) as (near, backed):
            near.add_peer(far.addresses[0])
            await eventually(near.connected)
            cid = await embedded.put(blob)
            await backed.get(cid, len(blob))
            lost = cid_of(blob[:CHUNK])
            await _rpc(daemon, "pin/rm", arg=lost)
            (await _rpc(daemon, "block/rm", arg=lost, force="true")).raise_for_status()
            assert not await _holds(daemon, lost)
            assert await backed.get(cid, len(blob)) == blob
            assert await _holds(daemon, lost)

    asyncio.run(main())


def test_a_quota_holds_for_blocks_in_the_daemon(daemon: str, tmp_path: Path) -> None:
    async def main() -> None:
        store = BlockStore(tmp_path, 2 * CHUNK, ipfs=daemon)
        await store.put(os.urandom(CHUNK))
        with pytest.raises(StoreFull, match="the quota is"):
            await store.put(os.urandom(2 * CHUNK))
        assert store.disk.used == CHUNK
        await store.put(os.urandom(CHUNK))
        await store.close()

    asyncio.run(main())
