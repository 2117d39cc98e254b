"""The mode `lightsecagg` on whole rounds: sums are exact, absences are borne, who gives a wrong part is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foedus.aggregator.bundle import WrongKeys
from foedus.aggregator.lightsecagg.coded import CHECKS
from foedus.aggregator.lightsecagg.field import P, to_bytes
from foedus.aggregator.lightsecagg.masksum import HEAD, correction
from foedus.aggregator.lightsecagg.mode import code_of
from foedus.aggregator.parts import parts_from_bytes
from foedus.aggregator.update import metric_bits
from foedus.protocol.bitmap import to_bitmap
from foedus.protocol.chunks import MalformedLanes, lanes_from_bytes
from foedus.protocol.ids import Position
from tests.aggregator.conftest import make_terms
from tests.aggregator.light import MODE, Light


@given(members=st.integers(1, 12), group_size=st.integers(2, 6), data=st.data(), seed=st.integers(0, 2**16))
@settings(max_examples=25, deadline=None)
def test_every_group_opens_to_the_exact_sum_of_its_survivors(
    members: int, group_size: int, data: st.DataObject, seed: int
) -> None:
    light = Light(members, changed={"group_size": group_size}, seed=seed)
    everyone = range(members)
    out = data.draw(st.sets(st.sampled_from(everyone), max_size=members - 1))
    survivors = light.commit(sorted(set(everyone) - out))
    code = light.code
    away = data.draw(st.sets(st.sampled_from(light.layout.committee), max_size=code.members - code.needed))
    found = light.open(survivors, light.parts(survivors, away))
    assert not found.faults
    assert not found.wanted
    outcome = light.outcome(survivors, found)
    for group, total in outcome.group_sums.items():
        assert np.array_equal(total, light.due(survivors, group))
    assert outcome.total_weight == len(survivors)
    assert not any(outcome.quarantined)


def test_the_model_and_its_metrics_are_those_of_plain_sums(worlds: Callable[..., Any]) -> None:
    light = Light(7, seed=3)
    survivors = light.commit(range(6))
    outcome = light.outcome(survivors, light.open(survivors, light.parts(survivors)))
    plain = worlds(7, {"mode": "plain"}, seed=3)
    for position in range(6):
        plain.commit(Position(position), light.world.plain[Position(position)])
    same = plain.outcome(plain.freeze(), plain.unmask(survivors))
    assert (outcome.model_root, outcome.total_weight) == (same.model_root, same.total_weight)
    assert np.array_equal(outcome.group_sums[0], same.group_sums[0])
    assert outcome.metrics == same.metrics


@pytest.mark.parametrize(("members", "weight"), [(2, 50), (100, 20), (1024, 1)])
def test_the_largest_honest_sums_of_metrics_fit_the_field(members: int, weight: int) -> None:
    weighting = "examples" if weight > 1 else "uniform"
    terms = make_terms(members, mode="lightsecagg", max_weight=weight, weighting=weighting)
    assert members * weight * 64 * 2.0 ** metric_bits(terms) <= (P - 1) // 2


@pytest.mark.parametrize("members", [3, 4, 5, 8])
def test_one_absence_more_than_is_borne_leaves_the_group_closed(members: int) -> None:
    light = Light(members)
    survivors, spare = light.commit(range(members)), light.code.members - light.code.needed
    parts = light.parts(survivors, away=range(spare))
    assert light.open(survivors, parts).opened.groups == {0}
    del parts[0, Position(spare)]
    found = light.open(survivors, parts)
    assert not found.opened.groups
    assert found.wanted == {0: tuple(Position(at) for at in range(spare + 1))}


def test_what_was_published_of_the_parts_opens_the_same() -> None:
    light = Light(8)
    survivors = light.commit(range(8))
    found = light.open(survivors, light.parts(survivors, away=[2]))
    again = parts_from_bytes(MODE, light.layout, light.context, light.lanes, found.opened.blob)
    assert {member for _, member in again} == set(range(8)) - {2}
    assert light.open(survivors, again) == found


def test_a_committee_that_came_out_larger_or_smaller_than_meant_to_opens() -> None:
    """One is drawn about 32 strong, of whoever is there; 22 of them freeze and open."""
    for size, private in ((38, 16), (24, 12)):
        light = Light(40)
        light.layout = replace(light.layout, committee=tuple(map(Position, range(size))))
        light.code = code_of(light.layout, light.lanes)
        assert (light.code.members, light.code.needed, light.code.private) == (size, 22, private)
        survivors = light.commit(range(3))
        assert all(light.faults(Position(0), member) == () for member in light.layout.committee)
        assert light.open(survivors, light.parts(survivors, away=range(size - 22))).opened.groups == {0}


@pytest.mark.parametrize("vectors", [1, 2, 255, 256, 257, 600])
def test_a_correction_makes_the_sum_of_updates_from_that_of_vectors(vectors: int) -> None:
    """However many there are, and where they are largest."""
    random, lanes = np.random.default_rng(vectors), 300
    edges = np.array([0, 1, P - 1, P - 2], dtype=np.uint32)
    stored = [random.choice(edges, lanes, p=[0.01, 0.01, 0.97, 0.01]) for _ in range(vectors)]
    updates = random.integers(-(P // 2), P // 2 + 1, lanes)
    updates[:4] = P // 2, -(P // 2), 0, -1
    masks = (np.sum(stored, axis=0, dtype=np.int64) - updates) % P
    made = lanes_from_bytes(correction([to_bytes(each) for each in stored], masks.astype(np.uint32)) + bytes(848), 512)
    total = np.sum(stored, axis=0, dtype=np.uint32) + made[:lanes]
    assert np.array_equal(total.view(np.int32), updates)


def test_without_a_receiver_that_can_open_a_box_nothing_opens_and_nothing_breaks() -> None:
    light = Light(3)
    light.layout = replace(light.layout, committee=())
    light.code = code_of(light.layout, light.lanes)
    survivors = light.commit(range(3))
    assert all(light.faults(position, None) == () for position in survivors)
    assert light.open(survivors, {}).wanted == {0: ()}


def test_stored_vectors_say_nothing_of_their_updates() -> None:
    light = Light(4)
    zeros = light.prepare(Position(0), np.zeros(light.lanes, dtype=np.uint32))
    lanes = lanes_from_bytes(zeros.update_blob, light.lanes)
    assert lanes.max() < P
    assert abs(np.unpackbits(lanes.view(np.uint8)).mean() * 32 / 31 - 0.5) < 0.02
    assert light.prepare(Position(0), np.zeros(light.lanes, dtype=np.uint32)).update_blob != zeros.update_blob


def test_sealing_again_gives_the_same_bytes() -> None:
    light = Light(5)
    made = light.prepare(Position(1))
    cids = [light.world.blobs.keep(blob) for blob in (made.update_blob, *made.beside)]
    assert made.seal(*cids) == made.seal(*cids)
    assert len(made.beside) == light.code.members - light.code.needed == 1


def test_keys_that_the_chain_does_not_know_make_no_bundle() -> None:
    light, me = Light(3), Position(1)
    light.world.keys[me] = light.world.keys[Position(2)]
    with pytest.raises(WrongKeys):
        light.prepare(me)


@pytest.mark.parametrize("update", [np.zeros(255, np.uint32), np.zeros((2, 256), np.uint32), np.zeros(256, np.int64)])
def test_only_whole_chunks_are_hidden(update: np.ndarray) -> None:
    with pytest.raises(MalformedLanes):
        Light(3).prepare(Position(0), update)


def test_a_lane_beyond_the_field_is_refused_before_it_is_hidden() -> None:
    with pytest.raises(MalformedLanes):
        Light(3).prepare(Position(0), np.full(256, 1 << 31, dtype=np.uint32))


@pytest.fixture(scope="module")
def frozen() -> tuple[Light, frozenset[Position], dict[tuple[int, Position], bytes]]:
    """Eight receivers, six of whom decode: one lie among eight parts is told."""
    light = Light(8)
    survivors = light.commit(range(7))
    return light, survivors, light.parts(survivors)


Frozen = tuple[Light, frozenset[Position], dict[tuple[int, Position], bytes]]


def lied(blob: bytes, at: int = HEAD + 3) -> bytes:
    return blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1 :]


def test_a_wrong_part_is_named_and_the_others_open(frozen: Frozen) -> None:
    light, survivors, parts = frozen
    for liar in (Position(0), Position(7)):
        found = light.open(survivors, parts | {(0, liar): lied(parts[0, liar])})
        assert [(fault.member, fault.group) for fault in found.faults] == [(liar, 0)]
        total = light.outcome(survivors, found).group_sums[0]
        assert np.array_equal(total, light.due(survivors, 0))
        used = parts_from_bytes(MODE, light.layout, light.context, light.lanes, found.opened.blob)
        assert (0, liar) not in used


def test_a_lie_with_one_part_to_spare_keeps_the_group_closed_until_another_comes(frozen: Frozen) -> None:
    light, survivors, parts = frozen
    held = {member: blob for (_, member), blob in parts.items()}
    held[Position(0)] = lied(held[Position(0)])
    last = held.pop(Position(6))
    closed = light.opening(survivors, held)
    assert (closed.leaves, closed.wanted, closed.faults) == (None, (Position(6),), ())
    opened = light.opening(survivors, held | {Position(6): last})
    assert opened.leaves is not None
    assert [fault.member for fault in opened.faults] == [0]


def test_a_lie_among_no_more_parts_than_decode_makes_a_sum_that_no_honest_updates_have(frozen: Frozen) -> None:
    light, survivors, parts = frozen
    some = {key: blob for key, blob in parts.items() if key[1] < 6}
    some[0, Position(0)] = some[0, Position(0)][:HEAD] + parts[0, Position(7)][HEAD:]
    outcome = light.outcome(survivors, light.open(survivors, some))
    assert outcome.quarantined == outcome.groups == to_bitmap([Position(0)], 1)


def test_parts_of_others_or_of_another_group_or_opening_are_refused(frozen: Frozen) -> None:
    light, survivors, parts = frozen
    again = Light(8, number=2)
    again.commit(range(7))
    mine = parts[0, Position(3)]
    wrong = [
        parts[0, Position(4)],
        again.part(survivors, 0, Position(3)),
        mine[:36] + b"\0\1" + mine[38:],
        b"FDM\x02" + mine[4:],
        mine[:-4],
        mine + bytes(4),
        b"",
        mine[:HEAD] + b"\x7f\xff\xff\xff" + mine[HEAD + 4 :],
    ]
    for blob in wrong:
        found = light.open(survivors, parts | {(0, Position(3)): blob})
        assert [(fault.member, fault.group) for fault in found.faults] == [(Position(3), 0)]
        assert found.opened.groups == {0}
    assert MODE.part_limit(light.layout, light.lanes) == len(mine)


def test_a_copy_of_anothers_part_is_not_taken_where_none_are_to_spare(frozen: Frozen) -> None:
    light, survivors, parts = frozen
    held = {member: blob for (_, member), blob in parts.items() if member < 6}
    copied = light.opening(survivors, held | {Position(3): held[Position(4)]})
    assert copied.leaves is None
    assert [fault.member for fault in copied.faults] == [3]
    assert copied.wanted == (3, 6, 7)


def test_parts_for_other_survivors_do_not_fit(frozen: Frozen) -> None:
    light, survivors, parts = frozen
    other = light.part(survivors - {Position(2)}, 0, Position(5))
    found = light.open(survivors, parts | {(0, Position(5)): other})
    assert [fault.member for fault in found.faults] == [5]


def test_parts_leave_the_lanes_of_the_checks_out(frozen: Frozen) -> None:
    """Summed, they would show a random combination of single updates' masks."""
    light, _, parts = frozen
    assert {len(part) for part in parts.values()} == {HEAD + 4 * light.code.cut_lanes}
    assert light.code.piece_lanes == light.code.cut_lanes + CHECKS
