"""Demands for a survivor's committed chunk: owed by the aggregator that claims to have summed it."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from foedus.protocol.bitmap import to_bitmap
from foedus.protocol.groups import Groups
from foedus.protocol.ids import Hash32, Position
from tests.contracts.court.cases import UPDATE, Defendant, MerkleTree, chained, commitment, digest, frozen_set
from tests.contracts.court.stage import Done, Refused, Struct

CHUNK = 1024
STRANGER = 3
OUT, POSITION = 6, 5
GROUPS = Groups(Hash32(digest("epoch")), 10, 4)
SURVIVORS = [position for position in range(10) if position != OUT]
FROZEN = frozen_set(SURVIVORS, [0, OUT], 10)
COMMITTED = MerkleTree([digest("update", n) * 32 for n in range(4)])


@pytest.fixture
def honest(defendant: Defendant) -> Defendant:
    """A claim over ten seats of which one is out."""
    defendant.claim["frozen"] = sha256(FROZEN).digest()
    defendant.stands()
    return defendant


def committed(case: Defendant, **changes: Any) -> Struct:
    """A survivor's commitment, with two after it."""
    return chained(case, commitment(case, POSITION, updateRoot=COMMITTED.root) | changes, later=2)


def demand(case: Defendant, shown: Struct, bitmaps: bytes = FROZEN, index: int = 3) -> Done:
    """Asks for a chunk of it."""
    return case.bench.act("demandUpdate", case.case, shown, bitmaps, index, value=case.bench.bond(CHUNK + 64))


def test_a_survivors_chunk_is_asked_for_and_shown(honest: Defendant) -> None:
    asked = demand(honest, committed(honest)).event("ChunkDemanded")["asked"]
    assert (asked["tree"], asked["root"], asked["index"], asked["count"]) == (UPDATE, COMMITTED.root, 3, 4)
    done = honest.bench.act("answerChunk", asked, COMMITTED.leaves[3], COMMITTED.proof(3))
    assert done.event("DemandAnswered")
    with pytest.raises(Refused, match="NoSuchLeaf") as caught:
        demand(honest, committed(honest), index=4)
    assert caught.value.values == (4, 4)


def test_only_what_the_claim_sums_is_owed(honest: Defendant) -> None:
    signer = 16  # the first signer's bit, were the bitmaps one
    for changes, error in (({"position": OUT}, "NotSurvivor"), ({"position": signer}, "NotSurvivor")):
        with pytest.raises(Refused, match=error) as caught:
            demand(honest, committed(honest, **changes))
        assert caught.value.values == (changes["position"],)
    with pytest.raises(Refused, match="OfAnotherOpening") as caught:
        demand(honest, committed(honest, opening=6))
    assert caught.value.values == (6, 7)


def test_a_group_that_was_not_opened_is_not_asked_about(honest: Defendant) -> None:
    group, _ = GROUPS.place(Position(POSITION))
    honest.claim["aggregate"]["groups"] = to_bitmap([Position(1 - group)], 2)
    honest.stands()
    with pytest.raises(Refused, match="WrongStanding") as caught:
        demand(honest, committed(honest))
    assert caught.value.values == (group, False, False)


def test_a_quarantined_group_is_asked_about(honest: Defendant) -> None:
    """Whether its sum is out of range cannot be told without its chunks."""
    honest.claim["aggregate"]["quarantined"] = b"\x03"
    honest.stands()
    assert demand(honest, committed(honest)).event("ChunkDemanded")


def test_the_commitment_is_the_participants(honest: Defendant) -> None:
    shown = committed(honest)
    for forged in (
        shown | {"made": shown["made"] | {"updateRoot": digest("another")}},
        shown | {"made": shown["made"] | {"participant": honest.bench.chain.accounts[STRANGER].address}},
        shown | {"before": bytes(24)},
        shown | {"later": shown["later"][:1]},
    ):
        with pytest.raises(Refused, match="NotCommitted"):
            demand(honest, forged)


def test_the_bitmaps_are_those_frozen(honest: Defendant) -> None:
    with pytest.raises(Refused, match="NotFrozen") as caught:
        demand(honest, committed(honest), frozen_set(SURVIVORS, [0], 10))
    assert caught.value.values[1] == honest.claim["frozen"]


@pytest.mark.parametrize(("mode", "is_leaf"), [(0, True), (1, True), (2, True), (3, True), (4, False), (5, False)])
def test_nobody_is_asked_for_updates_that_are_no_leaves_of_the_sum(honest: Defendant, mode: int, is_leaf: bool) -> None:
    honest.law["mode"] = mode
    honest.tells_terms()
    honest.stands()
    if is_leaf:
        assert demand(honest, committed(honest)).event("ChunkDemanded")
        return
    with pytest.raises(Refused, match="NotInThisMode") as caught:
        demand(honest, committed(honest))
    assert caught.value.values == (mode,)
