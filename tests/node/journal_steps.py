"""A node's way through a round as its journal sees it: one write after another, each of them whole or not there."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from foedus.aggregator.bundle import Secrets
from foedus.aggregator.unmask import reveal
from foedus.node.errors import NodeError
from foedus.node.guard import JournalGuard
from foedus.node.journal import Journal, Masking, Sent
from foedus.protocol.ids import Position
from tests.aggregator.conftest import World

SECRET, ME = b"\x05" * 32, Position(1)
WORDS = b"what is committed to " * 600
"""Longer than a page of SQLite, which may then be on disk in parts."""


def make_world() -> World:
    world = World(3)
    for position in world.positions:
        world.commit(position)
    world.freeze()
    return world


WORLD = make_world()
TASK = WORLD.context.task


def unmask(journal: Journal) -> None:
    """Make the reveal, which binds first."""
    made = WORLD.prepared[ME].secrets
    assert made is not None
    guard, everybody = JournalGuard(journal, WORLD.round_.seed), frozenset(WORLD.positions)
    own = Secrets(made.place, made.own)
    assert reveal(WORLD.layout, WORLD.context, everybody, ME, own, WORLD.keys[ME], guard).seeds


STEPS: tuple[Callable[[Journal], object], ...] = (
    lambda journal: journal.keep_keys(TASK, 1, b"keys of one"),
    lambda journal: journal.keep_masking(TASK, 1, Masking(b"secrets", WORDS)),
    lambda journal: journal.keep_keys(TASK, 2, b"keys of two"),
    lambda journal: journal.keep_sent(TASK, "commit/1", Sent(b"raw" * 900, b"h" * 32, 7)),
    lambda journal: journal.sign_once(TASK, 1, "survivors", b"these", b"signature"),
    unmask,
    lambda journal: journal.keep_sent(TASK, "commit/1", Sent(b"more" * 900, b"i" * 32, 7)),
    lambda journal: journal.sign_once(TASK, 1, "attestation/aa", b"digest", b"signature"),
    lambda journal: journal.keep_masking(TASK, 2, Masking(b"secrets of two", WORDS[::-1])),
)


def erase(journal: Journal) -> None:
    """The end of the round: in several writes, each of which takes something more away."""
    journal.erase_before(TASK, 2, 0)


Facts = dict[str, object]


def facts_of(journal: Journal) -> Facts:
    """All that the journal says of what the steps wrote."""
    context = WORLD.context
    found: Facts = {"bound": journal.bound(TASK, context.round, context.base_root)}
    for opening in (1, 2):
        with suppress(NodeError):
            found[f"keys {opening}"] = journal.keys(TASK, opening)
        found[f"masking {opening}"] = journal.masking(TASK, opening)
    found["sent"] = journal.sent(TASK, "commit/1")
    for kind in ("survivors", "attestation/aa"):
        found[kind] = journal.signed(TASK, 1, kind)
    return {name: value for name, value in found.items() if value is not None}
