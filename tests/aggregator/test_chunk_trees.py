"""One chunk's tree is the one that the sums of all chunks are made of, and every node has its place in it."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foedus.aggregator.chunktree import beside
from foedus.aggregator.sumslots import MaskSlot, NoSuchNode, SumShape, UpdateSlot
from foedus.aggregator.sumtree import sum_leaf_hash, sum_node_hash, zero_group
from foedus.aggregator.testimony import ShownNodes
from foedus.protocol.groups import Groups
from foedus.protocol.ids import ZERO32
from foedus.protocol.merkle import leaf_hash, verify
from tests.aggregator.bent_trees import lanes_of, nodes_below
from tests.aggregator.catalogue import honest
from tests.aggregator.rounds import LONG, SCENES, THREE, Scene

shapes = st.builds(
    lambda domain, size: SumShape.of(Groups(ZERO32, domain, size)), st.integers(1, 40), st.integers(2, 9)
)


@pytest.mark.parametrize("scene", SCENES)
def test_every_chunks_tree_has_the_top_that_the_sums_have(scene: Scene) -> None:
    told = honest(scene)
    assert [tree.hash(1) for tree in told.trees] == [
        told.played.outcome.tops_blob[at : at + 32] for at in range(0, 32 * len(told.trees), 32)
    ]


@pytest.mark.parametrize("scene", SCENES)
def test_every_node_is_the_sum_of_the_two_below_it_and_hashes_to_what_it_says(scene: Scene) -> None:
    told = honest(scene)
    for tree in told.trees:
        for node in nodes_below(tree.shape):
            if tree.shape.is_leaf(node):
                assert tree.hash(node) == sum_leaf_hash(tree.value(node))
                continue
            shown = tree.node(node)
            assert tree.hash(node) == sum_node_hash(shown.value, shown.left, shown.right)
            assert shown.value == sha256(tree.value(node)).digest()
            counted = [child for child in (2 * node, 2 * node + 1) if child not in told.silent]
            total = sum((lanes_of(tree.value(child)) for child in counted), 0 * lanes_of(tree.value(node)))
            assert (lanes_of(tree.value(node)) == total).all()


def test_the_path_to_any_inner_node_is_an_answer_that_fits_and_no_other_place() -> None:
    told = honest(THREE)
    claim, tree = told.claim, told.trees[1]
    tops = [one.hash(1) for one in told.trees]
    siblings = beside(tops, 1)
    assert verify(claim.sum_root, leaf_hash(tops[1]), 1, 4, siblings)
    for node in nodes_below(tree.shape):
        if not tree.shape.is_leaf(node):
            shown = ShownNodes(node, tree.path(node), siblings)
            assert shown.top == tops[1]
            assert shown.fits(claim.sum_root, 1, 4)
            assert not shown.fits(claim.sum_root, 2, 4)
            assert not shown.fits(claim.sum_root, 1, 5)
            elsewhere = [other for other in (node ^ 1, 2 * node) if other < 2 or tree.hash(other) != tree.hash(node)]
            assert not any(ShownNodes(at, tree.path(node), siblings).fits(claim.sum_root, 1, 4) for at in elsewhere)
    with pytest.raises(NoSuchNode):
        tree.node(tree.shape.leaf(UpdateSlot(0, 0)))


@given(shape=shapes)
def test_slots_and_leaves_are_one_to_one(shape: SumShape) -> None:
    leaves = [node for node in nodes_below(shape) if shape.is_leaf(node)]
    assert [shape.leaf(shape.slot(leaf)) for leaf in leaves] == leaves
    width = 1 << shape.rows
    groups = range(1 << shape.top)
    slots = {UpdateSlot(group, row) for group in groups for row in range(width)}
    slots |= {MaskSlot(group, row, row, False) for group in groups for row in range(width)}
    slots |= {MaskSlot(g, row, other, True) for g in groups for row in range(width) for other in range(width)}
    assert {shape.slot(leaf) for leaf in leaves} == slots
    assert len(leaves) == len(slots)


@given(shape=shapes)
def test_what_is_all_zero_hashes_to_what_is_below_it(shape: SumShape) -> None:
    for node in nodes_below(shape):
        if shape.is_leaf(node):
            assert shape.zero(node) == sum_leaf_hash(bytes(1024))
        else:
            digest = sha256(bytes(1024)).digest()
            assert shape.zero(node) == sum_node_hash(digest, shape.zero(2 * node), shape.zero(2 * node + 1))
    assert shape.zero(shape.group_node(0)) == zero_group(1 << shape.rows)


@given(shape=shapes, data=st.data())
def test_nodes_know_their_group_and_depth(shape: SumShape, data: st.DataObject) -> None:
    node = data.draw(st.sampled_from(list(nodes_below(shape))))
    up = [node >> step for step in range(shape.depth(node) + 1)]
    groups = [shape.group_node(group) for group in range(1 << shape.top)]
    above = [groups.index(one) for one in up if one in groups]
    assert shape.group_of(node) == (above[0] if above else None)
    assert up[-1] == 1
    if not shape.is_leaf(node):
        last = shape.last_inner(node)
        assert shape.is_leaf(2 * last)
        assert node in [last >> step for step in range(shape.depth(last) + 1)]


def test_numbers_that_no_node_has_are_refused() -> None:
    shape = honest(LONG).trees[0].shape
    deepest = 2 * shape.leaf(MaskSlot(0, 0, 0, True))
    for node in (deepest, deepest + 1, 2 * shape.leaf(UpdateSlot(0, 1)), -3):
        with pytest.raises(NoSuchNode):
            shape.slot(node)
    with pytest.raises(NoSuchNode):
        shape.slot(1)
