"""Laws of parts in the mode `bfv`: the two fit each other and the ciphertexts, or the group stays closed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foedus.aggregator.he.holder_parts import part_bytes
from foedus.aggregator.he.holders import may_aggregate
from foedus.aggregator.he.known import Refused
from foedus.aggregator.he.params import T
from foedus.aggregator.layout import Layout
from foedus.protocol.chunks import vector_root
from foedus.protocol.ids import ZERO32, Attempt, Opening, Position, RoundNumber
from foedus.simulation.ports import Away
from foedus.simulation.seating import seat
from foedus.simulation.simulate import simulate
from tests.aggregator.bfv_scene import LANES, Opened, wild
from tests.simulation.toy import ToyTask, toy_clients, toy_task


def played(members: int = 6, seed: int = 1) -> Opened:
    scene = Opened(members, 3, seed=seed)
    for position in scene.keys:
        scene.commit(position, wild(position))
    return scene


def test_one_part_alone_opens_nothing_and_the_other_is_named() -> None:
    scene = played()
    table, pair = scene.table(), scene.pair()
    parts = scene.parts(0, table)
    for missing in (pair.key, pair.pads):
        found = scene.open(0, table, {m: part for m, part in parts.items() if m != missing})
        assert found.leaves is None
        assert found.wanted == (missing,)
        assert found.faults == ()
    assert scene.open(0, table, {}).wanted == (pair.key, pair.pads)
    assert scene.open(0, table, parts).used == (pair.key, pair.pads)


def test_parts_are_the_same_bytes_each_time() -> None:
    scene = played()
    assert scene.parts(0, scene.table()) == scene.parts(0, scene.table())


def test_a_part_for_other_survivors_is_refused() -> None:
    scene = played()
    table = scene.table()
    fewer, all_of = scene.parts(0, table[1:]), scene.parts(0, table)
    for member, part in fewer.items():
        found = scene.open(0, table, {**all_of, member: part})
        assert found.leaves is None
        assert found.wanted == (member,)
        assert [fault.member for fault in found.faults] == [member]


def test_a_part_of_another_group_or_holder_is_refused() -> None:
    scene = played()
    mine, theirs = scene.parts(0, scene.table(0)), list(scene.parts(1, scene.table(1)).values())
    for member in mine:
        for foreign in (*theirs, *(part for other, part in mine.items() if other != member)):
            found = scene.open(0, scene.table(0), {**mine, member: foreign})
            assert found.leaves is None
            assert [fault.member for fault in found.faults] == [member]


def test_a_decryption_of_other_ciphertexts_than_the_sum_is_refused() -> None:
    scene = played()
    parts = scene.parts(0, scene.table())
    key = scene.pair().key
    forged = bytearray(parts[key])
    forged[40] ^= 1
    (fault,) = scene.open(0, scene.table(), {**parts, key: bytes(forged)}).faults
    assert "other ciphertexts" in fault.why


@settings(max_examples=30, deadline=None)
@given(st.booleans(), st.binary(max_size=300), st.booleans())
def test_random_and_truncated_bytes_are_no_parts(pads: bool, noise: bytes, cut: bool) -> None:
    scene, parts = FIXED
    pair = scene.pair()
    member = pair.pads if pads else pair.key
    bad = parts[member][: len(noise)] if cut else noise
    found = scene.open(0, scene.table(), {**parts, member: bad})
    assert found.leaves is None
    assert [fault.member for fault in found.faults] == [member]


def test_a_lane_beyond_t_is_refused() -> None:
    scene, parts = FIXED
    for member, part in parts.items():
        assert len(part) == part_bytes(LANES)
        bad = part[:-4] + T.to_bytes(4, "big")
        assert scene.open(0, scene.table(), {**parts, member: bad}).leaves is None


def test_a_decryption_and_pads_that_do_not_fit_leave_the_group_closed() -> None:
    scene, parts = FIXED
    pair = scene.pair()
    both = (pair.key, pair.pads)
    for member in both:
        lanes = np.frombuffer(parts[member][68:], dtype=">u4").astype(np.uint32)
        lanes[LANES] = (lanes[LANES] + 1) % T
        found = scene.open(0, scene.table(), {**parts, member: parts[member][:68] + lanes.astype(">u4").tobytes()})
        assert found.leaves is None
        assert found.wanted == both
        assert tuple(fault.member for fault in found.faults) == both
        assert all("do not fit each other" in fault.why for fault in found.faults)


def test_pads_of_other_seeds_do_not_fit() -> None:
    scene, parts = FIXED
    other = played(seed=3)
    foreign = other.parts(0, other.table())[other.pair().pads]
    pads = scene.pair().pads
    swapped = parts[pads][:68] + foreign[68:]
    assert scene.open(0, scene.table(), {**parts, pads: swapped}).leaves is None


def test_a_shift_in_range_is_seen_by_nobody() -> None:
    """What docs/bfv.md says is not caught: a holder that adds to the sum."""
    scene, parts = FIXED
    table, key = scene.table(), scene.pair().key
    lanes = np.frombuffer(parts[key][68:], dtype=">u4").astype(np.uint32)
    lanes[5] = (lanes[5] + 1000) % T
    found = scene.open(0, table, {**parts, key: parts[key][:68] + lanes.astype(">u4").tobytes()})
    assert found.leaves is not None
    assert found.faults == ()
    shifted = np.frombuffer(found.leaves.corrections[0], dtype=">u4").astype(np.uint32) - scene.total(0, table)
    assert shifted[5] == 1000
    assert np.count_nonzero(shifted) == 1


def test_a_holder_that_announced_two_keys_is_named() -> None:
    scene = played()
    table = scene.table()
    scene.commit(table[0], wild(0), scene.announce(0).public)
    assert scene.check(table[0], None) == ()
    (fault,) = scene.open(0, table, {}).faults
    assert fault.member == scene.pair().key
    assert "two keys" in fault.why
    with pytest.raises(Refused, match="another key"):
        scene.part(0, table, scene.pair().key)


def test_only_a_groups_holders_make_parts_of_it() -> None:
    scene = played(12)
    for position in scene.layout.committee:
        if position not in (scene.pair().key, scene.pair().pads):
            with pytest.raises(Refused, match="holds neither"):
                scene.part(0, scene.table(), position)


def free(task: ToyTask) -> list[Position]:
    """Those who hold nothing in the first round of a simulation."""
    members = task.terms.params.max_participants
    roots = (vector_root(task.initial_model), ZERO32)
    seating = seat(task.terms, members, RoundNumber(1), Attempt(1), Opening(1), *roots, bytes)
    layout = Layout.of(seating.round, task.terms)
    return [position for position in layout.committee if may_aggregate(layout, seating.context, position)]


def model_of(mode: str, away: Callable[[ToyTask], Away]) -> tuple[bytes, int]:
    task = toy_task(9, rounds=1, group_size=4, mode=mode, min_survivors=3)
    gone = away(toy_task(9, rounds=1, group_size=4, mode="bfv", min_survivors=3))
    (only,) = simulate(task, toy_clients(task), away=lambda *_: gone, checkers=9).rounds
    return only.model_root, only.total_weight


@pytest.mark.parametrize("gone", [0, 1, 3])
def test_whoever_holds_nothing_may_stay_away_or_vanish(gone: int) -> None:
    for away in (
        lambda task: Away(frozenset(free(task)[:gone]), frozenset()),
        lambda task: Away(frozenset(free(task)[:gone]), frozenset(free(task))),
    ):
        assert model_of("bfv", away) == model_of("plain", away)


def test_a_lost_holder_closes_its_group_and_no_other() -> None:
    everybody = model_of("bfv", lambda task: Away(frozenset(), frozenset()))
    task = toy_task(9, rounds=1, group_size=4, mode="bfv", min_survivors=3)
    held = [position for position in range(9) if Position(position) not in free(task)]
    _, weight = model_of("bfv", lambda _: Away(frozenset(), frozenset({Position(held[0])})))
    assert 0 < weight < everybody[1]


def _fixed() -> tuple[Opened, dict[Position, bytes]]:
    scene = played()
    return scene, scene.parts(0, scene.table())


FIXED = _fixed()
