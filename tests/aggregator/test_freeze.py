"""The freeze: every fault has a name, no two survivors disagree, and no part of fewer than g_min is opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foedus.aggregator.bundle import make_bundle, pair_seeds, rows_root
from foedus.aggregator.freeze import (
    BundleMalformed,
    BundleMismatch,
    Choice,
    JunkShare,
    Refusal,
    SeedsRootMismatch,
    TooFewSurvivors,
    UpdateRootMismatch,
    acceptable,
    choose_survivors,
    disputes_of,
    find_disputes,
    without_disputants,
)
from foedus.aggregator.layout import BOX_OVERHEAD, ENVELOPE_HEAD
from foedus.protocol.ids import Attempt, Hash32, Position

A, B, C = Position(0), Position(1), Position(2)


def committed(worlds: Callable[..., Any], members: int, **options: Any) -> Any:
    world = worlds(members, **options)
    for p in world.positions:
        world.commit(p)
    return world


def tampered(world: Any, at: int, who: Position = A) -> None:
    """Publish `who`'s envelope anew with one byte changed, under a commitment that covers it."""
    sealed = bytearray(world.sealed[who])
    sealed[at] ^= 1
    world.publish(who, world.prepared[who], bytes(sealed))


def test_honest_bundles_have_no_fault(worlds: Callable[..., Any]) -> None:
    world = committed(worlds, 5)
    for receiver in (None, *world.positions):
        assert not any(world.check(receiver).values())
    assert find_disputes(world.layout, world.envelopes) == frozenset()
    assert disputes_of(world.layout, world.context, A, world.keys[A], world.envelopes) == frozenset()


def test_each_broken_promise_is_named(worlds: Callable[..., Any]) -> None:
    world = committed(worlds, 4)
    honest = world.commitments[A]
    zero = Hash32(bytes(32))
    for change, kind in (
        ({"bundle": zero}, BundleMismatch),
        ({"seeds_root": zero}, SeedsRootMismatch),
        ({"update_root": zero}, UpdateRootMismatch),
    ):
        world.commitments[A] = replace(honest, **change)
        (fault,) = world.check(B)[A]
        assert isinstance(fault, kind)
        assert (fault.participant, fault.committed) == (A, zero)
    world.commitments[A] = honest
    world.prepared[A] = replace(world.prepared[A], update_blob=b"short")
    (fault,) = world.check(B)[A]
    assert isinstance(fault, BundleMalformed)


def test_oversize_truncated_and_foreign_envelopes_are_malformed(worlds: Callable[..., Any]) -> None:
    world = committed(worlds, 4)
    honest = world.sealed[A]
    for blob in (
        b"",
        honest[:-1],
        honest + b"\x00",
        bytes(2 << 20),
        b"XXXX" + honest[4:],
        honest[:4] + honest[5:] + b"x",
    ):
        world.publish(A, world.prepared[A], blob)
        (fault,) = world.check(B)[A]
        assert isinstance(fault, BundleMalformed)
        assert fault.participant == A


def test_a_junk_share_has_a_name(worlds: Callable[..., Any]) -> None:
    world = committed(worlds, 4)
    layout, secrets, members = world.layout, 4, 4
    points = ENVELOPE_HEAD + 32 * secrets
    boxes = points + 32 * secrets * layout.threshold
    tampered(world, boxes + layout.committee.index(B) * (BOX_OVERHEAD + 32 * secrets) + 30)
    assert world.check(B)[A] == (JunkShare(A, B, None),)
    assert world.check(C)[A] == ()
    assert world.check(None)[A] == ()
    world = committed(worlds, members)
    tampered(world, points + 32 * layout.threshold * 2 + 5)
    assert world.check(C)[A] == (JunkShare(A, C, layout.secret_rows(A)[2]),)
    assert A not in world.freeze(C)


def lie(world: Any, liar: Position, about: list[Position]) -> None:
    """`liar` commits to other seeds than those that it shares with `about`."""
    layout = world.layout
    prepared = make_bundle(layout, world.context, liar, world.keys[liar], world.encode(), world.random)
    sealed = bytearray(prepared.seal(world.blobs.keep(prepared.update_blob)))
    for peer in about:
        at = ENVELOPE_HEAD + 32 * layout.secret_rows(liar).index(layout.row(peer))
        sealed[at : at + 32] = sha256(sealed[at : at + 32]).digest()
    world.publish(liar, prepared, bytes(sealed))
    rows = layout.secret_rows(liar)
    hashes = [bytes(sealed[ENVELOPE_HEAD + 32 * i :][:32]) for i in range(len(rows))]
    root = rows_root({row: Hash32(word) for row, word in zip(rows, hashes, strict=True)}, layout.width)
    world.commitments[liar] = replace(world.commitments[liar], seeds_root=root)


def test_a_pair_that_disagrees_is_left_out_and_reported(worlds: Callable[..., Any]) -> None:
    world = committed(worlds, 6)
    lie(world, A, [B])
    assert not any(world.check().values())
    disputes = find_disputes(world.layout, world.envelopes)
    assert disputes == {(A, B)}
    assert disputes_of(world.layout, world.context, B, world.keys[B], world.envelopes) == {(A, B)}
    choice = choose_survivors(world.layout, world.positions, disputes)
    assert choice.survivors == frozenset(world.positions) - {A, B}
    assert choice.disputes == {(A, B)}
    collected = world.unmask(choice.survivors)
    assert not collected.faults
    assert not any(world.outcome(choice.survivors, collected).quarantined)
    again = worlds(6, severed=choice.disputes)
    assert B not in again.layout.masks_with[A]


