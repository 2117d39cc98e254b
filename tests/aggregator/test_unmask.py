"""Unmasking: what becomes public is exactly what must, and every wrong seed or share has a name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foedus.aggregator.bundle import make_bundle, pair_seeds, parse_envelope
from foedus.aggregator.layout import ENVELOPE_HEAD
from foedus.aggregator.messages import Release, Reveal
from foedus.aggregator.seeds import self_seed
from foedus.aggregator.shares import share
from foedus.aggregator.unmask import (
    FirstFreeze,
    NotYours,
    SecondFreeze,
    UnsafeFreeze,
    WrongDealing,
    WrongSeed,
    WrongShare,
    collect,
    public_slots,
    release_shares,
    reveal,
)
from foedus.protocol.ids import Attempt, Position

A, B, C = Position(0), Position(1), Position(2)


def committed(worlds: Callable[..., Any], members: int = 6, **options: Any) -> Any:
    world = worlds(members, **options)
    for p in world.positions:
        world.commit(p)
    world.check()
    return world


def revealed(world: Any, survivors: frozenset[Position], who: Position) -> Reveal:
    args = (world.layout, world.context, survivors, who, world.prepared[who].secrets, world.keys[who])
    return reveal(*args, world.guards[who])


def released(world: Any, survivors: frozenset[Position], absent: Any, member: Position) -> Release:
    args = (world.layout, world.context, survivors, absent, world.envelopes, member, world.keys[member])
    return release_shares(*args, world.guards[member])


@given(
    members=st.integers(4, 14),
    degree=st.sampled_from([0, 2, 4]),
    out=st.sets(st.integers(0, 13)),
    seed=st.integers(0, 50),
)
@settings(max_examples=40, deadline=None)
def test_nobody_loses_both_kinds_of_seed(
    worlds: Callable[..., Any], members: int, degree: int, out: set[int], seed: int
) -> None:
    """For no participant are the self seed and a pair seed with another survivor public, nor any self seed of one who
    is out: each update that is not summed keeps a mask that nobody can make."""
    world = worlds(members, {"neighbours": degree, "group_size": members}, seed=seed)
    survivors = frozenset(p for p in world.positions if p not in out)
    slots = public_slots(world.layout, survivors)
    assert {owner for owner, row in slots if row == world.layout.row(owner)} == survivors
    for owner, row in slots:
        other = world.layout.at(world.layout.group(owner), row)
        assert owner in survivors
        assert other == owner or (other not in survivors and other in world.layout.masks_with[owner])


def test_the_committee_stands_in_for_the_absent(worlds: Callable[..., Any]) -> None:
    world = committed(worlds)
    survivors = frozenset(world.positions) - {C}
    full = world.unmask(survivors)
    assert world.unmask(survivors, absent=[A]).seeds == full.seeds
    short = world.unmask(survivors, absent=[A], away=[A, B])
    assert world.layout.threshold == 5
    assert set(short.missing[0]) == {(A, world.layout.row(A)), (A, world.layout.row(C))}
    assert short.open_groups == ()
    assert not world.outcome(survivors, short).group_sums
    assert world.outcome(survivors, short).model_root == world.round_.base_root


def test_a_group_that_cannot_be_opened_does_not_hold_the_other_back(worlds: Callable[..., Any]) -> None:
    world = committed(worlds, 8, settings={"group_size": 4})
    survivors = frozenset(world.positions)
    stuck = world.layout.tables[0][0]
    short = world.unmask(survivors, absent=[stuck], away=world.positions)
    assert short.open_groups == (1,)
    outcome = world.outcome(survivors, short)
    assert (outcome.groups, outcome.total_weight) == (b"\x02", 4)


def test_a_second_freeze_of_a_round_is_refused(worlds: Callable[..., Any]) -> None:
    world = committed(worlds)
    everyone = frozenset(world.positions)
    first = revealed(world, everyone, A)
    assert revealed(world, everyone, A) == first
    with pytest.raises(SecondFreeze):
        revealed(world, everyone - {B}, A)
    with pytest.raises(SecondFreeze):
        released(world, everyone - {B}, [C], A)
    later = replace(world.context, attempt=Attempt(2))
    prepared = make_bundle(world.layout, later, A, world.keys[A], world.encode(), world.random)
    with pytest.raises(SecondFreeze):
        reveal(world.layout, later, everyone, A, prepared.secrets, world.keys[A], world.guards[A])
    assert reveal(world.layout, later, everyone, A, prepared.secrets, world.keys[A], FirstFreeze())


def test_an_unsafe_freeze_is_refused_whoever_signed_it(worlds: Callable[..., Any]) -> None:
    world = committed(worlds, 8, settings={"group_size": 4, "g_min": 3})
    group = world.layout.tables[0]
    for survivors in (frozenset(group[:2]), frozenset([*group, world.layout.tables[1][0]]), frozenset([group[0]])):
        guard = world.guards[group[0]]
        with pytest.raises(UnsafeFreeze):
            revealed(world, survivors, group[0])
        with pytest.raises(UnsafeFreeze):
            released(world, survivors, survivors, group[0])
        guard.bind(world.context, b"nothing was bound")
        world.guards[group[0]] = FirstFreeze()


def test_nobody_reveals_what_is_not_theirs_to_reveal(worlds: Callable[..., Any]) -> None:
    world = committed(worlds)
    survivors = frozenset(world.positions) - {C}
    with pytest.raises(NotYours, match="stays secret"):
        revealed(world, survivors, C)
    world.prepared[A] = replace(world.prepared[A], secrets=world.prepared[B].secrets)
    with pytest.raises(NotYours, match="not of round"):
        revealed(world, survivors, A)
    made = released(world, survivors, [A, C], B)
    assert {slot for slot, _ in made.shares} == {(A, world.layout.row(A)), (A, world.layout.row(C))}
    world.layout = replace(world.layout, committee=world.layout.committee[1:])
    with pytest.raises(NotYours, match="committee"):
        released(world, survivors, [B], world.positions[0])


def test_messages_survive_the_wire(worlds: Callable[..., Any]) -> None:
    world = committed(worlds)
    survivors = frozenset(world.positions) - {C}
    one, two = revealed(world, survivors, A), released(world, survivors, [A, B], B)
    assert Reveal.from_bytes(one.to_bytes(), world.layout, world.context) == one
    assert Release.from_bytes(two.to_bytes(), world.layout, world.context) == two


def test_a_wrong_or_forbidden_seed_is_named_and_not_used(worlds: Callable[..., Any]) -> None:
    world = committed(worlds)
    survivors = frozenset(world.positions) - {C}
    honest = revealed(world, survivors, A)
    row, secret = world.layout.row(A), world.layout.row(B)
    forbidden = pair_seeds(world.layout, world.context, A, world.keys[A])[B]
    lies = ((row, self_seed(world.random)), (secret, forbidden))
    collected = collect(world.layout, world.context, survivors, world.envelopes, [replace(honest, seeds=lies)])
    assert set(collected.faults) == {WrongSeed(A, row), WrongSeed(A, secret)}
    assert not collected.seeds


def test_a_wrong_or_forbidden_share_is_named_and_not_used(worlds: Callable[..., Any]) -> None:
    world = committed(worlds)
    survivors = frozenset(world.positions) - {C}
    honest = [released(world, survivors, [A], p) for p in world.positions[1:]]
    row, other = world.layout.row(A), world.layout.row(B)
    (slot, value), *rest = honest[0].shares
    junk = replace(honest[0], shares=((slot, value[:-1] + b"\x00"), *rest, ((A, other), value)))
    collected = collect(world.layout, world.context, survivors, world.envelopes, [], [junk, *honest[1:]])
    assert set(collected.faults) == {WrongShare(B, slot), WrongShare(B, (A, other))}
    assert not {slot for slot in collected.seeds if slot[0] == A and slot[1] == other}
    whole = collect(world.layout, world.context, survivors, world.envelopes, [], honest)
    assert (A, row) in whole.seeds
    assert not whole.faults


def test_a_dealer_of_another_seed_is_named_with_proof(worlds: Callable[..., Any]) -> None:
    """Shares that fit their commitments, of a seed that the hash does not cover: found when they are used."""
    world = committed(worlds)
    own = self_seed(world.random)
    shares, points = share(own, range(1, 7), world.layout.threshold, world.random)
    envelope = world.envelopes[A]
    at = envelope.rows.index(world.layout.row(A))
    commitments = tuple(points if i == at else old for i, old in enumerate(envelope.commitments))
    world.envelopes[A] = replace(envelope, commitments=commitments)
    survivors = frozenset(world.positions)
    slot = (A, world.layout.row(A))
    place = revealed(world, survivors, B).context
    lies = [Release(place, m, ((slot, value),)) for m, value in zip(world.layout.committee, shares, strict=True)]
    collected = collect(world.layout, world.context, survivors, world.envelopes, [], lies)
    (fault,) = collected.faults
    assert isinstance(fault, WrongDealing)
    assert (fault.participant, fault.row, len(fault.shares)) == (A, slot[1], 6)
    assert slot not in collected.seeds


def test_a_left_out_participant_stays_hidden(worlds: Callable[..., Any]) -> None:
    """After everything that can be published was, a participant who is out still has a self mask that nobody made."""
    world = committed(worlds)
    survivors = frozenset(world.positions) - {C}
    collected = world.unmask(survivors, absent=[A])
    hidden = world.prepared[C].secrets.own
    assert hidden not in collected.seeds.values()
    assert all(owner != C for owner, _ in collected.seeds)
    envelope = parse_envelope(world.layout, C, world.sealed[C])
    assert len(world.sealed[C]) > ENVELOPE_HEAD
    assert envelope.hash_of(world.layout.row(C))
