"""What is written down before it is said: round keys, mask seeds, signed words and signed transactions (SQLite).

Every write is on disk when the call returns (`synchronous=FULL`), so that after a crash the same bytes go out again and
never others. Secrets are sealed with a key derived from the account's own.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

from foedus.aggregator.modes import Announcement
from foedus.node.errors import NodeError
from foedus.protocol.ids import Address, Attempt, Hash32, Opening, RoundNumber

SCHEMA_VERSION = 3
_SCHEMA = """
CREATE TABLE enrolment (task TEXT PRIMARY KEY, app TEXT NOT NULL, app_digest TEXT NOT NULL, data TEXT NOT NULL,
    partition INTEGER NOT NULL, partitions INTEGER NOT NULL, salt BLOB NOT NULL);
CREATE TABLE round_key (task TEXT, opening INTEGER, sealed BLOB NOT NULL, PRIMARY KEY (task, opening));
CREATE TABLE masking (task TEXT, opening INTEGER, sealed BLOB NOT NULL, words BLOB NOT NULL,
    PRIMARY KEY (task, opening));
CREATE TABLE signed_word (task TEXT, opening INTEGER, kind TEXT, content BLOB NOT NULL, signature BLOB NOT NULL,
    PRIMARY KEY (task, opening, kind));
CREATE TABLE unmask_guard (task TEXT, round INTEGER, base BLOB, attempt INTEGER NOT NULL, survivors BLOB NOT NULL,
    PRIMARY KEY (task, round, base));
CREATE TABLE sent (task TEXT, label TEXT, raw BLOB NOT NULL, hash BLOB NOT NULL, nonce INTEGER NOT NULL,
    PRIMARY KEY (task, label));
"""
_ANNOUNCEMENTS = """
CREATE TABLE announcement (task TEXT, opening INTEGER, part INTEGER, public BLOB NOT NULL, sealed BLOB NOT NULL,
    PRIMARY KEY (task, opening, part));
