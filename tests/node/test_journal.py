"""The journal: what is written stays, what is secret is sealed, what is bound or signed is so once and for ever."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from foedus.aggregator.modes import Announcement
from foedus.aggregator.unmask import SecondFreeze
from foedus.node.errors import NodeError
from foedus.node.guard import JournalGuard
from foedus.node.journal import Enrolment, Journal, Masking, Sent
from foedus.protocol.commitments import Context
from foedus.protocol.ids import ZERO32
from tests.protocol.samples import TASK

SECRET = b"\x05" * 32


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.sqlite"


def context(round_: int = 1, attempt: int = 1, base: bytes = ZERO32) -> Context:
    return Context(ZERO32, 1, TASK, round_, attempt, base)


def test_the_first_keys_of_an_opening_stay(path):
    journal = Journal(path, SECRET)
    assert journal.keep_keys(TASK, 3, b"first") == b"first"
    assert journal.keep_keys(TASK, 3, b"second") == b"first"
    journal.close()
    assert Journal(path, SECRET).keys(TASK, 3) == b"first"


def test_secrets_are_sealed_with_the_accounts_key(path):
    journal = Journal(path, SECRET)
    journal.keep_keys(TASK, 3, b"a very secret key")
    journal.keep_masking(TASK, 1, Masking(b"a very secret seed", b"words"))
    journal.close()
    raw = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"very secret" not in raw
    with pytest.raises(NodeError, match="sealed by another account"):
        Journal(path, b"\x06" * 32).keys(TASK, 3)


def test_erased_is_erased_from_the_disk_too(path):
    journal = Journal(path, SECRET)
    for opening in (-1, 1, 2, 3):
        journal.keep_keys(TASK, opening, bytes([opening & 0xFF]) * 32)
    journal.keep_masking(TASK, 2, Masking(b"s", b"words of opening two"))
    journal.keep_masking(TASK, 3, Masking(b"s", b"words of opening three"))
    journal.erase_before(TASK, 3, 2)
    assert [journal.keys(TASK, opening) is None for opening in (-1, 1, 2, 3)] == [True, True, True, False]
    assert journal.masking(TASK, 2) is None
    assert journal.masking(TASK, 3) == Masking(b"s", b"words of opening three")
    raw = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"words of opening two" not in raw


def test_a_word_is_signed_once(path):
    journal = Journal(path, SECRET)
    assert journal.sign_once(TASK, 1, "survivors", b"these", b"signature")
    assert journal.sign_once(TASK, 1, "survivors", b"these", b"another")
    assert not journal.sign_once(TASK, 1, "survivors", b"those", b"signature")
    assert journal.signed(TASK, 1, "survivors") == (b"these", b"signature")


def test_the_guard_binds_a_round_for_ever(path):
    guard = JournalGuard(Journal(path, SECRET))
    guard.bind(context(), b"\x07")
    guard.bind(context(), b"\x07")
    for refused in ((context(), b"\x03"), (context(attempt=2), b"\x07")):
        with pytest.raises(SecondFreeze):
            guard.bind(*refused)
    JournalGuard(Journal(path, SECRET)).bind(context(), b"\x07")
    with pytest.raises(SecondFreeze):
        JournalGuard(Journal(path, SECRET)).bind(context(), b"\x03")
    guard.bind(context(round_=2), b"\x03")


def test_a_round_that_runs_again_opens_the_same_set_but_for_the_convicted(path):
    """A refuted proposal brought an earlier round back. On another base the round is another; on the same, only those
    whose sum was opened may be opened, without the convicted."""
    guard = JournalGuard(Journal(path, SECRET), convicted=frozenset({1}))
    guard.bind(context(), b"\x0f")
    guard.bind(context(base=b"\x01" * 32), b"\x03")
    for refused in (b"\x07", b"\x05", b"\x1f", b"\x1d"):
        with pytest.raises(SecondFreeze):
            guard.bind(context(), refused)
    with pytest.raises(SecondFreeze):
        JournalGuard(Journal(path, SECRET), b"\x02" * 32, frozenset({1})).bind(context(), b"\x0d")
    guard.bind(context(attempt=2), b"\x0d")
    for refused in (b"\x0f", b"\x0c"):
        with pytest.raises(SecondFreeze):
            guard.bind(context(), refused)


def test_of_many_at_once_one_binds(path):
    """Threads of one daemon, and a second daemon beside it."""
    guards = [JournalGuard(Journal(path, SECRET)) for _ in range(4)]

    def bind(at: int) -> bool:
        try:
            guards[at % 4].bind(context(), bytes([at]))
        except SecondFreeze:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(bind, range(1, 33))) == 1


KILLED = """
import os, sys
from foedus.node.guard import JournalGuard
from foedus.node.journal import Journal
from foedus.protocol.commitments import Context
from foedus.protocol.ids import ZERO32
journal = Journal({path!r}, {secret!r})
JournalGuard(journal).bind(Context(ZERO32, 1, {task!r}, 1, 1, ZERO32), b"\\x07")
os.kill(os.getpid(), 9)
"""


def test_what_was_bound_before_a_kill_is_bound_after_it(path):
    script = KILLED.replace("Journal({path!r}", "Journal(__import__('pathlib').Path({path!r})")
    done = subprocess.run([sys.executable, "-c", script.format(path=str(path), secret=SECRET, task=TASK)])
    assert done.returncode == -9
    with pytest.raises(SecondFreeze):
        JournalGuard(Journal(path, SECRET)).bind(context(), b"\x03")


def test_enrolments_and_transactions_round_trip(path):
    journal = Journal(path, SECRET)
    mine = Enrolment(TASK, "/app.py", "aa" * 32, "", 3, 8, b"s" * 32)
    journal.enrol(mine)
    journal.keep_sent(TASK, "commit/1/1", Sent(b"raw", b"h" * 32, 7))
    journal.close()
    again = Journal(path, SECRET)
    assert again.enrolments() == [mine]
    assert again.sent(TASK, "commit/1/1") == Sent(b"raw", b"h" * 32, 7)
    again.drop_enrolment(TASK)
    assert again.enrolments() == []


BEGUN = """
import sys, time
from pathlib import Path
from foedus.node.journal import Journal
while time.time() < float(sys.argv[2]):
    pass
