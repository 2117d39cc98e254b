"""The real daemon as a process that ends itself with SIGKILL where it is told to.

Every write to the journal and to the pins, every block, every transaction, signed word and reveal is a boundary, with a
point before it and one after it. `run` is the process, forked from one that has imported what a daemon needs, so that
it starts at once. It shares a folder with the test:

- `trace-NODE`, one JSON line a point, appended before anything else happens there;
- `armed/`, a file for each point to die at. Whoever gets there first takes it, once;
- `licence/`, a file for each node that may take one. Taking a point takes the licence too.
"""

from __future__ import annotations

import functools
import inspect
import json
import os
import re
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch._dynamo  # noqa: F401 - what a daemon imports later
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes

from foedus.aggregator.tenders import TENDER
from foedus.contracts.sender import Sender
from foedus.network.disk import Disk
from foedus.network.pins import Pins
from foedus.node import runner
from foedus.node.journal import Journal
from foedus.node.reveals import RevealServer
from foedus.node.words import Noticeboard
from tests.node.forking import command

WRITE = re.compile(r"(INSERT|UPDATE|DELETE|PRAGMA wal_checkpoint)(?: OR \w+)?(?: INTO| FROM)? ?(\w*)")

TENDER_HEAD = 4 + 32 + 2
"""Bytes of a tender before its parts: version, context and member."""

Facts = dict[str, Any]


def fingerprint(content: bytes) -> str:
    """Tells contents apart: 16 hex digits."""
    return sha256(content).hexdigest()[:16]


