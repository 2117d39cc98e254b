"""Why groups are left out, and the chunks' top hashes: as written, and as whoever cheats would write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foedus.aggregator.causes import HEAD, ROW, MalformedCauses, causes_of, causes_to_bytes, named_cause
from foedus.aggregator.tops import MalformedTops, checked_tops, first_difference, split_tops
from foedus.protocol.ids import ZERO32
from foedus.protocol.merkle import merkle_root

VERSION = b"FDP\x02"
some_causes = st.dictionaries(st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1), max_size=20)


@given(causes=some_causes, rest=st.binary(max_size=80))
def test_causes_are_read_as_they_were_written(causes: dict[int, int], rest: bytes) -> None:
    block = VERSION + causes_to_bytes(causes) + rest
    assert causes_of(block) == (causes, HEAD + ROW * len(causes))
    assert all(named_cause(block, group) == chunk for group, chunk in causes.items())
    assert named_cause(block, min({*range(21)} - causes.keys())) is None


@given(causes=some_causes.filter(bool))
def test_causes_that_are_cut_name_nothing(causes: dict[int, int]) -> None:
    block = (VERSION + causes_to_bytes(causes))[:-1]
    with pytest.raises(MalformedCauses):
        causes_of(block)
    assert all(named_cause(block, group) is None for group in causes)
    assert named_cause(b"", 0) is None
    with pytest.raises(MalformedCauses):
        causes_of(VERSION)


def test_a_group_that_is_named_twice_or_out_of_order_is_refused_and_its_first_cause_counts() -> None:
    """The contract reads the first row, whatever follows: so does whoever looks for fraud."""
    row = (7).to_bytes(2, "big") + (3).to_bytes(4, "big")
    other = (7).to_bytes(2, "big") + (4).to_bytes(4, "big")
    block = VERSION + (2).to_bytes(2, "big") + row + other
    with pytest.raises(MalformedCauses):
        causes_of(block)
    assert named_cause(block, 7) == 3


@given(tops=st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=9), data=st.data())
def test_top_hashes_are_those_under_the_claims_root_or_none(tops: list[bytes], data: st.DataObject) -> None:
    blob, root = b"".join(tops), merkle_root(tops)
    assert checked_tops(blob, len(tops), root) == tops
    at = data.draw(st.integers(0, len(blob) - 1))
    wrong = blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1 :]
    for other in (wrong, blob[:-1], blob[:-32], blob + bytes(32), b""):
        with pytest.raises(MalformedTops):
            checked_tops(other, len(tops), root)
    for count, other_root in ((len(tops) + 1, root), (len(tops), ZERO32)):
        with pytest.raises(MalformedTops):
            checked_tops(blob, count, other_root)
    assert first_difference(split_tops(wrong), tops) == at // 32
    assert first_difference(tops, tops) is None
    assert first_difference(tops[:-1], tops) == len(tops) - 1
