"""Collecting takes only what nobody keeps or reads, oldest first, in small steps; killed anywhere, it harms nothing."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foedus.network.backing import StoreFull
from foedus.network.cid import CHUNK
from foedus.network.collection import Collection
from foedus.network.host import Host
from foedus.network.keys import generate_secret
from foedus.network.netstore import NetworkStore
from foedus.network.scrub import drop_corrupt
from foedus.network.store import BlockStore
from foedus.protocol.ids import Cid
from foedus.protocol.ports import BlobMissing

LIMIT = 1 << 30
KIB = 1 << 10

DYING = """
import sys, time
from pathlib import Path
from foedus.network.store import BlockStore
store = BlockStore(Path(sys.argv[1]), int(sys.argv[2]))
for label in store.pins.labels_under("round "):
    if label != "round kept":
        store.pins.release(label)
print("ready", flush=True)
while store.tidy(blocks=3):
    time.sleep(0.001)
print("done", flush=True)
"""


def bytes_of(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


def put_aged(store: BlockStore, seed: int, label: str, age: float, size: int = KIB) -> Cid:
    """A one-block blob that was written `age` seconds ago."""
    cid = store.write_blob(bytes_of(seed, size), label)
    then = time.time() - age
    os.utime(store.disk._path(cid), (then, then))
    return cid


def held(store: BlockStore, blobs: list[Cid]) -> list[bool]:
    return [store.disk.has(cid) for cid in blobs]


def test_tidying_begins_near_the_quota_and_takes_the_oldest_unpinned_first(tmp_path: Path) -> None:
    store = BlockStore(tmp_path, quota=20 * KIB)
    ages = [50, 10, 70, 30, 90, 20, 60, 40, 80, 100]
    loose = [put_aged(store, age, "put", age) for age in ages]
    pinned = [put_aged(store, 1000 + at, "kept", 500) for at in range(8)]
    for cid in loose:
        store.pins.remove(cid, "put")
    assert not store.tidy()
    assert store.disk.used == 18 * KIB  # not above 0.9 of the quota: all of it stays
    one_more = put_aged(store, 2000, "kept", 0)
    while store.tidy(blocks=1):
        pass
    assert store.disk.used == 16 * KIB
    gone = {age for age, here in zip(ages, held(store, loose), strict=True) if not here}
    assert gone == {100, 90, 80}
    assert all(held(store, [*pinned, one_more]))


def test_a_step_looks_at_no_more_blocks_than_it_may(tmp_path: Path) -> None:
    store = BlockStore(tmp_path, quota=100 * KIB)
    for at in range(95):
        put_aged(store, at, "put", 1)
    store.pins.release("put")
    steps = 0
    while True:
        before = store.disk.used
        more = store.tidy(blocks=5)
        assert before - store.disk.used <= 5 * KIB
        steps += 1
        if not more:
            break
    assert steps >= (95 + 15) // 5  # 95 listed, 15 removed
    assert store.disk.used == 80 * KIB


def test_what_is_pinned_or_written_in_the_middle_of_a_cycle_stays(tmp_path: Path) -> None:
    store = BlockStore(tmp_path, quota=40 * CHUNK)
    blobs = [bytes_of(at, 4 * CHUNK) for at in range(9)]
    roots = [store.write_blob(blob) for blob in blobs]
    put_aged(store, 77, "put", 0, CHUNK)
    store.pins.release("put")
    assert store.tidy(blocks=30)  # it has begun to list
    store.keep(roots[0], "late")
    store.write_blob(blobs[1], "late too")
    assert [part.cid for part in store.missing_parts(roots[2])] == []  # a fetch looks for what it lacks
    while store.tidy(blocks=1):
        pass
    assert store.disk.used <= 32 * CHUNK
    assert [store.read_blob(root, LIMIT) for root in roots[:3]] == blobs[:3]


def test_a_reader_never_loses_a_blob_that_it_has_begun(tmp_path: Path) -> None:
    """Readers walk unpinned blobs block by block while steps of tidying run, begun anew as soon as one has ended."""
    store = BlockStore(tmp_path, quota=26 * CHUNK)
    blobs = {store.write_blob(blob): blob for blob in (bytes_of(at, 3 * CHUNK) for at in range(7))}
    store.pins.release("put")
    read, failed, stop = [0], [], threading.Event()

    def serve(root: Cid) -> None:
        store.disk.read(root)  # what a transfer begins with
        started.wait()
        while not stop.is_set():
            try:
                assert store.read_blob(root, LIMIT) == blobs[root]
                read[0] += 1
            except BlobMissing as error:
                failed.append(error)
                return

    busy = list(blobs)[:3]
    started = threading.Barrier(len(busy) + 1)
    readers = [threading.Thread(target=serve, args=(root,), daemon=True) for root in busy]
    for reader in readers:
        reader.start()
    started.wait()
    until = time.monotonic() + 1.5
    at = 100
    while time.monotonic() < until:
        store._tidy_at = 0.0
        if not store.tidy(blocks=2):
            store.pins.remove(store.write_blob(bytes_of(at, 3 * CHUNK)), "put")
            at += 1
    stop.set()
    for reader in readers:
        reader.join()
    assert failed == []
    assert read[0] > 3
    assert at > 101, "nothing was collected: nothing was tested"
    assert not all(store.disk.has(root) for root in blobs)


def test_a_blob_that_a_peer_is_fetching_stays_until_it_is_across(
    tmp_path: Path, eventually: Callable[..., Awaitable[Any]]
) -> None:
    async def main() -> None:
        there = BlockStore(tmp_path / "there", quota=26 * CHUNK)
        blob = bytes_of(1, 20 * CHUNK)
        root = there.write_blob(blob)
        there.pins.release("put")
        here = BlockStore(tmp_path / "here")
        async with await Host.start(generate_secret()) as one, await Host.start(generate_secret()) as two:
            NetworkStore(one, there)
            store = NetworkStore(two, here, patience=5.0)
            two.add_peer(one.addresses[0])
            await eventually(two.connected)
            fetching = asyncio.create_task(store.get(root, LIMIT))
            await eventually(lambda: there.disk.reads.count or fetching.done())
            for at in range(2, 10):  # more and more comes, and the oldest must go: all of it but what is under way
                filler = await asyncio.to_thread(there.write_blob, bytes_of(at, 4 * CHUNK))
                there.pins.remove(filler, "put")
                there._tidy_at = 0.0
                while await asyncio.to_thread(there.tidy, 8):
                    pass
            assert await fetching == blob
        there.pins.close()
        here.pins.close()

    asyncio.run(main())


def test_reads_protect_for_a_while_and_not_from_an_explicit_collection(tmp_path: Path) -> None:
    store = BlockStore(tmp_path)
    root = store.write_blob(bytes_of(1, 2 * CHUNK + 5))
    store.pins.release("put")
    assert len(store.read_blob(root, LIMIT)) == 2 * CHUNK + 5
    assert Collection(store.disk, store.pins, 0, grace=60.0).finish() == 0
    time.sleep(0.02)
    assert Collection(store.disk, store.pins, 0, grace=0.01).finish() > 2 * CHUNK
    again = store.write_blob(bytes_of(1, 2 * CHUNK + 5))
    store.read_blob(again, LIMIT)
    store.pins.release("put")
    assert store.collect() > 2 * CHUNK
    assert store.disk.used == 0


def test_at_the_quota_unpinned_blocks_go_oldest_first_and_pins_stay(tmp_path: Path) -> None:
    store = BlockStore(tmp_path, quota=10 * KIB)
    pinned = [put_aged(store, at, "kept", 900) for at in range(5)]
    loose = [put_aged(store, 100 + at, "put", 100 - at) for at in range(5)]
    store.pins.release("put")
    put_aged(store, 200, "kept", 0)
    assert all(held(store, pinned))
    assert held(store, loose) == [False] * 2 + [True] * 3  # to 0.8 of the quota, then the new one


def test_pins_beyond_the_quota_are_an_error_and_nothing_is_dropped(tmp_path: Path) -> None:
    store = BlockStore(tmp_path, quota=10 * KIB)
    pinned = [put_aged(store, at, "kept", 900) for at in range(10)]
    with pytest.raises(StoreFull, match=r"no room for 1024 more bytes with 10240 used, all of it pinned") as caught:
        store.write_blob(bytes_of(99, KIB), "one too many")
    assert (caught.value.pinned, caught.value.quota) == (True, 10 * KIB)
    assert all(held(store, pinned))
    assert store.pins.roots() == set(pinned)
    assert store.disk.used == 10 * KIB
    assert store.tidy(blocks=4)
    while store.tidy(blocks=4):
        pass
    assert all(held(store, pinned))
    assert not store.tidy()  # it rests: nothing could be freed


@pytest.mark.parametrize("seed", range(4))
def test_killed_in_the_middle_of_collecting_nothing_pinned_is_lost(tmp_path: Path, seed: int) -> None:
    quota, die = 120 * KIB, random.Random(seed).uniform(0.0, 0.25)
    store = BlockStore(tmp_path, quota=quota)
    kept = {store.write_blob(blob, "round kept"): blob for blob in (bytes_of(at, KIB) for at in range(40))}
    loose = [store.write_blob(bytes_of(1000 + at, KIB), f"round {at}") for at in range(76)]
    store.pins.close()
    words = [sys.executable, "-c", DYING, str(tmp_path), str(quota)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(die)
        process.send_signal(signal.SIGKILL)
    again = BlockStore(tmp_path, quota=quota)
    assert {cid: again.read_blob(cid, LIMIT) for cid in kept} == kept
    assert again.disk.used == sum(size for _, size in again.disk.list())
    while again.tidy():
        pass
    assert 96 * KIB <= again.disk.used <= 108 * KIB  # what was begun is finished, or had come far enough
    assert {cid: again.read_blob(cid, LIMIT) for cid in kept} == kept
    assert sum(held(again, loose)) == again.disk.used // KIB - 40


@settings(max_examples=25, deadline=None)
@given(size=st.integers(1, 3 * CHUNK), flips=st.sets(st.integers(0, 10**9), max_size=3))
def test_every_corrupt_block_is_found_and_no_other_is_dropped(
    tmp_path_factory: pytest.TempPathFactory, size: int, flips: set[int]
) -> None:
    store = BlockStore(tmp_path_factory.mktemp("store"))
    blob = bytes_of(size, size)
    root = store.write_blob(blob)
    files = sorted(path for path in (store.disk._blocks).rglob("b*") if path.is_file())
    hit = {files[flip % len(files)] for flip in flips}
    for file in hit:
        block = bytearray(file.read_bytes())
        block[len(block) // 2] ^= 1
        file.write_bytes(block)
    dropped = sum(iter(lambda: drop_corrupt(store.disk, root), 0))  # beneath a corrupt root nothing is seen
    assert dropped == len([file for file in hit if not file.exists()])
    survivors = {file for file in files if file.exists()}
    assert survivors >= set(files) - hit
    root_hit = any(file.name == root for file in hit)
    assert survivors == set(files) - hit or root_hit
    store.write_blob(blob)
    assert drop_corrupt(store.disk, root) == 0
    assert store.read_blob(root, LIMIT) == blob
