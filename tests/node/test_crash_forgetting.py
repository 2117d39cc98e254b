"""Secrets that a full disk keeps from being erased are erased as soon as there is room."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.node import faulty_disk

SCRIPT = """
import ctypes, json, os, sys
from pathlib import Path
from foedus.aggregator.keys import RoundKeys
from foedus.node.forgetting import Forgetting
from foedus.node.journal import Journal, Masking
from tests.node.test_backup import TASK, committed_once

home, disk, told, seen = Path(sys.argv[1]), ctypes.CDLL(None), [], []
task = committed_once(RoundKeys.generate(os.urandom), RoundKeys.generate(os.urandom))
journal = Journal(home / "journal.sqlite", bytes(32))
for opening in (1, 2):
    journal.keep_masking(TASK, opening, Masking(b"secret", b"words"))
forgetting = Forgetting(journal, [lambda task, opening: told.append(opening)])
for room in (0, 0, -1, -1):
    disk.fail_after(room)
    forgetting.look(task, None)
    disk.fail_after(-1)
    kept = [opening for opening in (1, 2) if journal.masking(TASK, opening) is not None]
    seen.append([kept, list(told)])
(home / "seen").write_text(json.dumps(seen))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a library is preloaded into a process")
def test_what_a_full_disk_kept_is_erased_once_there_is_room(tmp_path: Path) -> None:
    faulty_disk.run(faulty_disk.build(tmp_path), SCRIPT, tmp_path)
    kept = [[1, 2], []]
    erased = [[2], [2]]
    assert json.loads((tmp_path / "seen").read_text()) == [kept, kept, erased, erased]
