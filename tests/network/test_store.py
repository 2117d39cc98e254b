"""The store gives back what it was given or says why not; a crash, a full disk or a flipped bit never lies."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foedus.network import disk
from foedus.network.cid import BLOCK_LIMIT, CHUNK, InvalidCid, blocks_of, cid_of, parse_cid
from foedus.network.store import BlockStore, StoreFull
from foedus.protocol.ids import Cid
from foedus.protocol.ports import BlobCorrupt, BlobMissing, BlobStore, BlobTooLarge

LIMIT = 1 << 30
BIG = os.urandom(1000) * 4000  # four chunks, all different


def _files(folder: Path) -> list[Path]:
    return [path for path in (folder / "blocks").rglob("*") if path.is_file()]


@settings(max_examples=25, deadline=None)
@given(blobs=st.lists(st.binary(max_size=3000), min_size=1, max_size=5), whole=st.integers(0, 2 * CHUNK))
def test_what_is_put_is_got_under_its_identifier(
    tmp_path_factory: pytest.TempPathFactory, blobs: list[bytes], whole: int
) -> None:
    async def main() -> None:
        folder = tmp_path_factory.mktemp("store")
        local = BlockStore(folder)
        store: BlobStore = local
        for blob in (*blobs, b"x" * whole):
            cid = await store.put(blob)
            assert cid == cid_of(blob)
            assert await store.get(cid, len(blob)) == blob
        await local.close()
        again = BlockStore(folder)
        for blob in blobs:
            assert await again.get(cid_of(blob), LIMIT) == blob
        assert again.disk.used == local.disk.used == sum(path.stat().st_size for path in _files(folder))
        await again.close()

    asyncio.run(main())


def test_absent_too_large_and_ill_named_blobs_are_refused(tmp_path: Path) -> None:
    async def main() -> None:
        store = BlockStore(tmp_path)
        cid = await store.put(BIG)
        with pytest.raises(BlobTooLarge) as caught:
            await store.get(cid, len(BIG) - 1)
        assert (caught.value.size, caught.value.limit) == (len(BIG), len(BIG) - 1)
        with pytest.raises(BlobMissing):
            await store.get(cid_of(b"absent"), LIMIT)
        for bad in ("../../secret", "", cid.upper()):
            with pytest.raises(InvalidCid):
                await store.get(Cid(bad), LIMIT)
        with pytest.raises(BlobCorrupt):
            await store.put_block(cid_of(b"one"), b"two")
        assert not await store.has(cid_of(b"one"))

    asyncio.run(main())


def test_a_flipped_bit_is_named_and_can_be_mended(tmp_path: Path) -> None:
    async def main() -> None:
        store = BlockStore(tmp_path)
        cid = await store.put(BIG)
        leaf = next(path for path in _files(tmp_path) if path.stat().st_size == CHUNK)
        block = bytearray(leaf.read_bytes())
        block[17] ^= 1
        leaf.write_bytes(block)
        with pytest.raises(BlobCorrupt) as caught:
            await store.get(cid, LIMIT)
        assert caught.value.cid == leaf.name
        await store.delete_block(parse_cid(leaf.name))
        assert await store.missing_blocks(cid) == (leaf.name,)
        used = store.disk.used
        await store.put(BIG)
        assert store.disk.used == used + CHUNK
        assert await store.get(cid, LIMIT) == BIG

    asyncio.run(main())


def test_putting_again_replaces_a_corrupt_block(tmp_path: Path) -> None:
    async def main() -> None:
        store = BlockStore(tmp_path)
        cid = await store.put(b"truth")
        _files(tmp_path)[0].write_bytes(b"lies, and longer")
        assert await store.put(b"truth") == cid
        assert await store.get(cid, LIMIT) == b"truth"
        assert [path.stat().st_size for path in _files(tmp_path)] == [5]

    asyncio.run(main())


def test_what_a_crash_leaves_is_no_block_and_is_swept(tmp_path: Path) -> None:
    async def main() -> None:
        first = BlockStore(tmp_path)
        cid = await first.put(BIG)
        await first.pin(cid_of(b"half fetched"), "fetch:99")
        await first.close()
        (tmp_path / "tmp" / "123-4").write_bytes(b"torn")
        (tmp_path / "blocks" / "zz").mkdir()
        (tmp_path / "blocks" / "zz" / "not-a-cid").write_bytes(b"stray")
        store = BlockStore(tmp_path)
        assert list((tmp_path / "tmp").iterdir()) == []
        assert store.disk.used == first.disk.used
        assert store.pins.roots() == {cid}
        assert await store.get(cid, LIMIT) == BIG

    asyncio.run(main())


def test_blocks_stay_while_any_label_holds_them(tmp_path: Path) -> None:
    async def main() -> None:
        store = BlockStore(tmp_path)
        kept, shared = await store.put(b"kept"), await store.put(BIG)
        longer = await store.put(BIG + b"tail", label="round 7")  # shares three leaves
        await store.pin(shared, "round 6")
        await store.unpin(shared)
        await store.unpin(shared)
        await store.unpin(longer, "round 7")
        assert await store.gc() > 0
        assert await store.get(shared, LIMIT) == BIG
        assert not await store.has(longer)
        await store.unpin(shared, "round 6")
        await store.gc()
        assert await store.missing_blocks(shared) == (shared,)
        assert await store.get(kept, LIMIT) == b"kept"
        assert store.disk.used == 4
        assert await store.gc() == 0

    asyncio.run(main())


def test_a_full_store_takes_nothing_by_halves(tmp_path: Path) -> None:
    async def main() -> None:
        store = BlockStore(tmp_path, quota=3 * CHUNK)
        small = await store.put(b"small")
        before = set(_files(tmp_path))
        with pytest.raises(StoreFull) as caught:
            await store.put(BIG)
        assert caught.value.quota == 3 * CHUNK
        assert caught.value.errno == errno.ENOSPC
        assert set(_files(tmp_path)) == before
        assert store.disk.used == 5
        assert store.pins.roots() == {small}
        assert await store.get(small, LIMIT) == b"small"

    asyncio.run(main())


def test_a_full_store_collects_before_it_refuses(tmp_path: Path) -> None:
    async def main() -> None:
        store = BlockStore(tmp_path, quota=5 * CHUNK)
        first = await store.put(BIG)
        await store.unpin(first)
        second = await store.put(BIG[::-1])
        assert await store.get(second, LIMIT) == BIG[::-1]
        assert not await store.has(first)

    asyncio.run(main())


def test_a_full_disk_is_a_full_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        store = BlockStore(tmp_path)
        calls = 0
        real = os.fsync

        def full(descriptor: int) -> None:
            nonlocal calls
            calls += 1
            if calls > 5:
                raise OSError(errno.ENOSPC, "No space left on device")
            real(descriptor)

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(StoreFull, match="disk is full"):
            await store.put(BIG)
        monkeypatch.undo()
        assert _files(tmp_path) == []
        assert list((tmp_path / "tmp").iterdir()) == []
        assert store.disk.used == 0
        assert await store.get(await store.put(BIG), LIMIT) == BIG

    asyncio.run(main())


def test_collecting_while_others_put_loses_nothing(tmp_path: Path) -> None:
    store = BlockStore(tmp_path)
    blobs = [bytes([number]) * 5000 for number in range(40)]
    stop = threading.Event()

    def collect() -> None:
        while not stop.is_set():
            store.collect()

    def put(each: int) -> None:
        for blob in blobs:
            store.write_blob(blob, f"writer {each}")
            if each:
                store.pins.remove(cid_of(blob), f"writer {each}")

    collector = threading.Thread(target=collect)
    writers = [threading.Thread(target=put, args=(each,)) for each in range(3)]
    collector.start()
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    stop.set()
    collector.join()
    assert all(store.read_blob(cid_of(blob), LIMIT) == blob for blob in blobs)
    store.collect()
    assert store.disk.used == sum(size for _, size in store.disk.list()) == sum(map(len, blobs))


def test_gaps_are_listed_and_filled_block_by_block(tmp_path: Path) -> None:
    async def main() -> None:
        store = BlockStore(tmp_path)
        *leaves, (root, node) = [(cid, bytes(block)) for cid, block in blocks_of(BIG)]
        assert await store.missing_blocks(root) == (root,)
        await store.put_block(root, node)
        assert await store.missing_blocks(root) == tuple(cid for cid, _ in leaves)
        for cid, block in leaves:
            assert not await store.has(root)
            await store.put_block(cid, block)
        assert await store.has(root)
        assert await store.get(root, LIMIT) == BIG
        assert await store.get_block(leaves[0][0]) == leaves[0][1]

    asyncio.run(main())


def test_what_is_staged_is_no_block_until_it_is_durable(tmp_path: Path) -> None:
    store = BlockStore(tmp_path)
    cid = cid_of(b"one two")
    settle = store.stage_block(cid, [b"one ", memoryview(b"two")])
    assert settle is not None
    assert not store.disk.has(cid)
    assert store.disk.used == 7
    settle()
    assert store.disk.look(cid) == b"one two"
    assert store.stage_block(cid, [b"one two"]) is None
    lost = store.stage_block(cid_of(b"lost"), [b"lost"])
    assert lost is not None
    again = BlockStore(tmp_path)  # as after a crash
    assert not again.disk.has(cid_of(b"lost"))
    assert again.disk.used == 7
    assert list((tmp_path / "tmp").iterdir()) == []
    with pytest.raises(BlobCorrupt):
        store.stage_block(cid, [b"one", b"two"])


def test_a_block_is_hashed_once_for_many_readers_and_again_when_its_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[Cid] = []
    real = disk.holds
    monkeypatch.setattr(disk, "holds", lambda cid, *pieces: (hashed.append(cid), real(cid, *pieces))[1])
    store = BlockStore(tmp_path)
    cid = store.write_blob(b"truth")
    assert hashed == [cid]
    into = bytearray(BLOCK_LIMIT)

    def served(by: BlockStore) -> bytes:
        return bytes(into[: by.disk.serve(cid, into)])

    assert [served(store) for _ in range(5)] == [b"truth"] * 5
    assert hashed == [cid]  # when it was written
    fresh = BlockStore(tmp_path)
    assert [served(fresh) for _ in range(5)] == [b"truth"] * 5
    assert hashed == [cid] * 2
    _files(tmp_path)[0].write_bytes(b"tru")  # torn, as by a crash
    for each in (store, fresh):
        with pytest.raises(BlobCorrupt):
            served(each)


def test_two_who_write_at_once_are_both_durable_when_they_are_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = BlockStore(tmp_path)
    slow, entered = threading.Event(), threading.Event()
    real = disk._sync

    def resting(folder: Path) -> None:
        entered.set()
        slow.wait()
        real(folder)

    monkeypatch.setattr(disk, "_sync", resting)
    store.write_block(cid_of(b"one"), b"one")
    flushes = [threading.Thread(target=store.disk.flush) for _ in range(2)]
    flushes[0].start()
    assert entered.wait(10)
    flushes[1].start()
    flushes[1].join(0.3)
    assert flushes[1].is_alive()  # what it was asked to make durable is not so yet
    slow.set()
    for each in flushes:
        each.join()


def test_folders_that_could_not_be_synced_are_synced_by_the_next_flush(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = BlockStore(tmp_path)
    store.write_block(cid_of(b"one"), b"one")
    synced: list[Path] = []

    def full(folder: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(disk, "_sync", full)
    with pytest.raises(StoreFull):
        store.disk.flush()
    monkeypatch.setattr(disk, "_sync", synced.append)
    store.disk.flush()
    assert len(synced) == 2
