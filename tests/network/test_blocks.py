"""Blobs cross between peers whole or not at all, whatever some of the peers do."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from foedus.network import blocks, dagpb, pulling
from foedus.network.cid import (
    CHUNK,
    DAG_PB,
    BlobMalformed,
    cid_of,
    cid_of_block_digest,
    from_binary,
    to_binary,
)
from foedus.network.errors import PeerUnreachable
from foedus.network.host import Host
from foedus.network.keys import generate_secret
from foedus.network.netstore import NetworkStore
from foedus.network.store import BlockStore, StoreFull
from foedus.network.stream import Stream
from foedus.protocol.ids import Cid
from foedus.protocol.ports import BlobMissing, BlobStore, BlobTooLarge

LIMIT = 1 << 30
BLOB = os.urandom(3 * CHUNK + 77)
Eventually = Callable[..., Awaitable[Any]]


async def _node(folder: Path, quota: int = LIMIT) -> tuple[Host, NetworkStore]:
    host = await Host.start(generate_secret())
    return host, NetworkStore(host, BlockStore(folder, quota))


def test_a_large_blob_crosses_between_processes_in_little_memory(
    start_peer: Callable[..., Any], tmp_path: Path, eventually: Eventually
) -> None:
    async def main() -> None:
        size = 64 * CHUNK + 5
        peer = start_peer(blob=size, seed=3)
        host, store = await _node(tmp_path / "here")
        async with host:
            host.add_peer(peer.address)
            await eventually(host.connected)
            before = _resident()
            await store.fetch(Cid(peer.facts["cid"]), size)
            assert _resident() - before < 40 * CHUNK
            blob = await store.get(Cid(peer.facts["cid"]), size)
            assert blob == hashlib.shake_256(b"3").digest(size)
        assert peer.stop()["rss"] < 250

    asyncio.run(main())


def _resident() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024
    return 0


def test_two_gets_are_one_fetch_and_the_disk_answers_next_time(tmp_path: Path, eventually: Eventually) -> None:
    async def main() -> None:
        served: list[Cid] = []
        here, store = await _node(tmp_path / "here")
        there, source = await _node(tmp_path / "there")
        read = source.local.disk.serve
        source.local.disk.serve = lambda cid, into: (served.append(cid), read(cid, into))[1]  # type: ignore[method-assign]
        port: BlobStore = store
        async with here, there:
            here.add_peer(there.addresses[0])
            await eventually(here.connected)
            cid = await source.put(BLOB)
            served.clear()
            assert await asyncio.gather(*(port.get(cid, LIMIT) for _ in range(5))) == [BLOB] * 5
            assert len(served) == 5  # a root and four leaves
        assert await store.get(cid, LIMIT) == BLOB

    asyncio.run(main())


def test_what_nobody_holds_is_missing_and_what_is_too_large_is_not_fetched(
    tmp_path: Path, eventually: Eventually
) -> None:
    async def main() -> None:
        here, store = await _node(tmp_path / "here")
        there, source = await _node(tmp_path / "there")
        async with here, there:
            with pytest.raises(BlobMissing):
                await store.get(cid_of(BLOB), LIMIT)
            here.add_peer(there.addresses[0])
            await eventually(here.connected)
            with pytest.raises(BlobMissing):
                await store.get(cid_of(BLOB), LIMIT)
            cid = await source.put(BLOB)
            with pytest.raises(BlobTooLarge):
                await store.get(cid, len(BLOB) - 1)
            assert store.local.disk.used < 1000  # the root alone
            assert await store.get(cid, len(BLOB), [there.peer_id]) == BLOB
            assert store.local.pins.roots() == frozenset()

    asyncio.run(main())


def test_a_gap_at_one_provider_is_filled_by_another(tmp_path: Path, eventually: Eventually) -> None:
    async def main() -> None:
        here, store = await _node(tmp_path / "here")
        one, first = await _node(tmp_path / "one")
        two, second = await _node(tmp_path / "two")
        async with here, one, two:
            cid = await first.put(BLOB)
            await second.put(BLOB)
            leaves = [part.cid for part in _leaves(first, cid)]
            await first.local.delete_block(leaves[1])
            await second.local.delete_block(leaves[2])
            for each in (one, two):
                here.add_peer(each.addresses[0])
            await eventually(lambda: len(here.connected()) == 2)
            assert await store.get(cid, LIMIT) == BLOB

    asyncio.run(main())


def _leaves(store: NetworkStore, cid: Cid) -> Any:
    from foedus.network.cid import Part

    block = store.local.disk.read(cid)
    return Part.root(cid, block).children(block)


def _liar(answer: Callable[[Cid], bytes]) -> Callable[[Stream], Awaitable[None]]:
    async def serve(stream: Stream) -> None:
        while True:
            try:
                cid = from_binary(bytes(await stream.read_exactly(36)))
            except PeerUnreachable:
                return await stream.close()
            await stream.write(answer(cid))

    return serve


def _block(data: bytes) -> bytes:
    return b"\1" + len(data).to_bytes(4, "big") + data


@pytest.mark.parametrize(
    ("lie", "named"),
    [
        (lambda cid: _block(b"not what you asked for"), "bytes that are not"),
        (lambda cid: b"\7\7\7\7\7\7\7", "unknown status"),
        (lambda cid: b"\1\xff\xff\xff\xff", "has not so many"),
    ],
)
def test_a_provider_that_lies_is_dropped_and_named(
    tmp_path: Path, eventually: Eventually, lie: Callable[[Cid], bytes], named: str
) -> None:
    async def main() -> None:
        here, store = await _node(tmp_path / "here")
        there, source = await _node(tmp_path / "there")
        liar = await Host.start(generate_secret())
        liar.serve_streams(blocks.PROTOCOL, _liar(lie), 4)
        async with here, there, liar:
            cid = await source.put(BLOB)
            for each in (there, liar):
                here.add_peer(each.addresses[0])
            await eventually(lambda: len(here.connected()) == 2)
            assert await store.get(cid, LIMIT, [liar.peer_id]) == BLOB
            assert named in here.faults(liar.peer_id)[0]
            assert here.faults(there.peer_id) == ()

    asyncio.run(main())


def test_a_provider_that_stalls_is_left_for_another(
    tmp_path: Path, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulling, "STALL_SECONDS", 0.5)

    async def main() -> None:
        async def silent(stream: Stream) -> None:
            await trio.sleep_forever()

        here, store = await _node(tmp_path / "here")
        there, source = await _node(tmp_path / "there")
        mute = await Host.start(generate_secret())
        mute.serve_streams(blocks.PROTOCOL, silent, 4)
        async with here, there, mute:
            cid = await source.put(BLOB)
            for each in (there, mute):
                here.add_peer(each.addresses[0])
            await eventually(lambda: len(here.connected()) == 2)
            assert await store.get(cid, LIMIT, [mute.peer_id]) == BLOB
            assert here.faults(mute.peer_id) == ()

    asyncio.run(main())


def test_a_killed_provider_leaves_what_came_and_the_rest_comes_later(
    tmp_path: Path, start_peer: Callable[..., Any], eventually: Eventually
) -> None:
    async def main() -> None:
        size = 48 * CHUNK
        secret = generate_secret().hex()
        peer = start_peer(folder="p", secret=secret, blob=size)
        cid = Cid(peer.facts["cid"])
        host, store = await _node(tmp_path / "here")
        async with host:
            host.add_peer(peer.address)
            await eventually(host.connected)
            fetching = asyncio.create_task(store.fetch(cid, size))
            await eventually(lambda: store.local.disk.used > 4 * CHUNK)
            peer.kill()
            with pytest.raises(BlobMissing):
                await fetching
            came = store.local.disk.used
            assert came > 4 * CHUNK
            again = start_peer(folder="p", secret=secret, listen=peer.address.split("/p2p/")[0])
            await eventually(host.connected)
            await store.fetch(cid, size, [again.peer])
            assert await store.local.has(cid)

    asyncio.run(main())


def test_a_full_disk_here_is_nobodys_fault_there(tmp_path: Path, eventually: Eventually) -> None:
    async def main() -> None:
        here, store = await _node(tmp_path / "here", quota=2 * CHUNK)
        there, source = await _node(tmp_path / "there")
        async with here, there:
            cid = await source.put(BLOB)
            here.add_peer(there.addresses[0])
            await eventually(here.connected)
            with pytest.raises(StoreFull):
                await store.get(cid, LIMIT)
            assert here.faults(there.peer_id) == ()
            small = await source.put(b"small")
            assert await _in_the_end(store, small) == b"small"

    asyncio.run(main())


def test_a_corrupt_block_here_is_fetched_again(tmp_path: Path, eventually: Eventually) -> None:
    async def main() -> None:
        here, store = await _node(tmp_path / "here")
        there, source = await _node(tmp_path / "there")
        async with here, there:
            cid = await source.put(BLOB)
            here.add_peer(there.addresses[0])
            await eventually(here.connected)
            await store.fetch(cid, LIMIT)
            for path in (
                list((tmp_path / "here" / "blocks").rglob("bafy*"))
                + list((tmp_path / "here" / "blocks").rglob("bafk*"))[:2]
            ):
                path.write_bytes(b"rot")
            assert await store.get(cid, LIMIT) == BLOB
            assert here.faults(there.peer_id) == ()

    asyncio.run(main())


def test_a_dag_of_another_shape_is_refused_and_its_holder_not_blamed(tmp_path: Path, eventually: Eventually) -> None:
    async def main() -> None:
        here, store = await _node(tmp_path / "here")
        there, source = await _node(tmp_path / "there")
        leaf = dagpb.Link(to_binary(cid_of(b"a")), 1, 1)
        node = dagpb.encode([leaf] * 1000)
        cid = cid_of_block_digest(hashlib.sha256(node).digest(), DAG_PB)
        await source.local.put_block(cid, node)
        async with here, there:
            here.add_peer(there.addresses[0])
            await eventually(here.connected)
            with pytest.raises(BlobMalformed):
                await store.get(cid, LIMIT)
            assert here.faults(there.peer_id) == ()

    asyncio.run(main())


def test_a_requester_that_writes_garbage_is_counted(tmp_path: Path, eventually: Eventually) -> None:
    async def main() -> None:
        here, _ = await _node(tmp_path / "here")
        there, _ = await _node(tmp_path / "there")

        async def garbage(wire: Any) -> None:
            async with wire.stream(there.peer_id, blocks.PROTOCOL) as stream:
                await stream.write(b"\xff" * 36)

        async with here, there:
            here.add_peer(there.addresses[0])
            await eventually(here.connected)
            await here.on_wire(garbage)
            assert "not a CID" in (await eventually(lambda: there.faults(here.peer_id)))[0]

    asyncio.run(main())


def test_equal_chunks_cross_once(tmp_path: Path, eventually: Eventually) -> None:
    async def main() -> None:
        here, store = await _node(tmp_path / "here", quota=2 * CHUNK)
        there, source = await _node(tmp_path / "there")
        blob = bytes(20 * CHUNK)
        async with here, there:
            cid = await source.put(blob)
            here.add_peer(there.addresses[0])
            await eventually(here.connected)
            assert await store.get(cid, LIMIT) == blob

    asyncio.run(main())


def test_a_get_that_is_cancelled_stops_the_fetch_but_not_anothers(tmp_path: Path, eventually: Eventually) -> None:
    async def main() -> None:
        here, store = await _node(tmp_path / "here")
        there, source = await _node(tmp_path / "there")
        async with here, there:
            cid = await source.put(BLOB)
            here.add_peer(there.addresses[0])
            await eventually(here.connected)
            one, two = (asyncio.create_task(store.get(cid, LIMIT)) for _ in range(2))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            one.cancel()
            assert await two == BLOB
            other = await source.put(BLOB[::-1])
            alone = asyncio.create_task(store.get(other, LIMIT))
            await asyncio.sleep(0.01)
            alone.cancel()
            with pytest.raises(asyncio.CancelledError):
                await alone
            assert await store.get(other, LIMIT) == BLOB[::-1]
            assert store.local.pins.roots() == frozenset()

    asyncio.run(main())


async def _in_the_end(store: NetworkStore, cid: Cid) -> bytes:
    """Get a blob, after the connection was made again where a transfer that was broken off has cost it."""
    for _ in range(20):
        try:
            return await store.get(cid, LIMIT)
        except BlobMissing:
            await asyncio.sleep(0.5)
    return await store.get(cid, LIMIT)
