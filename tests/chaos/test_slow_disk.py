"""A disk as slow as it is told to be, whoever asks it to sync."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from tests.chaos.scene import build_slow_disk, set_wait

SYNCS = """
import json, os, sqlite3, sys, time
folder, waits = sys.argv[1], []
def took(sync):
    began = time.monotonic()
    sync()
    waits.append(time.monotonic() - began)
with open(folder + "/file", "wb") as file:
    took(lambda: os.fsync(file.fileno()))
with sqlite3.connect(folder + "/base") as base:
    took(lambda: base.execute("CREATE TABLE one (number)"))
print(json.dumps(waits))
"""


def test_files_and_databases_wait_as_long_as_they_are_told(tmp_path):
    disk = tmp_path / "slow_disk"
    set_wait(disk, 0.3)
    places = {"LD_PRELOAD": str(build_slow_disk(tmp_path)), "SLOW_DISK": str(disk)}
    words = [sys.executable, "-c", SYNCS, str(tmp_path)]
    waits = json.loads(subprocess.run(words, env=os.environ | places, capture_output=True, check=True).stdout)
    assert [wait >= 0.3 for wait in waits] == [True, True], waits