Journal(Path(sys.argv[1]), bytes(32)).keep_keys("task", int(sys.argv[3]), b"keys")
"""


def test_a_daemon_and_a_command_may_begin_a_journal_at_once(path):
    start = str(time.time() + 4)
    words = [[sys.executable, "-c", BEGUN, str(path), start, str(at)] for at in range(4)]
    begun = [subprocess.Popen(one, stderr=subprocess.PIPE, text=True) for one in words]
    assert [(one.communicate()[1], one.returncode) for one in begun] == [("", 0)] * 4
    journal = Journal(path, bytes(32))
    assert [journal.keys("task", at) for at in range(4)] == [b"keys"] * 4


def test_a_journal_of_another_release_is_refused(path):
    Journal(path, SECRET).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version=99")
    with pytest.raises(NodeError, match="schema 99"):
        Journal(path, SECRET)


def test_a_journal_of_an_earlier_release_goes_on_with_all_that_it_holds(path):
    """Version 2 had no announcements, and everything else."""
    journal = Journal(path, SECRET)
    journal.keep_keys(TASK, 3, b"keys")
    journal.close()
    with sqlite3.connect(path) as db:
        db.execute("DROP TABLE announcement")
        db.execute("PRAGMA user_version=2")
    journal = Journal(path, SECRET)
    assert journal.keys(TASK, 3) == b"keys"
    assert journal.keep_announcement(TASK, 3, 0, Announcement(b"public", b"secret")).secret == b"secret"
    journal.close()
    assert sqlite3.connect(path).execute("PRAGMA user_version").fetchone() == (3,)


def test_the_first_announcement_of_a_group_stays_and_is_erased_with_its_opening(path):
    journal = Journal(path, SECRET)
    journal.keep_announcement(TASK, 3, 1, Announcement(b"public", b"the secret of it"))
    assert journal.keep_announcement(TASK, 3, 1, Announcement(b"other", b"another")).public == b"public"
    assert journal.announcement(TASK, 3, 0) is None
    journal.erase_before(TASK, 4, 0)
    assert journal.announcement(TASK, 3, 1) is None
    journal.close()
    assert all(b"the secret of it" not in part.read_bytes() for part in path.parent.iterdir())
