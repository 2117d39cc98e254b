"""js-libp2p, which nobody here wrote, meets our host: they connect, exchange blobs and hints, and it is banned."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from foedus.network.blocks import PROTOCOL as BLOCKS
from foedus.network.cid import CHUNK, cid_of
from foedus.network.gossip import MESSAGE_LIMIT
from foedus.network.host import Host
from foedus.network.keys import generate_secret
from foedus.network.netstore import NetworkStore
from foedus.network.store import BlockStore
from foedus.protocol.ids import PeerId
from foedus.protocol.ports import BlobMissing
from tests.peers.conftest import Foreign, ForeignFailed

ECHO = "/test/echo/1"
ECHO_LIMIT = 1000
TOPIC = "foedus/test"
SIZE = 9 * CHUNK + 77
Eventually = Callable[..., Awaitable[Any]]


async def _echo(peer: PeerId, request: bytes) -> bytes:
    return peer.encode() + b":" + request


@asynccontextmanager
async def _node(folder: Path) -> AsyncIterator[tuple[Host, NetworkStore]]:
    local = BlockStore(folder)
    async with await Host.start(generate_secret()) as host:
        host.serve(ECHO, _echo, request_limit=ECHO_LIMIT)
        yield host, NetworkStore(host, local)
    await local.close()


def _frame(payload: bytes) -> str:
    return (len(payload).to_bytes(4, "big") + payload).hex()


def test_it_dials_us_with_noise_and_yamux_identifies_us_pings_us_and_is_answered(
    foreign: Foreign, tmp_path: Path, eventually: Eventually
) -> None:
    async def main() -> None:
        async with _node(tmp_path) as (host, _):
            dialled = await foreign("dial", address=host.addresses[0])
            assert dialled == {"peer": host.peer_id, "security": "/noise", "muxer": "/yamux/1.0.0"}
            await eventually(lambda: host.connected() == {foreign.peer})
            told = await foreign("identify", peer=host.peer_id)
            assert told["peer"] == host.peer_id
            assert {ECHO, BLOCKS, "/meshsub/1.1.0"} <= set(told["protocols"])
            assert await foreign("ping", peer=host.peer_id) < 5000
            answer = await foreign("write", peer=host.peer_id, protocol=ECHO, hex=_frame(b"salve"))
            assert answer == "00" + _frame(foreign.peer.encode() + b":salve")

    asyncio.run(main())


def test_we_dial_it_and_take_a_blob_from_it_that_both_name_alike(
    foreign: Foreign, tmp_path: Path, eventually: Eventually
) -> None:
    async def main() -> None:
        async with _node(tmp_path) as (host, store):
            host.add_peer(foreign.address)
            await eventually(lambda: host.connected() == {foreign.peer})
            assert await foreign("connected") == [host.peer_id]
            await foreign("serve")
            for size in (0, 1, CHUNK, SIZE):
                blob = hashlib.shake_256(b"7").digest(size)
                cid = await foreign("put", size=size, seed=7)
                assert cid == cid_of(blob)
                assert await store.get(cid, SIZE) == blob
            with pytest.raises(BlobMissing):
                await store.get(cid_of(b"nobody has this"), SIZE)
            assert host.faults(foreign.peer) == ()

    asyncio.run(main())


def test_it_takes_a_blob_from_us_block_by_block_and_names_it_as_we_do(foreign: Foreign, tmp_path: Path) -> None:
    async def main() -> None:
        async with _node(tmp_path) as (host, store):
            await foreign("dial", address=host.addresses[0])
            for size, blocks in ((100, 1), (SIZE, 11)):
                blob = hashlib.shake_256(b"8").digest(size)
                cid = await store.put(blob)
                got = await foreign("fetch", peer=host.peer_id, cid=cid)
                assert got == {"blocks": blocks, "size": size, "cid": cid, "sha256": hashlib.sha256(blob).hexdigest()}
            with pytest.raises(ForeignFailed, match="status 0"):
                await foreign("fetch", peer=host.peer_id, cid=cid_of(b"nobody has this"))
            assert host.faults(foreign.peer) == ()

    asyncio.run(main())


def test_blocks_that_are_not_what_it_was_asked_for_are_dropped_and_it_is_named(
    foreign: Foreign, tmp_path: Path, eventually: Eventually
) -> None:
    async def main() -> None:
        async with _node(tmp_path) as (host, store):
            host.add_peer(foreign.address)
            await eventually(host.connected)
            await foreign("serve", lie=True)
            cid = await foreign("put", size=SIZE, seed=9)
            with pytest.raises(BlobMissing):
                await store.get(cid, SIZE)
            assert host.faults(foreign.peer) == (f"blocks: bytes that are not {cid}",)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("protocol", "sent", "reason"),
    [
        (ECHO, _frame(b"salve"), None),
        (ECHO, _frame(bytes(ECHO_LIMIT + 1)), f"{ECHO}: frame of 1001 bytes, at most 1000"),
        (BLOCKS, bytes(36).hex(), f"{BLOCKS}: request is not a CID"),
    ],
    ids=["an honest request", "too much", "garbage"],
)
def test_it_is_banned_with_a_reason_for_what_it_sends_and_only_for_that(
    protocol: str, sent: str, reason: str | None, foreign: Foreign, tmp_path: Path, eventually: Eventually
) -> None:
    async def main() -> None:
        async with _node(tmp_path) as (host, _):
            await foreign("dial", address=host.addresses[0])
            for _ in range(10):
                await foreign("write", peer=host.peer_id, protocol=protocol, hex=sent)
            if reason is None:
                assert await foreign("connected") == [host.peer_id]
                assert host.faults(foreign.peer) == ()
                return
            assert await eventually(lambda: host.banned(foreign.peer)) == reason
            assert host.faults(foreign.peer) == (reason,) * 10
            await eventually(lambda: foreign.peer not in host.connected())

            async def alone() -> bool:
                return not await foreign("connected")

            await eventually(alone)

    asyncio.run(main())


def test_hints_reach_it_and_come_from_it_and_one_too_large_is_counted(
    foreign: Foreign, tmp_path: Path, eventually: Eventually
) -> None:
    async def main() -> None:
        heard: list[tuple[PeerId, bytes]] = []

        async def listen(author: PeerId, message: bytes) -> None:
            heard.append((author, message))

        async with _node(tmp_path) as (host, _):
            await host.subscribe(TOPIC, listen)
            await foreign("subscribe", topic=TOPIC)
            await foreign("dial", address=host.addresses[0])
            await eventually(lambda: foreign("meshed", topic=TOPIC))

            await host.publish(TOPIC, b"from us")
            await eventually(lambda: foreign("heard"))
            assert await foreign("heard") == [{"author": host.peer_id, "hex": b"from us".hex()}]

            assert await foreign("publish", topic=TOPIC, hex=b"from it".hex()) == 1
            await eventually(lambda: (foreign.peer, b"from it") in heard)

            await foreign("publish", topic=TOPIC, hex=bytes(MESSAGE_LIMIT + 1).hex())
            assert await eventually(lambda: host.faults(foreign.peer)) == ("gossip message too large",)
            assert [message for _, message in heard] == [b"from us", b"from it"]

    asyncio.run(main())
