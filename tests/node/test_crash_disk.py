"""Power that fails and disks that fill up under the real journal, and under key files.

A process is run with every write, sync and rename of its folder noted. From the notes come the folders that a power
loss can leave: whatever was not synced is there, is not, or is there in part, sector by sector.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from foedus.node.journal import Journal
from tests.node import faulty_disk
from tests.node.journal_steps import SECRET, STEPS, WORDS, Facts, erase, facts_of

CHANCES = (0.0, 1.0, 0.5)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a library is preloaded into a process")

WRITTEN = """
import os, sys
from pathlib import Path
from foedus.node.journal import Journal
from tests.node.journal_steps import SECRET, STEPS, erase

home = Path(sys.argv[1])
marks = os.open(home / "marks", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
journal = Journal(home / "journal.sqlite", SECRET)
for step in (*STEPS, erase):
    os.write(marks, b".")
    step(journal)
os.write(marks, b".")
os.kill(os.getpid(), 9)
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return faulty_disk.build(tmp_path_factory.mktemp("library"))


@pytest.fixture(scope="module")
def reached(tmp_path_factory: pytest.TempPathFactory) -> list[Facts]:
    """What the journal holds after each number of steps."""
    journal = Journal(tmp_path_factory.mktemp("reached") / "journal.sqlite", SECRET)
    found = [facts_of(journal)]
    for step in (*STEPS, erase):
        step(journal)
        found.append(facts_of(journal))
    return found


def without_keys(facts: Facts) -> Facts:
    """Half erased: the keys go first."""
    return {name: fact for name, fact in facts.items() if name != "keys 1"}


def test_what_the_journal_has_written_outlives_a_power_loss_at_any_moment(
    library: Path, reached: list[Facts], tmp_path: Path
) -> None:
    """What had returned is there, the reveal's binding too; what had not is there or is not."""
    home, notes, seen = tmp_path / "home", tmp_path / "notes", 0
    home.mkdir()
    faulty_disk.run(library, WRITTEN, home, notes)
    for marks, left in faulty_disk.losses(faulty_disk.read_notes(notes), tmp_path, CHANCES):
        journal = Journal(left / "journal.sqlite", SECRET)
        may = reached[marks - 1 : marks + 1] if marks else [{}]
        if marks == len(STEPS) + 1:
            may.append(without_keys(reached[-2]))
        assert facts_of(journal) in may, f"after {marks - 1} steps ({left})"
        journal.close()
        seen += 1
    assert seen > 3 * len(reached)
    assert marks == len(reached)


def test_what_was_erased_before_a_kill_is_on_no_page_after_the_next_start(library: Path, tmp_path: Path) -> None:
    """Killed between the erasing and the emptying of the log, which still had it."""
    script = WRITTEN.replace("for step", "Journal._forget_log = lambda self: os.kill(os.getpid(), 9)\nfor step")
    faulty_disk.run(library, script, tmp_path)
    assert WORDS[:4000] in (tmp_path / "journal.sqlite-wal").read_bytes()
    Journal(tmp_path / "journal.sqlite", SECRET)
    assert all(WORDS[:4000] not in file.read_bytes() for file in tmp_path.iterdir())


KEYS = """
import os, sys
from pathlib import Path
from foedus.node.home import write_private

home = Path(sys.argv[1])
marks = os.open(home / "marks", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
for key in (b"first", b"second"):
    write_private(home / "key", key)
    os.write(marks, b".")
"""


def test_a_key_that_was_written_outlives_a_power_loss(library: Path, tmp_path: Path) -> None:
    home, notes, keys = tmp_path / "home", tmp_path / "notes", (None, b"first", b"second")
    home.mkdir()
    faulty_disk.run(library, KEYS, home, notes)
    for marks, left in faulty_disk.losses(faulty_disk.read_notes(notes), tmp_path, CHANCES):
        file = left / "key"
        assert (file.read_bytes() if file.exists() else None) in keys[marks : marks + 2]
    assert marks == 2


@pytest.mark.parametrize("tear", ["cut", "flip"])
def test_a_torn_log_gives_a_state_that_was(tear: str, reached: list[Facts], tmp_path: Path) -> None:
    """Cut at any byte, or with any byte wrong: what was written up to some step, and of the next one nothing."""
    whole = tmp_path / "whole"
    whole.mkdir()
    journal = Journal(whole / "journal.sqlite", SECRET)
    for step in STEPS:
        step(journal)
    log, found = (whole / "journal.sqlite-wal").read_bytes(), []
    for at in range(0, len(log), 499):
        torn = tmp_path / f"{tear}-{at}"
        torn.mkdir()
        shutil.copy(whole / "journal.sqlite", torn)
        bent = log[:at] if tear == "cut" else log[:at] + bytes([log[at] ^ 0x40]) + log[at + 1 :]
        (torn / "journal.sqlite-wal").write_bytes(bent)
        opened = Journal(torn / "journal.sqlite", SECRET)
        found.append(reached.index(facts_of(opened)))
        opened.close()
    assert found == sorted(found)
    assert set(found) >= set(range(len(STEPS)))


FULL = """
import ctypes, json, os, shutil, sqlite3, sys
from pathlib import Path
from foedus.node.journal import Journal
from tests.node.journal_steps import SECRET, STEPS, erase

disk = ctypes.CDLL(None)
for room in range(1000):
    if (child := os.fork()) == 0:
        home, copy = (Path(sys.argv[1]) / f"{name}-{room}" for name in ("home", "copy"))
        home.mkdir()
        journal, done = Journal(home / "journal.sqlite", SECRET), []
        disk.fail_after(room)
        for step in (*STEPS, erase):
            try:
                step(journal)
                done.append(True)
            except sqlite3.OperationalError:
                done.append(False)
        disk.fail_after(-1)
        shutil.copytree(home, copy)
        (copy / "done").write_text(json.dumps(done))
        for step in (*STEPS, erase):
            step(journal)
        os._exit(all(done))
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 1), status
    if status:
        break
"""


def test_a_disk_that_fills_up_at_any_write_takes_a_step_whole_or_not_at_all(
    library: Path, reached: list[Facts], tmp_path: Path
) -> None:
    """Whoever is killed on a full disk finds what had returned, and of what failed all or nothing; whoever goes on when
    there is room again ends as if there had always been. What failed may come back where only the sync of it did: then
    it is erased after the next start."""
    faulty_disk.run(library, FULL, tmp_path)
    copies = sorted(tmp_path.glob("copy-*"))
    for copy in copies:
        may: list[Facts] = [{}]
        steps = json.loads((copy / "done").read_text())
        for number, done in enumerate(steps):
            taken = [_changed(facts, reached[number], reached[number + 1]) for facts in may]
            half = [without_keys(facts) for facts in may] if number == len(STEPS) else []
            sure = done and (all(steps) or number < len(STEPS))
            may = taken if sure else [*may, *(facts for facts in (*taken, *half) if facts not in may)]
        assert facts_of(Journal(copy / "journal.sqlite", SECRET)) in may, copy.name
        after = facts_of(Journal(tmp_path / copy.name.replace("copy", "home") / "journal.sqlite", SECRET))
        assert after == reached[-1], copy.name
    assert len(copies) > 3 * len(STEPS)


def _changed(facts: Facts, before: Facts, after: Facts) -> Facts:
    """The facts after what made the second of two the third."""
    kept = {name: fact for name, fact in facts.items() if name in after or name not in before}
    return kept | {name: fact for name, fact in after.items() if before.get(name) != fact}
