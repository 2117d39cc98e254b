"""A participant's folder: what lies where, and the lock that keeps a second daemon out."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from foedus.node.errors import HomeExists, HomeInUse, HomeMissing


@dataclass(frozen=True, slots=True)
class Home:
    """Paths under one folder. Files with secrets are readable by their owner alone."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "config.toml"

    @property
    def deployment(self) -> Path:
        return self.root / "deployment.json"

    @property
    def keystore(self) -> Path:
        return self.root / "keystore"

    @property
    def node_key(self) -> Path:
        return self.root / "node.key"

    @property
    def journal(self) -> Path:
        return self.root / "journal.sqlite"

    @property
    def store(self) -> Path:
        return self.root / "store"

    @property
    def status(self) -> Path:
        return self.root / "status.json"

    def create(self) -> None:
        """Make the folder. Raises HomeExists where one is set up already."""
        if self.config.exists():
            raise HomeExists(self.root)
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.keystore.mkdir(exist_ok=True, mode=0o700)

    def require(self) -> None:
        """Raises HomeMissing where `init` has not run."""
        if not self.config.exists():
            raise HomeMissing(self.root)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the home for one daemon. Raises HomeInUse, naming the process, where another holds it."""
        with open(self.root / "lock", "a+", encoding="ascii") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                lock.seek(0)
                raise HomeInUse(self.root, lock.read().strip()) from error
            lock.seek(0)
            lock.truncate()
            lock.write(str(os.getpid()))
            lock.flush()
            yield


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read, whole or not at all; it is on disk when the call returns."""
    beside = path.with_name(path.name + ".new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
