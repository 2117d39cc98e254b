"""The list of parts: canonical, bounded, and of openers alone; and what tells where they are."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foedus.aggregator.layout import Layout
from foedus.aggregator.messages import MalformedReveal
from foedus.aggregator.modes import vector_mode
from foedus.aggregator.parts import MalformedParts, parts_from_bytes, parts_limit, parts_root, parts_to_bytes
from foedus.aggregator.tenders import Tender
from foedus.protocol.cids import block_cid
from foedus.protocol.commitments import Context
from foedus.protocol.ids import Hash32, Position
from foedus.protocol.terms import SEED_MODES
from tests.aggregator.conftest import World

LANES = 512
MODE = vector_mode("lightsecagg")


@pytest.fixture(scope="module")
def seating() -> tuple[Layout, Context]:
    """Six in two groups."""
    world = World(6, {"mode": "lightsecagg", "group_size": 3})
    return world.layout, world.context


lists = st.dictionaries(
    st.tuples(st.integers(0, 1), st.integers(0, 5).map(Position)), st.binary(min_size=1, max_size=60), max_size=8
)


@given(lists)
@settings(max_examples=60, deadline=None)
def test_a_list_is_read_back_and_its_root_tells_every_part_and_place(seating, parts) -> None:
    assert parts_from_bytes(MODE, *seating, LANES, parts_to_bytes(parts)) == parts
    for key, part in parts.items():
        others = {at: other for at, other in parts.items() if at != key}
        assert len({parts_root(parts), parts_root(others), parts_root(others | {key: part + b"\0"})}) == 3


@given(lists, st.data())
@settings(max_examples=120, deadline=None)
def test_no_other_bytes_are_read_as_a_list(seating, parts, data) -> None:
    blob = parts_to_bytes(parts)
    at = data.draw(st.integers(0, len(blob) - 1))
    changed = blob[:at] + bytes([blob[at] ^ data.draw(st.integers(1, 255))]) + blob[at + 1 :]
    for other in (changed, blob[:at], blob + b"\0"):
        try:
            read = parts_from_bytes(MODE, *seating, LANES, other)
        except MalformedParts:
            continue
        assert parts_to_bytes(read) == other != blob


def test_parts_of_strangers_and_of_groups_that_are_not_are_refused(seating) -> None:
    for key in ((2, Position(0)), (0, Position(6))):
        with pytest.raises(MalformedParts):
            parts_from_bytes(MODE, *seating, LANES, parts_to_bytes({key: b"part"}))


def test_more_bytes_than_the_seating_can_have_are_refused_unread(seating) -> None:
    limit = parts_limit(MODE, seating[0], LANES)
    with pytest.raises(MalformedParts):
        parts_from_bytes(MODE, *seating, LANES, b"FDW\x01".ljust(limit + 1, b"\0"))
    long = {(0, Position(0)): bytes(MODE.part_limit(seating[0], LANES) + 1)}
    with pytest.raises(MalformedParts, match="at most"):
        parts_from_bytes(MODE, *seating, LANES, parts_to_bytes(long))


def test_a_tender_is_read_back_and_no_other_bytes_are(seating) -> None:
    layout, context = seating
    told = Tender.of(context, Position(3), {at: block_cid(Hash32(bytes([at]) * 32)) for at in (0, 1)})
    blob = told.to_bytes()
    assert Tender.from_bytes(blob, layout, context) == told
    again = Context(**{name: getattr(context, name) for name in Context.__slots__} | {"attempt": 9})
    with pytest.raises(MalformedReveal):
        Tender.from_bytes(blob, layout, again)
    row = blob[-61:]
    for other in (blob[:-1], blob + b"\0", blob + row, blob[:-61] + row[:2] + b"x" * 59, blob[:38] + row + blob[38:99]):
        with pytest.raises(MalformedReveal):
            Tender.from_bytes(other, layout, context)


def test_every_mode_opens_by_seeds_or_by_parts() -> None:
    assert all(vector_mode(name) is None for name in SEED_MODES)
    assert vector_mode("rlwe").name == "rlwe"
