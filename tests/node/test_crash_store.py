"""Power that fails and disks that fill up under the real store: what was put is there, and a block is never torn."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from foedus.network.cid import CHUNK, cid_of
from foedus.network.store import BlockStore
from tests.node import faulty_disk
from tests.node.test_crash_disk import CHANCES

BLOBS = (b"small", b"two blocks and their parent" * (CHUNK // 20), b"let go")
LAST, ROUND = len(BLOBS) - 1, "round 1"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a library is preloaded into a process")

PUT = """
import ctypes, json, os, sys
from pathlib import Path
from foedus.network.cid import cid_of
from foedus.network.store import BlockStore
from tests.node.test_crash_store import BLOBS, LAST, ROUND

folder = Path(sys.argv[1])
"""
LOST = """
marks = os.open(folder / "marks", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
store = BlockStore(folder / "store")
for blob in BLOBS:
    store.write_blob(blob, ROUND)
    os.write(marks, b".")
store.pins.remove(cid_of(BLOBS[LAST]), ROUND)
os.write(marks, b".")
store.collect()
os.kill(os.getpid(), 9)
"""
FULL = """
disk = ctypes.CDLL(None)
for room in range(1000):
    if (child := os.fork()) == 0:
        store, failed = BlockStore(folder / f"store-{room}"), []
        disk.fail_after(room)
        for number, blob in enumerate(BLOBS):
            try:
                store.write_blob(blob, ROUND)
            except Exception:
                failed.append(number)
        disk.fail_after(-1)
        held = sum(size for _, size in store.disk.list())
        (folder / f"failed-{room}").write_text(json.dumps([failed, store.disk.used == held]))
        os._exit(not failed)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 1), status
    if status:
        break
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return faulty_disk.build(tmp_path_factory.mktemp("library"))


def require_whole_blocks(store: BlockStore) -> None:
    """Raises BlobCorrupt for a block that is not what its name says."""
    for cid, _ in store.disk.list():
        store.disk.look(cid)


def test_what_was_put_outlives_a_power_loss_at_any_moment(library: Path, tmp_path: Path) -> None:
    home, notes = tmp_path / "home", tmp_path / "notes"
    home.mkdir()
    faulty_disk.run(library, PUT + LOST, home, notes)
    for marks, left in faulty_disk.losses(faulty_disk.read_notes(notes), tmp_path, CHANCES):
        store = BlockStore(left / "store")
        require_whole_blocks(store)
        pinned = store.pins.roots(ROUND)
        for number, blob in enumerate(BLOBS[:marks]):
            if number < LAST:
                assert cid_of(blob) in pinned
                assert store.read_blob(cid_of(blob), len(blob)) == blob
        assert cid_of(BLOBS[LAST]) not in pinned or LAST <= marks <= len(BLOBS)
        assert pinned <= {cid_of(blob) for blob in BLOBS[: marks + 1]}
        store.pins.close()
    assert marks == len(BLOBS) + 1


def test_a_disk_that_fills_up_at_any_write_takes_a_blob_whole_or_not_at_all(library: Path, tmp_path: Path) -> None:
    faulty_disk.run(library, PUT + FULL, tmp_path)
    stories = sorted(tmp_path.glob("failed-*"))
    for story in stories:
        failed, counted = json.loads(story.read_text())
        assert counted, "what is in use is not what is held"
        store = BlockStore(tmp_path / story.name.replace("failed", "store"))
        require_whole_blocks(store)
        for number, blob in enumerate(BLOBS):
            if number not in failed:
                assert cid_of(blob) in store.pins.roots(ROUND)
                assert store.read_blob(cid_of(blob), len(blob)) == blob
        store.pins.close()
    assert len(stories) > 5 * len(BLOBS)
