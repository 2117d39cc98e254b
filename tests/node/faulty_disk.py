"""A disk that forgets and that fills up: `faulty_disk.c` around a process, and what its notes say."""

from __future__ import annotations

import os
import random
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEAD = struct.Struct("=4Q")
SECTOR = 512
"""Bytes that a disk writes whole or not at all."""

MARKS = "marks"
"""What a process writes to this file of the folder says how far it came."""


@dataclass(frozen=True, slots=True)
class Note:
    """what: w(rite), t(runcate), s(ync), r(ename), u(nlink) or c(reate). name: below the folder, itself is empty."""

    what: str
    name: str
    offset: int
    data: bytes


def build(folder: Path) -> Path:
    """The library to preload."""
    made = folder / "faulty_disk.so"
    source = Path(__file__).with_suffix(".c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", str(made), str(source)], check=True)
    return made


def run(library: Path, script: str, folder: Path, notes: Path | None = None) -> None:
    """Run a script of Python with the folder as its argument; it may end itself by SIGKILL."""
    places = {"LD_PRELOAD": str(library), "FAULTY_FOLDER": str(folder)}
    if notes is not None:
        places["FAULTY_NOTES"] = str(notes)
    words = [sys.executable, "-c", script, str(folder)]
    done = subprocess.run(words, cwd=ROOT, env=os.environ | places, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode in (0, -9), done.stderr


def read_notes(file: Path) -> list[Note]:
    blob, at, found = file.read_bytes(), 0, []
    while at < len(blob):
        what, name_size, offset, size = HEAD.unpack_from(blob, at)
        at += HEAD.size
        name = blob[at : at + name_size].decode()
        at += name_size
        found.append(Note(chr(what), name, offset, blob[at : at + size]))
        at += size
    return found


@dataclass(slots=True)
class _File:
    """Bytes that are on disk, and what was done since: (offset, data), or (size, None) for a cut."""

    synced: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)

    def sync(self) -> None:
        for offset, data in self.pending:
            _apply(self.synced, offset, data)
        self.pending.clear()

    def after_loss(self, chance: float, dice: random.Random) -> bytes:
        """What is left when each sector that was not synced got to the disk by this chance."""
        left = bytearray(self.synced)
        for offset, data in self.pending:
            if data is None:
                if dice.random() < chance:
                    _apply(left, offset, None)
                continue
            for at in range(0, len(data), SECTOR):
                if dice.random() < chance:
                    _apply(left, offset + at, data[at : at + SECTOR])
        return bytes(left)


def _apply(content: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del content[offset:]
        content.extend(bytes(offset - len(content)))
    else:
        content.extend(bytes(max(0, offset - len(content))))
        content[offset : offset + len(data)] = data


class PowerLoss:
    """A folder as it is on disk, note by note. Names count once their folder was synced."""

    def __init__(self) -> None:
        self._now: dict[str, _File] = {}
        self._durable: dict[str, _File] = {}

    def take(self, note: Note) -> None:
        file = self._now.get(note.name)
        match note.what:
            case "c":
                self._now[note.name] = _File()
            case "r" if file is not None:
                del self._now[note.name]
                self._now[note.data.decode()] = file
            case "u":
                self._now.pop(note.name, None)
            case "s" if file is not None:
                file.sync()
            case "s":
                self._sync_names(note.name)
            case "w" | "t" if file is not None:
                file.pending.append((note.offset, note.data if note.what == "w" else None))

    def _sync_names(self, folder: str) -> None:
        for names in (self._now, self._durable):
            for name in [name for name in names if name.rpartition("/")[0] == folder]:
                if name in self._now:
                    self._durable[name] = self._now[name]
                else:
                    del self._durable[name]

    def restore(self, folder: Path, chance: float, dice: random.Random) -> None:
        """Write what is left: with the newest names where anything that was not synced has a chance."""
        for name, file in (self._now if dice.random() < chance else self._durable).items():
            if not name.endswith("-shm") and name != MARKS:  # mapped memory, made anew by SQLite
                place = folder / name
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(file.after_loss(chance, dice))


def losses(notes: list[Note], folder: Path, chances: tuple[float, ...]) -> Iterator[tuple[int, Path]]:
    """The folder as a power loss leaves it after each note, once by each chance; and how many marks came before."""
    disk, marks, dice = PowerLoss(), 0, random.Random(5)
    for at, note in enumerate(notes):
        disk.take(note)
        marks += note.what == "w" and note.name == MARKS
        if note.what == "s" or notes[at + 1 : at + 2] == [] or notes[at + 1].what == "s" or note.name == MARKS:
            for number, chance in enumerate(chances):
                place = folder / f"{at}-{number}"
                place.mkdir()
                disk.restore(place, chance, dice)
                yield marks, place
