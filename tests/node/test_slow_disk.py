"""Whoever syncs waits as long as the disk is told, and not before it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.node.slow_disk import build, set_wait

ROOT = Path(__file__).parents[2]
SYNCS = """
import json, os, sqlite3, sys, time
from pathlib import Path
from tests.node.slow_disk import begin
folder, waits = sys.argv[1], []
def took(sync):
    began = time.monotonic()
    sync()
    waits.append(time.monotonic() - began)
begin(Path(folder, "slow_disk"))
with open(folder + "/file", "wb") as file:
    took(lambda: os.fsync(file.fileno()))
with sqlite3.connect(folder + "/base") as base:
    took(lambda: base.execute("CREATE TABLE one (number)"))
print(json.dumps(waits))
"""


def test_files_and_databases_wait_as_long_as_they_are_told(tmp_path):
    set_wait(tmp_path / "slow_disk", 0.3)
    preloaded = os.environ | {"LD_PRELOAD": str(build(tmp_path))}
    words = [sys.executable, "-c", SYNCS, str(tmp_path)]
    waits = json.loads(subprocess.run(words, cwd=ROOT, env=preloaded, capture_output=True, check=True).stdout)
    assert [wait >= 0.3 for wait in waits] == [True, True], waits
