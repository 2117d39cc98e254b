"""Attempts to have one base opened for two sets of survivors, against guards on disk, with a round's real secrets."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import pytest

from foedus.aggregator.bundle import Secrets
from foedus.aggregator.unmask import Collected, SecondFreeze, UnsafeFreeze, collect, release_shares, reveal
from foedus.node.guard import JournalGuard
from foedus.node.journal import Journal
from foedus.protocol.ids import Position
from tests.aggregator.conftest import World

SECRET = b"\x05" * 32
MEMBERS = 8


class Homes:
    """A world of eight in one group, each with a journal of its own."""

    def __init__(self, root: Path) -> None:
        self.root, self.world = root, World(MEMBERS)
        for position in self.world.positions:
            self.world.commit(position)
        self.world.freeze()

    def guard(self, position: Position) -> JournalGuard:
        """A participant's guard, opened anew as after a restart."""
        return JournalGuard(Journal(self.root / f"{position}.sqlite", SECRET), self.world.round_.seed)

    def open(self, survivors: Collection[Position], absent: Collection[Position] = (), attempt: int = 1) -> Collected:
        """What honest members give for a set: those present reveal, and stand in for the absent."""
        world, chosen = self.world, frozenset(survivors)
        context = replace(world.context, attempt=attempt)
        reveals, releases = [], []
        for me in sorted(chosen - frozenset(absent)):
            secrets = world.prepared[me].secrets
            assert secrets is not None
            mine = Secrets(secrets.place, secrets.own)
            reveals.append(reveal(world.layout, context, chosen, me, mine, world.keys[me], self.guard(me)))
            if absent:
                words = (world.layout, context, chosen, absent, world.envelopes, me, world.keys[me])
                releases.append(release_shares(*words, self.guard(me)))
        return collect(world.layout, context, chosen, world.envelopes, reveals, releases)


@pytest.fixture
def homes(tmp_path: Path) -> Homes:
    return Homes(tmp_path)


def everybody(but: Collection[int] = ()) -> frozenset[Position]:
    return frozenset(Position(at) for at in range(MEMBERS) if at not in but)


def test_the_same_set_is_opened_again_after_a_restart(homes: Homes):
    assert homes.open(everybody(but=[7])).seeds == homes.open(everybody(but=[7])).seeds


@pytest.mark.parametrize("second", [everybody(but=[3]), everybody(but=[3, 7]), everybody()])
def test_a_reorganisation_that_freezes_another_set_is_given_nothing(homes: Homes, second: frozenset[Position]):
    """Neither seeds nor shares, from anybody who gave for the first."""
    first = everybody(but=[7])
    assert homes.open(first).open_groups
    for me in sorted(first & second):
        with pytest.raises(SecondFreeze):
            homes.open(second, absent=second - {me})
        world, words = homes.world, (second, second - {me}, homes.world.envelopes, me)
        with pytest.raises(SecondFreeze):
            release_shares(world.layout, world.context, *words, world.keys[me], homes.guard(me))


def test_a_malicious_committee_gets_no_second_set_on_one_base(homes: Homes):
    """It can sign what it likes: two colluders, who bind nothing, hold too few shares of the honest ones' seeds."""
    world, second = homes.world, everybody(but=[5])
    homes.open(everybody(but=[7]))
    colluders = (Position(0), Position(1))
    releases = [
        release_shares(
            world.layout,
            world.context,
            second,
            second - set(colluders),
            world.envelopes,
            me,
            world.keys[me],
            Anything(),
        )
        for me in colluders
    ]
    own = []
    for me in colluders:
        secrets = world.prepared[me].secrets
        assert secrets is not None
        own.append(reveal(world.layout, world.context, second, me, secrets, world.keys[me], Anything()))
    found = collect(world.layout, world.context, second, world.envelopes, own, releases)
    assert not found.open_groups
    assert {owner for owner, _ in found.seeds} == set(colluders)


class Anything:
    """A guard that guards nothing: a colluder's."""

    def bind(self, context: object, survivors: bytes) -> None:
        pass


def test_a_set_that_leaves_a_lone_survivor_is_refused_before_anything_is_bound(homes: Homes):
    with pytest.raises(UnsafeFreeze):
        homes.open([Position(2)])
    assert homes.open(everybody()).open_groups, "nothing was bound to it"


def test_a_restored_home_that_had_bound_stays_bound(homes: Homes, tmp_path: Path):
    homes.open(everybody(but=[7]))
    backup = tmp_path / "backup.sqlite"
    with sqlite3.connect(tmp_path / "2.sqlite") as live, sqlite3.connect(backup) as copy:
        live.backup(copy)
    guard = JournalGuard(Journal(backup, SECRET), homes.world.round_.seed)
    with pytest.raises(SecondFreeze):
        guard.bind(homes.world.context, b"\x0f")


def test_the_table_is_as_the_page_says(homes: Homes, tmp_path: Path):
    homes.open(everybody(but=[7]))
    with sqlite3.connect(tmp_path / "4.sqlite") as db:
        (row,) = db.execute("SELECT task, round, base, attempt, survivors FROM unmask_guard").fetchall()
        assert db.execute("PRAGMA user_version").fetchone() == (3,)
    context = homes.world.context
    assert row == (context.task, 1, context.base_root, 1, homes.world.round_.seed + b"\x7f")
