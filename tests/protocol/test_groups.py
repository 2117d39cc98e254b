"""Laws of the draws: a permutation, balanced groups, symmetric neighbours, right components, canonical sets."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foedus.protocol.bitmap import MalformedBitmap, from_bitmap, from_pairs, to_bitmap, to_pairs
from foedus.protocol.groups import Groups, components, in_committee, neighbours, shuffle, threshold

seeds = st.binary(min_size=32, max_size=32)


@given(seeds, st.integers(1, 300))
def test_shuffle_is_a_permutation(seed, domain):
    assert sorted(shuffle(seed, index, domain) for index in range(domain)) == list(range(domain))


@given(seeds, st.integers(2, 200), st.integers(2, 40))
def test_groups_deal_everyone_out_evenly(seed, domain, size):
    groups = Groups(seed, domain, size)
    tables = groups.tables()
    assert sorted(p for table in tables for p in table) == list(range(domain))
    sizes = [len(table) for table in tables]
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= min(size, domain)
    assert groups.width >= max(sizes) > groups.width // 2
    for number, table in enumerate(tables):
        for row, position in enumerate(table):
            assert groups.place(position) == (number, row)


@given(st.integers(1, 40), st.integers(0, 20).map(lambda half: 2 * half))
def test_neighbours_are_mutual_and_never_oneself(size, degree):
    for row in range(size):
        beside = neighbours(row, size, degree)
        assert row not in beside
        assert all(row in neighbours(other, size, degree) for other in beside)
        assert len(beside) == (size - 1 if degree == 0 or degree >= size - 1 else degree)


@given(st.sets(st.integers(0, 20)), st.sets(st.tuples(st.integers(0, 20), st.integers(0, 20))))
def test_components_are_what_walking_finds(nodes, edges):
    def reach(start):
        seen, todo = {start}, [start]
        while todo:
            here = todo.pop()
            for a, b in edges:
                for one, other in ((a, b), (b, a)):
                    if one == here and other in nodes and other not in seen:
                        seen.add(other)
                        todo.append(other)
        return frozenset(seen)

    assert set(components(nodes, edges)) == {reach(node) for node in nodes}


@pytest.mark.parametrize(("members", "absent"), [(3, 0), (8, 2), (20, 6), (32, 10)])
def test_absences_that_a_committee_bears(members, absent):
    assert members - threshold(members) == absent


@given(seeds)
def test_a_large_committee_is_thirty_two(seed):
    assert sum(in_committee(seed, p, 100, 100) for p in range(100)) == 32
    assert all(in_committee(seed, p, 32, 32) for p in range(32))


@pytest.mark.parametrize(("domain", "eligible"), [(64, 40), (200, 100)])
def test_empty_seats_cost_the_committee_nothing_on_average(domain, eligible):
    """Drawn among the places below 32 alone, committees of 40 in 64 seats would have 20 members, below their quorum."""
    sizes = []
    for number in range(100):
        seed = sha256(f"{domain}/{number}".encode()).digest()
        sizes.append(sum(in_committee(seed, position, domain, eligible) for position in range(eligible)))
    assert abs(sum(sizes) / len(sizes) - 32) < 1
    assert sum(size < threshold(32) for size in sizes) <= 1


@given(seeds, st.sets(st.integers(0, 199), min_size=1, max_size=32))
def test_a_small_roster_is_its_committee_wherever_it_sits(seed, roster):
    assert all(in_committee(seed, position, 200, len(roster)) for position in roster)


@given(st.integers(1, 100), st.data())
def test_bitmaps_round_trip_and_are_canonical(domain, data):
    members = data.draw(st.frozensets(st.integers(0, domain - 1)))
    packed = to_bitmap(members, domain)
    assert from_bitmap(packed, domain) == members
    with pytest.raises(MalformedBitmap):
        from_bitmap(packed + b"\x00", domain)
    if domain % 8:
        with pytest.raises(MalformedBitmap):
            from_bitmap(packed[:-1] + bytes([packed[-1] | 0x80]), domain)


@given(st.frozensets(st.tuples(st.integers(0, 50), st.integers(51, 99)), max_size=20))
def test_pairs_round_trip(pairs):
    assert from_pairs(to_pairs(pairs)) == pairs


@pytest.mark.parametrize("packed", [b"\x00", b"\x00\x02\x00\x01", b"\x00\x01\x00\x02" * 2, b"\x00\x01\x00\x01"])
def test_pairs_out_of_order_are_refused(packed):
    with pytest.raises(MalformedBitmap):
        from_pairs(packed)