def test_one_liar_cannot_take_the_group_down(worlds: Callable[..., Any]) -> None:
    """Were both ends of every pair left out, one liar could end every attempt before its lies reach the chain."""
    world = committed(worlds, 6)
    lie(world, A, [p for p in world.positions if p != A])
    assert world.freeze() == frozenset(world.positions) - {A}


def test_a_copied_key_only_hurts_its_copier(worlds: Callable[..., Any]) -> None:
    """A Sybil registers the victim's public keys. The seeds that others share with it are not the victim's, and if it
    commits nothing, what becomes public of it opens nothing of the victim's."""
    victim, sybil = Position(1), Position(5)
    world = worlds(6, copied={5: 1})
    for p in world.positions[:5]:
        world.commit(p)
    survivors = world.freeze()
    assert survivors == set(world.positions[:5])
    collected = world.unmask(survivors)
    secret = {
        seed
        for p in survivors
        for peer, seed in pair_seeds(world.layout, world.context, p, world.keys[p]).items()
        if peer in survivors
    }
    published = set(collected.seeds.values())
    assert len(published) == 10
    assert not secret & published
    row = world.layout.row(sybil)
    assert all((p, row) in collected.seeds for p in survivors)
    assert collected.seeds[A, row] not in pair_seeds(world.layout, world.context, victim, world.keys[victim]).values()


@given(
    liars=st.sets(st.integers(0, 11), min_size=1, max_size=1),
    victims=st.sets(st.integers(0, 11), min_size=1),
)
def test_one_liar_takes_at_most_one_other_along(liars: set[int], victims: set[int]) -> None:
    (liar,) = liars
    everyone = [Position(p) for p in range(12)]
    pairs = {(Position(min(liar, v)), Position(max(liar, v))) for v in victims if v != liar}
    kept = without_disputants(everyone, pairs)
    assert len(kept) >= 12 - (2 if pairs else 0)
    assert not pairs or liar not in kept


@given(
    pairs=st.sets(st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda pair: pair[0] < pair[1]), max_size=20)
)
def test_no_two_who_stay_disagree(pairs: set[tuple[int, int]]) -> None:
    disputes = {(Position(low), Position(high)) for low, high in pairs}
    everyone = [Position(p) for p in range(10)]
    kept = without_disputants(everyone, disputes)
    assert not any({low, high} <= kept for low, high in disputes)
    assert kept >= set(everyone) - {p for pair in disputes for p in pair}
    assert without_disputants(kept, disputes) == kept


@given(
    members=st.integers(4, 40),
    degree=st.sampled_from([0, 2, 4]),
    g_min=st.integers(2, 6),
    gone=st.sets(st.integers(0, 39), max_size=30),
    seed=st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_every_part_has_g_min_or_is_left_out_whole(
    worlds: Callable[..., Any], members: int, degree: int, g_min: int, gone: set[int], seed: int
) -> None:
    world = worlds(members, {"group_size": max(8, g_min), "neighbours": degree, "g_min": g_min}, seed=seed)
    valid = [p for p in world.positions if p not in gone]
    try:
        chosen = choose_survivors(world.layout, valid, ())
    except TooFewSurvivors:
        return
    assert all(len(part) >= g_min for part in world.layout.parts(chosen.survivors))
    assert choose_survivors(world.layout, chosen.survivors, ()) == chosen
    left = set(valid) - chosen.survivors
    assert not any((min(p, q), max(p, q)) in world.layout.edges for p in left for q in chosen.survivors)
    assert all(len(part) < g_min for part in world.layout.parts(left))
    assert not acceptable(world.layout, chosen, valid, valid, ())


def test_a_lone_survivor_is_never_frozen(worlds: Callable[..., Any]) -> None:
    world = committed(worlds, 8, settings={"group_size": 4, "g_min": 2})
    one = next(p for p in world.positions if world.layout.group(p) == 0)
    valid = [p for p in world.positions if world.layout.group(p) == 1 or p == one]
    assert choose_survivors(world.layout, valid, ()).survivors == set(valid) - {one}
    with pytest.raises(TooFewSurvivors):
        choose_survivors(world.layout, [one], ())


def test_a_member_signs_only_what_it_would_open(worlds: Callable[..., Any]) -> None:
    world = committed(worlds, 8, settings={"group_size": 4, "g_min": 3})
    layout, everyone = world.layout, world.positions
    full = choose_survivors(layout, everyone, ())

    def why(survivors: set[Position], disputes: Any = (), valid: Any = everyone, mine: Any = ()) -> set[Refusal]:
        proposed = Choice(frozenset(survivors), frozenset(disputes))
        return {reason for reason, _ in acceptable(layout, proposed, everyone, valid, mine)}

    group = set(layout.tables[0])
    assert why(set(full.survivors)) == set()
    assert why(group) == set()
    assert why(set(sorted(group)[:2])) == {Refusal.PART_TOO_SMALL}
    assert why({A}) == {Refusal.PART_TOO_SMALL, Refusal.TOO_FEW}
    assert why(set(everyone), valid=everyone[1:]) == {Refusal.NOT_VALID}
    pair = tuple(sorted(group))[:2]
    assert why(set(everyone), mine=[pair]) == {Refusal.DISAGREE}
    assert why(set(everyone) - set(pair), disputes=[pair]) >= {Refusal.FALSE_DISPUTE}
    assert why({*everyone, Position(99)}) >= {Refusal.NOT_COMMITTED}


def test_two_attempts_on_one_base_share_no_seed(worlds: Callable[..., Any]) -> None:
    world = worlds(4)
    first = pair_seeds(world.layout, world.context, A, world.keys[A])
    second = pair_seeds(world.layout, replace(world.context, attempt=Attempt(2)), A, world.keys[A])
    assert not set(first.values()) & set(second.values())
