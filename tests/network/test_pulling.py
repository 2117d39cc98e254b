"""A blob comes from all who have it at once; who is slow, lies or dies delays nothing, and nothing comes twice."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from foedus.network import blocks, muxer, pulling
from foedus.network.blocks import IN_FLIGHT
from foedus.network.cid import CHUNK, cid_of, from_binary, to_binary
from foedus.network.host import Host
from foedus.network.keys import generate_secret
from foedus.network.netstore import NetworkStore
from foedus.network.store import BlockStore
from foedus.network.stream import Stream
from foedus.network.wire import Wire
from foedus.protocol.ids import Cid, PeerId

LIMIT = 1 << 30
LEAVES = 32
BLOB = os.urandom(LEAVES * CHUNK)
CID = cid_of(BLOB)
Eventually = Callable[..., Awaitable[Any]]


class Counted:
    """A node whose served blocks are counted, and the buffers in which they lie."""

    def __init__(self, host: Host, folder: Path) -> None:
        self.host, self.served, self.buffers = host, Counter[Cid](), dict[int, bytearray]()
        local = BlockStore(folder)
        serve = local.disk.serve

        def counting(cid: Cid, into: bytearray) -> int:
            self.served[cid] += 1
            self.buffers[id(into)] = into
            return serve(cid, into)

        local.disk.serve = counting  # type: ignore[method-assign]
        self.store = NetworkStore(host, local)

    @classmethod
    async def start(cls, folder: Path) -> Counted:
        return cls(await Host.start(generate_secret()), folder)


async def _meet(here: Host, others: list[Host], eventually: Eventually) -> None:
    for each in others:
        here.add_peer(each.addresses[0])
    await eventually(lambda: len(here.connected()) == len(others))


def test_two_holders_share_the_work_and_no_block_comes_twice(tmp_path: Path, eventually: Eventually) -> None:
    async def main() -> None:
        one, two, here = [await Counted.start(tmp_path / name) for name in ("one", "two", "here")]
        async with one.host, two.host, here.host:
            await one.store.put(BLOB)
            await two.store.put(BLOB)
            await _meet(here.host, [one.host, two.host], eventually)
            assert await here.store.get(CID, LIMIT) == BLOB
        served = one.served + two.served
        assert len(served) == LEAVES + 1
        assert served.total() <= LEAVES + 1 + IN_FLIGHT  # the tail, on a machine that pauses for a second
        assert min(one.served.total(), two.served.total()) >= LEAVES // 8

    asyncio.run(main())


def _failing(source: BlockStore, answers: int, fail: Callable[[Stream], Awaitable[None]]) -> Any:
    """A server that answers so many requests well, and all that come after them badly."""
    answered = 0

    async def serve(stream: Stream) -> None:
        nonlocal answered
        while True:
            cid = from_binary(await stream.read_exactly(36))
            if answered == answers:
                await fail(stream)
            else:
                answered += 1
                block = source.disk.read(cid)
                await stream.write(b"\1", len(block).to_bytes(4, "big"), block)

    return serve


async def _stalls(stream: Stream) -> None:
    await stream.write(b"\1\0\x10")
    await trio.sleep_forever()


async def _lies(stream: Stream) -> None:
    await stream.write(b"\1", CHUNK.to_bytes(4, "big"), bytes(CHUNK))


async def _leaves(stream: Stream) -> None:
    await stream.reset()
    await trio.sleep_forever()


@pytest.mark.parametrize("fail", [_stalls, _lies, _leaves])
def test_a_holder_that_fails_in_the_middle_does_not_stop_it(
    tmp_path: Path, eventually: Eventually, fail: Callable[[Stream], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulling, "STALL_SECONDS", 3600.0)

    async def main() -> None:
        good, here = [await Counted.start(tmp_path / name) for name in ("good", "here")]
        bad = await Host.start(generate_secret())
        async with good.host, here.host, bad:
            await good.store.put(BLOB)
            bad.serve_streams(blocks.PROTOCOL, _failing(good.store.local, 3, fail), 4)
            await _meet(here.host, [good.host, bad], eventually)
            async with asyncio.timeout(60):
                assert await here.store.get(CID, LIMIT, [bad.peer_id]) == BLOB
            assert 0 < good.served.total() <= LEAVES + 1 - 3 + IN_FLIGHT
            assert here.host.faults(good.host.peer_id) == ()
            assert (here.host.score(bad.peer_id) < here.host.score(good.host.peer_id)) == (fail is not _leaves)
            assert [fault.startswith("blocks: bytes that are not") for fault in here.host.faults(bad.peer_id)] == [
                True for _ in range(fail is _lies)
            ]

    asyncio.run(main())


def test_a_holder_that_dies_in_the_middle_does_not_stop_it(
    tmp_path: Path, start_peer: Callable[..., Any], eventually: Eventually
) -> None:
    async def main() -> None:
        one, two = (start_peer(blob=LEAVES * CHUNK, seed=5) for _ in range(2))
        here = await Counted.start(tmp_path / "here")
        async with here.host:
            for peer in (one, two):
                here.host.add_peer(peer.address)
            await eventually(lambda: len(here.host.connected()) == 2)
            disk = here.store.local.disk
            fetching = asyncio.create_task(here.store.fetch(Cid(one.facts["cid"]), LIMIT))
            await eventually(lambda: disk.used > 4 * CHUNK or fetching.done())
            one.kill()
            await fetching
            assert await here.store.local.has(Cid(one.facts["cid"]))

    asyncio.run(main())


def test_a_requester_killed_in_the_middle_asks_only_for_what_it_lacks(
    tmp_path: Path, start_peer: Callable[..., Any], eventually: Eventually
) -> None:
    async def main() -> None:
        source = await Counted.start(tmp_path / "source")
        async with source.host:
            await source.store.put(BLOB)
            wish = {"folder": "asks", "peers": [source.host.addresses[0]], "fetch": CID}
            first = start_peer(**wish)
            await eventually(lambda: source.served.total() > LEAVES // 2, 30)
            first.kill()
            held = {path.name for path in (tmp_path / "asks" / "blocks").glob("*/b*")}
            assert len(held) > 2
            source.served.clear()
            again = start_peer(**wish)
            assert await asyncio.to_thread(lambda: again.stop()["whole"])
            assert source.served.total() == LEAVES + 1 - len(held)
            assert not held & set(source.served)

    asyncio.run(main())


def test_one_source_serves_four_at_once_with_few_blocks_in_memory(tmp_path: Path, eventually: Eventually) -> None:
    async def main() -> None:
        source = await Counted.start(tmp_path / "source")
        receivers = [await Counted.start(tmp_path / str(number)) for number in range(4)]
        async with source.host:
            await source.store.put(BLOB)
            for each in receivers:
                await _meet(each.host, [source.host], eventually)
            blobs = await asyncio.gather(*(each.store.get(CID, LIMIT, [source.host.peer_id]) for each in receivers))
            assert all(blob == BLOB for blob in blobs)
            for each in receivers:
                await each.host.stop()
        assert source.served.total() == 4 * (LEAVES + 1)  # nothing lost, nothing twice
        assert blocks.SERVED_TO_ONE < len(source.buffers) <= blocks.SERVED_AT_ONCE

    asyncio.run(main())


def test_folders_are_synced_while_blocks_arrive_and_all_of_them_at_the_end(
    tmp_path: Path, eventually: Eventually
) -> None:
    async def main() -> None:
        source, here = [await Counted.start(tmp_path / name) for name in ("source", "here")]
        disk, synced = here.store.local.disk, list[int]()
        flush = disk.flush

        def noting() -> None:
            synced.append(sum(1 for _ in disk.list()))
            flush()

        disk.flush = noting  # type: ignore[method-assign]
        async with source.host, here.host:
            await source.store.put(BLOB)
            await _meet(here.host, [source.host], eventually)
            await here.store.fetch(CID, LIMIT)
        assert len(synced) == LEAVES // pulling.FLUSH_EVERY + 1
        assert min(synced) >= pulling.FLUSH_EVERY
        assert synced[-1] == LEAVES + 1

    asyncio.run(main())


def test_a_requester_whose_disk_rests_asks_for_no_more(tmp_path: Path, eventually: Eventually) -> None:
    async def main() -> None:
        source, here = [await Counted.start(tmp_path / name) for name in ("source", "here")]
        moving = threading.Event()
        stage = here.store.local.disk.stage

        def resting(cid: Cid, pieces: Any) -> Any:
            if cid != CID:
                moving.wait()
            return stage(cid, pieces)

        here.store.local.disk.stage = resting  # type: ignore[method-assign]
        async with source.host, here.host:
            await source.store.put(BLOB)
            await _meet(here.host, [source.host], eventually)
            fetching = asyncio.create_task(here.store.get(CID, LIMIT))
            try:
                await eventually(lambda: source.served.total() == IN_FLIGHT + 1)  # and the root
                await asyncio.sleep(0.5)
                assert source.served.total() == IN_FLIGHT + 1
            finally:
                moving.set()
            assert await fetching == BLOB

    asyncio.run(main())


def test_a_peer_that_asks_and_never_reads_keeps_no_other_from_a_blob(
    tmp_path: Path, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "WRITE_SECONDS", 3600.0)
    monkeypatch.setattr(muxer, "WINDOW_SECONDS", 3600.0)

    async def greedy(wire: Wire, peer: PeerId, leaves: list[Cid]) -> None:
        async with contextlib.AsyncExitStack() as held:
            for _ in range(blocks.STREAMS_PER_PEER):
                stream = await held.enter_async_context(wire.stream(peer, blocks.PROTOCOL))
                await stream.write(b"".join(map(to_binary, leaves)))
            await trio.sleep_forever()

    async def main() -> None:
        source, here = [await Counted.start(tmp_path / name) for name in ("source", "here")]
        others = [await Host.start(generate_secret()) for _ in range(2)]
        async with source.host, here.host, others[0], others[1]:
            await source.store.put(BLOB)
            for each in (here.host, *others):
                await _meet(each, [source.host], eventually)
            leaves = [cid for cid, _ in source.store.local.disk.list() if cid != CID][: 2 * IN_FLIGHT]

            async def stick() -> list[asyncio.Task[None]]:
                enough = source.served.total() + 2 * blocks.SERVED_TO_ONE
                stuck = [asyncio.create_task(each.on_wire(greedy, source.host.peer_id, leaves)) for each in others]
                await eventually(lambda: source.served.total() >= enough)
                return stuck

            async def end(stuck: list[asyncio.Task[None]]) -> None:
                for each in stuck:
                    each.cancel()
                await asyncio.gather(*stuck, return_exceptions=True)

            for _ in range(blocks.SERVED_AT_ONCE // (2 * blocks.SERVED_TO_ONE)):
                await end(await stick())  # and what they held is given back
            stuck = await stick()
            async with asyncio.timeout(60):
                assert await here.store.get(CID, LIMIT) == BLOB
            await end(stuck)
            assert len(source.buffers) <= blocks.SERVED_AT_ONCE

    asyncio.run(main())
