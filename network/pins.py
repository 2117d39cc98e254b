"""What must be kept, and who asked: one row a (CID, label), in SQLite beside the blocks."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

from foedus.protocol.ids import Cid


class Pins:
    """A durable set of (CID, label): a blob is kept while any label holds it. Safe to use from many threads."""

    def __init__(self, file: Path) -> None:
        self._lock = threading.Lock()
        self._base = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self._base.execute("PRAGMA journal_mode=WAL")
        self._base.execute("PRAGMA synchronous=FULL")
        self._base.execute(
            "CREATE TABLE IF NOT EXISTS pins (cid TEXT NOT NULL, label TEXT NOT NULL, PRIMARY KEY (cid, label))"
            " WITHOUT ROWID"
        )

    def add(self, cid: Cid, label: str) -> bool:
        """Pin under a label; False where that label held it already."""
        with self._lock:
            return self._base.execute("INSERT OR IGNORE INTO pins VALUES (?, ?)", (cid, label)).rowcount == 1

    def remove(self, cid: Cid, label: str) -> bool:
        """Give up one label; False where it did not hold the CID."""
        with self._lock:
            return self._base.execute("DELETE FROM pins WHERE cid = ? AND label = ?", (cid, label)).rowcount == 1

    def remove_labels(self, prefix: str) -> int:
        """Give up every pin whose label begins so; how many there were."""
        with self._lock:
            return self._base.execute("DELETE FROM pins WHERE substr(label, 1, ?) = ?", (len(prefix), prefix)).rowcount

    def release(self, label: str) -> int:
        """Give up every pin of one label; how many there were."""
        with self._lock:
            return self._base.execute("DELETE FROM pins WHERE label = ?", (label,)).rowcount

    def labels_under(self, prefix: str) -> frozenset[str]:
        """The labels in use that begin so."""
        query = "SELECT DISTINCT label FROM pins WHERE substr(label, 1, ?) = ?"
        with self._lock:
            return frozenset(row[0] for row in self._base.execute(query, (len(prefix), prefix)))

    def labels(self, cid: Cid) -> frozenset[str]:
        """Who keeps the blob."""
        with self._lock:
            return frozenset(row[0] for row in self._base.execute("SELECT label FROM pins WHERE cid = ?", (cid,)))

    def roots(self, label: str | None = None) -> frozenset[Cid]:
        """Every pinned blob, or those of one label."""
        query, values = ("SELECT cid FROM pins WHERE label = ?", (label,)) if label else ("SELECT cid FROM pins", ())
        with self._lock:
            return frozenset(Cid(row[0]) for row in self._base.execute(query, values))

    def close(self) -> None:
        """Close the database; the set stays on disk."""
        with self._lock:
            self._base.close()
