"""What nobody can ask of a survivor, whatever it shows the court."""

from __future__ import annotations

import random
from hashlib import sha256

import pytest

from foedus.protocol.ids import Position
from tests.contracts.court.cases import ATTEST, COMMIT, Bench, digest, frozen_set
from tests.contracts.court.rounds import ATTEMPT, OPENING, ROUND, Frozen, pairs
from tests.contracts.court.stage import Refused, Struct, call_data

ENDED, PAUSED = 6, 7


def test_never_what_two_survivors_share_nor_any_of_who_is_out(frozen: Frozen) -> None:
    owner, peer, out = pairs(frozen)
    with pytest.raises(Refused, match="SharedBySurvivors") as caught:
        frozen.ask(owner, peer)
    assert caught.value.values == (owner, peer)
    for other in (out, owner):
        with pytest.raises(Refused, match="NotSurvivor") as caught:
            frozen.ask(out, other)
        assert caught.value.values == (out,)


def test_other_groups_and_seats_that_are_not_drawn_share_nothing(frozen: Frozen) -> None:
    owner, _, _ = pairs(frozen)
    with pytest.raises(Refused, match="NotGrouped") as caught:
        frozen.ask(owner, 0)
    assert caught.value.values == (owner, 0)
    for beyond in (11, 12, 15, 16, 999):
        with pytest.raises(Refused, match="NoSuchSeat") as caught:
            frozen.ask(owner, beyond)
        assert caught.value.values == (beyond, 11)


@pytest.mark.parametrize("phase", [0, 1, COMMIT, 3, ATTEST, ENDED, PAUSED])
def test_nothing_is_asked_before_the_freeze_or_after_the_aggregate(frozen: Frozen, phase: int) -> None:
    owner, _, _ = pairs(frozen)
    frozen.case.tells_slot(phase=phase, round=ROUND, attempt=ATTEMPT, opening=OPENING, domain=11)
    with pytest.raises(Refused, match="NotAggregating") as caught:
        frozen.ask(owner, owner)
    assert caught.value.values == (phase,)


def test_the_bitmaps_are_those_frozen_and_are_cut_in_one_way(frozen: Frozen) -> None:
    owner, peer, _ = pairs(frozen)
    fewer = frozen_set([p for p in frozen.survivors if p != peer], range(11), 11)
    for bitmaps in (fewer, frozen.bitmaps[:2], frozen.bitmaps + bytes(2), b"", frozen.bitmaps[::-1]):
        with pytest.raises(Refused, match="NotFrozen") as caught:
            frozen.ask(owner, peer, bitmaps=bitmaps)
        assert caught.value.values[1] == sha256(frozen.bitmaps).digest()[:20] + bytes(12)


def test_the_commitment_is_of_the_round_that_is_aggregated(frozen: Frozen) -> None:
    owner, _, _ = pairs(frozen)
    for opening in (OPENING - 1, OPENING + 1):
        with pytest.raises(Refused, match="OfAnotherOpening") as caught:
            frozen.ask(owner, owner, committed=frozen.committed(owner, opening=opening))
        assert caught.value.values == (opening, OPENING)
    frozen.case.tells_book(resumed=OPENING - 3)
    with pytest.raises(Refused, match="OfAnotherOpening") as caught:
        frozen.ask(owner, owner)
    assert caught.value.values == (OPENING, OPENING - 3)
    assert frozen.ask(owner, owner, committed=frozen.committed(owner, opening=OPENING - 3)).event("RevealDemanded")
    shown = frozen.committed(owner)
    changed: list[Struct] = [{"before": bytes(24)}, {"later": []}, {"made": shown["made"] | {"position": 3}}]
    for forged in (shown | change for change in changed):
        with pytest.raises(Refused, match="NotCommitted"):
            frozen.ask(owner, owner, committed=forged)


def test_the_base_is_what_stands_last(bench: Bench, frozen: Frozen) -> None:
    owner, _, _ = pairs(frozen)
    shown, value = frozen.committed(owner), bench.bond(512)
    for change in ({"claim": frozen.case.claim | {"rank": 9}}, {"before": digest("another")}):
        with pytest.raises(Refused, match="WrongBase") as caught:
            bench.act("demandReveal", frozen.case.case | change, shown, frozen.bitmaps, owner, value=value)
        assert caught.value.values[1] == frozen.case.name
    case = frozen.case.case | {"law": frozen.case.law | {"groupSize": 1}}
    with pytest.raises(Refused, match="WrongLaw"):
        bench.act("demandReveal", case, shown, frozen.bitmaps, owner, value=value)


def is_taken(bench: Bench, call: bytes, value: int) -> bool:
    """Whether the court would take a demand."""
    try:
        bench.chain.call(bench.court, call, value=value)
    except Refused:
        return False
    return True


@pytest.mark.parametrize("seed", range(8))
def test_over_all_layouts_no_two_survivors_seed_is_taken(bench: Bench, seed: int) -> None:
    """Every (owner, other) of a random layout, and seats beyond it: taken exactly where the protocol owes it, at the
    row of the seed's commitment."""
    draws = random.Random(seed)
    domain, group_size = draws.randint(1, 24), draws.randint(1, 9)
    alive = {position for position in range(domain) if draws.random() < 0.7} or {0}
    frozen = Frozen(bench.defendant(), domain, alive, group_size)
    places = {position: frozen.groups.place(Position(position)) for position in range(domain)}
    value = bench.bond(2_000)
    taken = 0
    for owner in range(domain):
        shown = frozen.committed(owner)
        for other in (*range(domain), domain, domain + draws.randint(1, 40)):
            owed = owner in alive and (owner == other or other not in alive)
            owed = owed and other < domain and places[owner][0] == places[other][0]
            call = call_data("Court", "demandReveal", frozen.case.case, shown, frozen.bitmaps, other)
            assert is_taken(bench, call, value) is owed, (owner, other)
            taken += owed
        if owner in alive:
            asked = frozen.ask(owner, owner).event("RevealDemanded")["asked"]
            assert (asked["row"], asked["width"]) == (places[owner][1], frozen.groups.width)
    assert taken >= len(alive)


@pytest.mark.parametrize(("mode", "has_seeds"), [(0, True), (1, True), (2, False), (3, False), (4, False), (5, False)])
def test_no_survivor_is_asked_for_seeds_in_a_mode_without_any(bench: Bench, mode: int, has_seeds: bool) -> None:
    defendant = bench.defendant()
    defendant.law["mode"] = mode
    defendant.tells_terms()
    frozen = Frozen(defendant, 6, {0, 1, 2, 4}, 6)
    if has_seeds:
        assert frozen.ask(0, 0).event("RevealDemanded")
        return
    with pytest.raises(Refused, match="NotInThisMode") as caught:
        frozen.ask(0, 0)
    assert caught.value.values == (mode,)