"""
_STEPS = {0: _SCHEMA, 2: _ANNOUNCEMENTS}
"""What brings a journal of a version to the next: an empty one to 2, and one of 2 to 3."""


def _to_wal(database: sqlite3.Connection) -> None:
    """Switch to the write-ahead log. SQLite does not wait for another process that is switching too, so this does."""
    deadline = time.monotonic() + 10
    while True:
        try:
            database.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


@dataclass(frozen=True, slots=True)
class Enrolment:
    """How this node takes part in a task: the approved app, its data, and which part of them is its own."""

    task: Address
    app: str
    app_digest: str
    data: str
    partition: int
    partitions: int
    salt: bytes


@dataclass(frozen=True, slots=True)
class Masking:
    """One masking: the secrets it used, and the words that commit to it."""

    secrets: bytes
    words: bytes


@dataclass(frozen=True, slots=True)
class Sent:
    """A signed transaction as it was, or will be, sent."""

    raw: bytes
    hash: Hash32
    nonce: int


class Journal:
    """One node's journal. `secret` is the account's private key, 32 bytes: it seals what is secret in here.

    Used from the daemon's own thread, but for `bind`, which the unmasking calls from worker threads too.
    """

    def __init__(self, path: Path, secret: bytes) -> None:
        key = HKDF(SHA256(), 32, salt=None, info=b"foedus/journal/v1").derive(secret)
        self._box = SecretBox(key)
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        path.chmod(0o600)
        self._guarding = threading.Lock()
        _to_wal(self._db)
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("PRAGMA busy_timeout=10000")
        self._db.execute("PRAGMA secure_delete=ON")
        self._migrate(path)
        with suppress(sqlite3.OperationalError):  # on a full disk the next erasing does it
            self._forget_log()

    def _migrate(self, path: Path) -> None:
        self._db.execute("BEGIN IMMEDIATE")  # of a daemon and a command that both begin a journal, the second waits
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        while version in _STEPS:
            for statement in filter(str.strip, _STEPS[version].split(";")):
                self._db.execute(statement)
            version = max(version + 1, 2)
        if version == SCHEMA_VERSION:
            self._db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        self._db.execute("COMMIT")
        if version != SCHEMA_VERSION:
            raise NodeError(f"{path} has schema {version}, this release reads {SCHEMA_VERSION}: use a matching release")

    def close(self) -> None:
        self._db.close()

    def _forget_log(self) -> None:
        """Empty the write-ahead log: what was erased is still in it, and stays in that of a process that was killed."""
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _open(self, sealed: bytes) -> bytes:
        try:
            return self._box.decrypt(sealed)
        except CryptoError as error:
            raise NodeError("the journal was sealed by another account: use that account, or a fresh home") from error

    def enrol(self, enrolment: Enrolment) -> None:
        """Remember, or change, how this node takes part in a task."""
        row = (
            enrolment.task,
            enrolment.app,
            enrolment.app_digest,
            enrolment.data,
            enrolment.partition,
            enrolment.partitions,
            enrolment.salt,
        )
        self._db.execute("INSERT OR REPLACE INTO enrolment VALUES (?,?,?,?,?,?,?)", row)

    def enrolments(self) -> list[Enrolment]:
        """Every task this node takes part in."""
        return [Enrolment(Address(row[0]), *row[1:]) for row in self._db.execute("SELECT * FROM enrolment")]

    def drop_enrolment(self, task: Address) -> None:
        """Leave a task for good: with its enrolment go its keys and maskings. What it is bound to stays."""
        for table in ("enrolment", "round_key", "masking", "announcement"):
            self._db.execute(f"DELETE FROM {table} WHERE task=?", (task,))
        self._forget_log()

    def keep_keys(self, task: Address, opening: Opening, keys: bytes) -> bytes:
        """Store an opening's keys (an epoch's first: minus the epoch) unless some are there; answers what counts."""
        self._db.execute("INSERT OR IGNORE INTO round_key VALUES (?,?,?)", (task, opening, self._box.encrypt(keys)))
        kept = self.keys(task, opening)
        if kept is None:
            raise NodeError(f"the keys of opening {opening} were erased already")
        return kept

    def keys(self, task: Address, opening: Opening) -> bytes | None:
        row = self._db.execute("SELECT sealed FROM round_key WHERE task=? AND opening=?", (task, opening)).fetchone()
        return self._open(row[0]) if row else None

    def keep_masking(self, task: Address, opening: Opening, masking: Masking) -> None:
        """Store the secrets of one masking before anything masked with them leaves the node."""
        row = (task, opening, self._box.encrypt(masking.secrets), masking.words)
        self._db.execute("INSERT OR REPLACE INTO masking VALUES (?,?,?,?)", row)

    def masking(self, task: Address, opening: Opening) -> Masking | None:
        query = "SELECT sealed, words FROM masking WHERE task=? AND opening=?"
        row = self._db.execute(query, (task, opening)).fetchone()
        return Masking(self._open(row[0]), row[1]) if row else None

    def keep_announcement(self, task: Address, opening: Opening, group: int, made: Announcement) -> Announcement:
        """Store the key announced for a group, before it is, unless one is there; answers what counts."""
        row = (task, opening, group, made.public, self._box.encrypt(made.secret))
        self._db.execute("INSERT OR IGNORE INTO announcement VALUES (?,?,?,?,?)", row)
        return self.announcement(task, opening, group) or made

    def announcement(self, task: Address, opening: Opening, group: int) -> Announcement | None:
        query = "SELECT public, sealed FROM announcement WHERE task=? AND opening=? AND part=?"
        row = self._db.execute(query, (task, opening, group)).fetchone()
        return Announcement(row[0], self._open(row[1])) if row else None

    def erase_before(self, task: Address, opening: Opening, epoch: int) -> None:
        """Forget what is secret of openings, and the keys of epochs, below these: no later leak opens them."""
        older = "task=? AND ((opening>0 AND opening<?) OR (opening<0 AND -opening<?))"
        erased = self._db.execute(f"DELETE FROM round_key WHERE {older}", (task, opening, epoch)).rowcount
        for table in ("masking", "announcement"):
            erased += self._db.execute(f"DELETE FROM {table} WHERE task=? AND opening<?", (task, opening)).rowcount
        if erased:
            self._forget_log()

    def sign_once(self, task: Address, opening: Opening, kind: str, content: bytes, signature: bytes) -> bool:
        """Record a signed word; False where another content was signed before, which must then never be sent."""
        row = (task, opening, kind, content, signature)
        self._db.execute("INSERT OR IGNORE INTO signed_word VALUES (?,?,?,?,?)", row)
        kept = self.signed(task, opening, kind)
        return kept is not None and kept[0] == content

    def signed(self, task: Address, opening: Opening, kind: str) -> tuple[bytes, bytes] | None:
        """(content, signature) of the word signed, if any."""
        query = "SELECT content, signature FROM signed_word WHERE task=? AND opening=? AND kind=?"
        row = self._db.execute(query, (task, opening, kind)).fetchone()
        return (row[0], row[1]) if row else None

    def bound(self, task: Address, round_: RoundNumber, base: Hash32) -> bytes | None:
        """What a round on a base model is bound to, if anything: the epoch's seed and the survivors' bitmap."""
        query = "SELECT survivors FROM unmask_guard WHERE task=? AND round=? AND base=?"
        row = self._db.execute(query, (task, round_, base)).fetchone()
        return row[0] if row else None

    def bindings(self, task: Address) -> list[tuple[RoundNumber, Hash32, Attempt]]:
        """Every (round, base, attempt) that this node was ever bound in."""
        query = "SELECT round, base, attempt FROM unmask_guard WHERE task=?"
        return [(RoundNumber(row[0]), Hash32(row[1]), Attempt(row[2])) for row in self._db.execute(query, (task,))]

    def narrow(self, task: Address, round_: RoundNumber, base: Hash32, attempt: Attempt, survivors: bytes) -> None:
        """Bind what is bound anew, to a part of the set."""
        query = "UPDATE unmask_guard SET attempt=?, survivors=? WHERE task=? AND round=? AND base=?"
        with self._guarding:
            self._db.execute(query, (attempt, survivors, task, round_, base))

    def bind(
        self, task: Address, round_: RoundNumber, base: Hash32, attempt: Attempt, survivors: bytes
    ) -> tuple[int, bytes]:
        """Bind a round on a base model to one survivor set unless it is bound; answers the (attempt, survivors) that
        count. A refuted proposal can bring the round back on another base."""
        row = (task, round_, base, attempt, survivors)
        with self._guarding:
            self._db.execute("INSERT OR IGNORE INTO unmask_guard VALUES (?,?,?,?,?)", row)
            query = "SELECT attempt, survivors FROM unmask_guard WHERE task=? AND round=? AND base=?"
            bound: tuple[int, bytes] = self._db.execute(query, (task, round_, base)).fetchone()
        return bound

    def keep_sent(self, task: Address, label: str, sent: Sent) -> None:
        """Store a signed transaction before it is sent, in place of an earlier one under this label."""
        row = (task, label, sent.raw, sent.hash, sent.nonce)
        self._db.execute("INSERT OR REPLACE INTO sent VALUES (?,?,?,?,?)", row)

    def sent(self, task: Address, label: str) -> Sent | None:
        query = "SELECT raw, hash, nonce FROM sent WHERE task=? AND label=?"
        row = self._db.execute(query, (task, label)).fetchone()
        return Sent(row[0], Hash32(row[1]), row[2]) if row else None