class Boundaries:
    """What this process passes, counted anew in every round."""

    def __init__(self, folder: Path, name: str) -> None:
        self._armed, self._licence = folder / "armed", folder / "licence" / name
        self._trace = os.open(folder / f"trace-{name}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._round, self._counts = 0, Counter[str]()

    def turn(self, number: int) -> None:
        """The task has come to a round."""
        if number != self._round:
            self._round, self._counts = number, Counter()

    def before(self, kind: str, **facts: object) -> int:
        """Which time it is in this round, from 1."""
        self._counts[kind] += 1
        self._at("before", kind, self._counts[kind], facts)
        return self._counts[kind]

    def after(self, kind: str, nth: int, **facts: object) -> None:
        self._at("after", kind, nth, facts)

    def _at(self, when: str, kind: str, nth: int, facts: Facts) -> None:
        self._say({"round": self._round, "when": when, "kind": kind, "nth": nth, **facts})
        point = point_name(when, kind, nth)
        if (self._armed / point).exists() and _took(self._licence) and _took(self._armed / point):
            self._say({"round": self._round, "died": point})
            os.kill(os.getpid(), signal.SIGKILL)

    def _say(self, line: Facts) -> None:
        os.write(self._trace, json.dumps(line).encode() + b"\n")


def point_name(when: str, kind: str, nth: int) -> str:
    """A point as a file's name."""
    return f"{when} {kind} {nth}"


def _took(file: Path) -> bool:
    try:
        file.unlink()
    except FileNotFoundError:
        return False
    return True


class Watched:
    """A database connection whose writes are boundaries. kind_of: names a write by verb, table and values."""

    def __init__(self, base: sqlite3.Connection, passed: Boundaries, kind_of: Callable[..., str]) -> None:
        self._base, self._passed, self._kind_of = base, passed, kind_of

    def execute(self, query: str, values: tuple = ()) -> sqlite3.Cursor:
        found = WRITE.match(query)
        if found is None:
            return self._base.execute(query, values)
        kind = self._kind_of(found[1], found[2], values)
        nth = self._passed.before(kind)
        done = self._base.execute(query, values)
        self._passed.after(kind, nth)
        return done

    def __getattr__(self, name: str) -> Any:
        return getattr(self._base, name)


def journal_kind(verb: str, table: str, values: tuple) -> str:
    """A transaction by what it does, a signed word by what it says; else the table."""
    about = {"sent": 1, "signed_word": 2}.get(table) if verb == "INSERT" else None
    return f"{verb} {table} {values[about].split('/')[0].split('~')[0] if about is not None else ''}".strip()


def pins_kind(verb: str, table: str, values: tuple) -> str:
    """A pin by its label: a fetch under way, the task itself, or a round."""
    label = values[1] if len(values) > 1 and isinstance(values[1], str) else str(values[0])
    what = label.split(":")[0] if label in ("task", "put") or label.startswith("fetch:") else "round"
    return f"{verb} {table} {what}"


def watch_database(owner: type, attribute: str, passed: Boundaries, kind_of: Callable[..., str]) -> None:
    """Watch the connection that instances of a class keep in an attribute, from the end of `__init__` on."""
    begin = owner.__init__

    @functools.wraps(begin)
    def begun(self: Any, *arguments: Any) -> None:
        begin(self, *arguments)
        setattr(self, attribute, Watched(getattr(self, attribute), passed, kind_of))

    owner.__init__ = begun


def watch_call(
    owner: type,
    name: str,
    passed: Boundaries,
    describe: Callable[..., tuple[str, Facts] | None],
    told: Callable[[Any], Facts] = lambda given: {},
) -> None:
    """Make a method's calls boundaries. describe: their kind and facts by the arguments, or None for no boundary; told:
    facts by what they return."""
    call = getattr(owner, name)

    def enter(*arguments: Any, **named: Any) -> Callable[[Any], Any]:
        about = describe(*arguments, **named)
        if about is None:
            return lambda given: given
        kind, facts = about
        nth = passed.before(kind, **facts)

        def leave(given: Any) -> Any:
            passed.after(kind, nth, **facts, **told(given))
            return given

        return leave

    @functools.wraps(call)
    async def awaited(self: Any, *arguments: Any, **named: Any) -> Any:
        leave = enter(*arguments, **named)
        return leave(await call(self, *arguments, **named))

    @functools.wraps(call)
    def called(self: Any, *arguments: Any, **named: Any) -> Any:
        leave = enter(*arguments, **named)
        return leave(call(self, *arguments, **named))

    setattr(owner, name, awaited if inspect.iscoroutinefunction(call) else called)


def sending(signed: Any) -> tuple[str, Facts]:
    """A transaction on its way: which nonce, and what it says to whom."""
    fields = TypedTransaction.from_bytes(HexBytes(signed.raw)).as_dict()
    said = fingerprint(bytes(fields["to"]) + bytes(fields["data"]) + fields["value"].to_bytes(32, "big"))
    label, facts = signed.label, {"nonce": signed.nonce, "raw": fingerprint(signed.raw), "said": said}
    return f"send {label.split('/')[0]}", {"label": label, **facts}


def told(reveal: bytes) -> str:
    """What a reveal tells: of a tender the names of its parts, nothing while it has none."""
    words = reveal[TENDER_HEAD:] if reveal.startswith(TENDER) else reveal
    return fingerprint(words) if words else ""


def offering(key: tuple, offer: Any) -> tuple[str, Facts]:
    return "offer reveal", {"opening": key[1], "offered": told(offer.reveal)}


def answering(peer: str, request: bytes) -> tuple[str, Facts]:
    return "answer reveal", {"opening": json.loads(request)[1]}


def answered(given: bytes) -> Facts:
    """The node's own reveal; the shares of others' seeds after it depend on what it has fetched."""
    return {"offered": told(given[4 : 4 + int.from_bytes(given[:4], "big")])}


def saying(topic: Any, peers: Any, mine: Any = ()) -> tuple[str, Facts] | None:
    words = [(word.position, fingerprint(word.content), fingerprint(word.signature)) for word in mine]
    about = {"opening": topic.opening, "topic": topic.kind, "words": words}
    return (f"say {topic.kind.split('/')[0]}", about) if words else None


def run(folder: Path, log: Path, words: list[str]) -> None:
    """The process of a daemon, watched. The name of its home is its name."""
    passed = Boundaries(folder, Path(words[words.index("--home") + 1]).name)
    duties = runner.duties

    def counted(task: Any, *rest: Any) -> Any:
        passed.turn(task.next_round)
        return duties(task, *rest)

    runner.duties = counted
    watch_database(Journal, "_db", passed, journal_kind)
    watch_database(Pins, "_base", passed, pins_kind)
    watch_call(Disk, "stage", passed, lambda cid, pieces: ("stage block", {}))
    watch_call(Disk, "_settle", passed, lambda cid, file, size: ("settle block", {}))
    watch_call(Disk, "flush", passed, lambda: ("flush blocks", {}))
    watch_call(Sender, "_send", passed, sending)
    watch_call(RevealServer, "open", passed, offering)
    watch_call(RevealServer, "_answer", passed, answering, answered)
    watch_call(Noticeboard, "exchange", passed, saying)
    command(log, words)
