"""A disk that is full while a node begins to train: what failed works as soon as there is room again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.learning.small import APP, TASK

CHILD = """
import resource, signal, sys
from pathlib import Path
from foedus.learning.build import build
from foedus.learning.client import open_client
from foedus.learning.errors import LearningError
from foedus.learning.taskfile import load_task_file

def room(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

def client():
    return open_client(built.app, built.terms, built.manifest, 0)

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
built = build(load_task_file(Path(sys.argv[1])))
"""
BEGUN_ON_A_FULL_DISK = """
room(0)
try:
    client()
except LearningError as error:
    print(error)
room(resource.RLIM_INFINITY)
print(client().update(built.initial_lanes, 1).weight)
"""
FULL_AT_THE_FIRST_TRAINING = """
mine = client()
room(0)
print(mine.update(built.initial_lanes, 1).weight)
"""


def said(tmp_path: Path, script: str) -> str:
    """What a process of its own prints: no other test has imported anything there."""
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "task.toml").write_text(TASK)
    words = [sys.executable, "-c", CHILD + script, str(tmp_path / "task.toml")]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_training_that_could_not_begin_begins_once_there_is_room(tmp_path: Path) -> None:
    first, second = said(tmp_path, BEGUN_ON_A_FULL_DISK).splitlines()
    assert first.startswith("nothing can be trained: No usable temporary directory found")
    assert int(second) > 0


def test_a_disk_that_fills_up_before_the_first_training_does_not_stop_it(tmp_path: Path) -> None:
    assert int(said(tmp_path, FULL_AT_THE_FIRST_TRAINING)) > 0
