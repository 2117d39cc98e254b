"""A leaf that differs is found with few questions, whatever the tree under the root is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from foedus.aggregator.bisection import Ask, Differs, PadDiffers, differing_leaf
from foedus.aggregator.testimony import ShownLeaf
from foedus.protocol.ids import Hash32
from foedus.protocol.merkle import height, leaf_hash, levels_of, prove, root_of_hashes

counts = st.integers(1, 40)


def leaf(index: int, word: str = "true") -> bytes:
    return f"{word} {index}".encode()


def true(count: int) -> list[bytes]:
    return [leaf_hash(leaf(index)) for index in range(count)]


@dataclass
class Liar:
    """Has a tree of `count` leaves, some of them its own, and things in its padding; answers what it is asked."""

    count: int
    wrong: Mapping[int, bytes]

    def __post_init__(self) -> None:
        size = max(self.count, *(index + 1 for index in self.wrong)) if self.wrong else self.count
        self.leaves = [self.wrong.get(index, leaf(index)) for index in range(size)]
        self.hashes = [leaf_hash(one) for one in self.leaves]
        top = levels_of(self.hashes)[-1][0]
        self.root = Hash32(sha256(b"\x02" + self.count.to_bytes(8, "big") + top).digest())
        self.asked: list[int] = []

    def found(self) -> Differs | PadDiffers | None:
        """What is found in the end."""
        known: dict[int, ShownLeaf] = {}
        while isinstance(said := differing_leaf(true(self.count), self.root, known.get), Ask):
            assert said.index not in known
            self.asked.append(said.index)
            known[said.index] = ShownLeaf(self.leaves[said.index], prove(self.hashes, said.index))
        return said


@given(count=counts)
def test_nothing_is_asked_where_the_root_is_the_true_one(count: int) -> None:
    assert differing_leaf(true(count), root_of_hashes(true(count)), lambda _: None) is None


@given(count=counts, data=st.data())
def test_the_first_of_any_wrong_leaves_is_found(count: int, data: st.DataObject) -> None:
    places = data.draw(st.sets(st.integers(0, count - 1), min_size=1))
    liar = Liar(count, {index: leaf(index, "false") for index in places})
    found = liar.found()
    assert isinstance(found, Differs)
    assert found.index == min(places)
    assert found.shown.data == leaf(found.index, "false")
    assert len(liar.asked) <= height(count) + 1
    assert liar.asked[0] == count - 1


@given(count=counts, data=st.data())
def test_what_stands_in_the_padding_is_told_by_the_last_leaf(count: int, data: st.DataObject) -> None:
    size = 1 << height(count)
    places = data.draw(st.sets(st.integers(count, size - 1), min_size=1)) if size > count else set()
    liar = Liar(count, {index: leaf(index, "more") for index in range(count, max(places, default=count - 1) + 1)})
    found = liar.found()
    assert isinstance(found, PadDiffers) == bool(places)
    assert liar.asked == [count - 1] * bool(places)


@given(count=st.integers(2, 40), data=st.data())
def test_answers_under_another_root_are_not_taken(count: int, data: st.DataObject) -> None:
    liar = Liar(count, {data.draw(st.integers(0, count - 1)): b"false"})
    honest = {at: ShownLeaf(leaf(at), prove(true(count), at)) for at in range(count)}
    assert differing_leaf(true(count), liar.root, honest.get) == Ask(count - 1)
    longer = ShownLeaf(liar.leaves[-1], (*prove(liar.hashes, count - 1), bytes(32)))
    assert differing_leaf(true(count), liar.root, {count - 1: longer}.get) == Ask(count - 1)


@given(count=counts)
def test_nobody_can_answer_about_a_root_that_was_made_up(count: int) -> None:
    """Its aggregator is convicted for its silence."""
    honest = {at: ShownLeaf(leaf(at), prove(true(count), at)) for at in range(count)}
    assert differing_leaf(true(count), Hash32(b"\x55" * 32), honest.get) == Ask(count - 1)
