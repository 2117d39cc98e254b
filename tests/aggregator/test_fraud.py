"""Nothing is found against an honest claim; any lie is proven, where need be after asking for what the claim hides."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from foedus.aggregator.fraud import find
from foedus.aggregator.sumslots import MaskSlot, UpdateSlot
from foedus.aggregator.testimony import ShownLeaf
from foedus.aggregator.unmasked import unmask_index
from foedus.aggregator.verdicts import Unprovable
from foedus.protocol.proofs import (
    ClosedProof,
    Demand,
    LeafProof,
    MaskProof,
    PaddingProof,
    RuleProof,
    SeedProof,
    StateProof,
    SumProof,
    Tree,
    WeightProof,
)
from tests.aggregator import lies
from tests.aggregator.asking import any_round, ends
from tests.aggregator.bent_trees import nodes_below
from tests.aggregator.catalogue import catalogue, honest
from tests.aggregator.claimed import Claimed
from tests.aggregator.rounds import ALONE, EMPTY, PAIR, SCENES, THREE, TWO, Played, Scene

BLOBS = ("tops", "unmask", "model", "state")
LIES = sorted(catalogue())

many = settings(max_examples=120, suppress_health_check=[HealthCheck.filter_too_much])


hidden = st.sets(st.sampled_from(BLOBS)).map(sorted)


@given(played=any_round(), unseen=hidden)
@many
def test_nothing_is_found_against_an_honest_claim(played: Played, unseen: list[str]) -> None:
    told = Claimed.honest(played)
    assert told.claim.model_root == played.outcome.model_root
    assert told.claim.sum_root == played.outcome.sum_root
    assert told.claim.unmask_root == played.outcome.unmask_root
    found, asked = ends(told, *unseen)
    assert found is None
    assert not asked, "what everybody can make again needs no asking"


@pytest.mark.parametrize("scene", SCENES)
def test_nobody_is_blamed_for_leaving_groups_closed(scene: Scene) -> None:
    told = honest(scene)
    for group in told.opened:
        assert ends(lies.closed(told, group)) == (None, [])


@given(played=any_round(), data=st.data(), unseen=hidden)
@many
def test_any_wrong_lane_is_proven_in_any_node_of_any_tree(
    played: Played, data: st.DataObject, unseen: list[str]
) -> None:
    told, shape = Claimed.honest(played), played.inputs.shape
    if data.draw(st.booleans()) and told.opened:
        told = lies.closed(told, data.draw(st.sampled_from(sorted(told.opened))))
    chunk = data.draw(st.integers(0, played.inputs.chunks - 1))
    node = data.draw(st.sampled_from(list(nodes_below(shape))))
    told = lies.wrong_lane(told, chunk, node, data.draw(st.integers(0, 255)))
    found, asked = ends(told, *unseen)
    group = shape.group_of(node)
    assert isinstance(found, SumProof | LeafProof | MaskProof | ClosedProof)
    assert found.way.chunk == chunk
    if group is not None and group not in told.opened:
        assert isinstance(found, ClosedProof)
        assert found.group == group
        node = shape.group_node(group)
    elif not shape.is_leaf(node):
        assert isinstance(found, SumProof)
        assert found.node == node
    elif isinstance(slot := shape.slot(node), UpdateSlot):
        assert isinstance(found, LeafProof)
        assert (found.group, found.row) == (slot.group, slot.row)
    else:
        assert isinstance(found, MaskProof)
        assert MaskSlot(found.group, found.row, found.other, found.pair) == slot
    assert found.way == told.trees[chunk].way(node, told.beside(Tree.SUM, chunk)), "it leads to the claimed root"
    if "tops" not in unseen:
        assert {demand.index for demand in asked} <= {chunk}, "the published hashes tell in which chunk to look"
        assert all(demand.tree is Tree.SUM for demand in asked)


@pytest.mark.parametrize("name", LIES)
@pytest.mark.parametrize("unseen", [(), BLOBS])
def test_every_kind_of_lie_gives_its_kind_of_proof(name: str, unseen: tuple[str, ...]) -> None:
    told, kind = catalogue()[name]
    found, _ = ends(told, *unseen)
    assert type(found) is kind


@given(played=any_round(), data=st.data(), unseen=hidden)
@many
def test_any_wrong_lane_of_the_model_or_state_is_proven(played: Played, data: st.DataObject, unseen: list[str]) -> None:
    told = Claimed.honest(played)
    blob, lie, kind = data.draw(
        st.sampled_from([(told.model, lies.wrong_model, RuleProof), (told.state, lies.wrong_state, StateProof)])
    )
    assume(blob)
    lane = data.draw(st.integers(0, len(blob) // 4 - 1))
    found, _ = ends(lie(told, lane), *unseen)
    assert isinstance(found, kind)
    width = len(blob) // len(told.model)
    place = found.chunk * width + (found.lane if isinstance(found, StateProof) else 0)
    assert place == lane // 256


@given(played=any_round(), data=st.data(), unseen=hidden)
@many
def test_any_seed_that_is_wrong_or_missing_or_too_many_is_proven(
    played: Played, data: st.DataObject, unseen: list[str]
) -> None:
    told, layout = Claimed.honest(played), played.world.layout
    size = layout.groups.count * layout.width**2
    index = data.draw(st.integers(0, size - 1))
    place = index // layout.width**2, index // layout.width % layout.width, index % layout.width
    owner = played.inputs.seat(place[0], place[1])
    if index not in told.slots:
        told = lies.extra_seed(told, index)
    elif data.draw(st.booleans()):
        told = lies.missing_seed(told, (owner, place[2]))
    else:
        told = lies.wrong_seed(told, (owner, place[2]))
    found, _ = ends(told, *unseen)
    assert isinstance(found, SeedProof)
    assert (found.group, found.row, found.other) == place


@given(first=st.sampled_from(LIES), second=st.sampled_from(LIES))
@many
def test_what_is_found_in_a_claim_of_two_lies_is_a_proof(first: str, second: str) -> None:
    """The second claim's chunks and seeds in the first one's place, where both are of one round."""
    (one, _), (other, _) = catalogue()[first], catalogue()[second]
    assume(one.played is other.played and one.opened == other.opened)
    both = replace(one, trees=(*one.trees[:2], *other.trees[2:]), slots=other.slots, model=other.model)
    assume(both.claim != Claimed.of(one.played, one.opened, one.quarantined, one.causes).claim)
    found, _ = ends(both)
    assert found is not None
    assert not isinstance(found, Unprovable)


def test_a_pairs_seed_that_nobody_showed_leaves_a_doubt_and_the_rest_is_judged() -> None:
    """With a wrong seed the sum is noise, and must not count; left out, it may be somebody else's fault."""
    counts, _ = catalogue()["a wrong seed of a pair"]
    slot = (counts.played.world.layout.tables[0][0], 2)
    lacking = {at: seed for at, seed in counts.played.inputs.seeds.items() if at != slot}
    inputs = replace(counts.played.inputs, seeds=lacking)
    assert isinstance(find(inputs, counts.claim, counts.testimony()), WeightProof)
    told = Claimed.of(counts.played, {0}, {0}, {0: 3}, {**lacking, slot: lies.other_seed(slot)})
    found = find(inputs, told.claim, told.testimony())
    assert isinstance(found, Unprovable)
    assert f"position {slot[0]} " in found.why
    wrong = lies.wrong_model(told, 9)
    assert isinstance(find(inputs, wrong.claim, wrong.testimony()), RuleProof)


def test_a_seed_that_nobody_knows_is_asked_for_where_the_list_is_hidden() -> None:
    told = honest(PAIR)
    layout = told.played.world.layout
    slot = (layout.tables[0][1], 1)
    index = unmask_index(*layout.places[slot[0]], slot[1], layout.width)
    lacking = {at: seed for at, seed in told.played.inputs.seeds.items() if at != slot}
    inputs, heard = replace(told.played.inputs, seeds=lacking), told.testimony("unmask")
    assert find(inputs, told.claim, heard) == Demand(Tree.UNMASK, index)
    assert find(inputs, told.claim, told.answered(heard, Demand(Tree.UNMASK, index))) is None
    wrong = lies.wrong_seed(told, slot)
    heard = wrong.answered(wrong.testimony("unmask"), Demand(Tree.UNMASK, index))
    found = find(inputs, wrong.claim, heard)
    assert isinstance(found, SeedProof)
    assert found.seed == lies.other_seed(slot)


def test_answers_that_do_not_stand_under_the_claim_are_none() -> None:
    told = lies.wrong_lane(honest(THREE), 1, 2, 0)
    inputs, claim, heard = told.played.inputs, told.claim, told.testimony()
    asked = find(inputs, claim, heard)
    assert asked == Demand(Tree.SUM, 1, inputs.shape.last_inner(1))
    assert find(inputs, claim, honest(THREE).answered(heard, asked)) == asked
    shown = told.answered(heard, asked).nodes[1][0]
    for spoiled in (
        replace(shown, nodes=shown.nodes[:-1]),
        replace(shown, node=shown.node + 1),
        replace(shown, siblings=shown.siblings[::-1]),
        replace(shown, node=0, nodes=()),
        replace(shown, nodes=(shown.nodes[0], *reversed(shown.nodes[1:]))),
    ):
        assert find(inputs, claim, replace(heard, nodes={1: (spoiled,)})) == asked
    assert isinstance(find(inputs, claim, replace(heard, nodes={1: (spoiled, shown)})), SumProof)
    told = lies.wrong_model(honest(TWO), 0)
    asked = find(told.played.inputs, told.claim, told.testimony("model"))
    assert asked == Demand(Tree.MODEL, 2)
    junk = {(Tree.MODEL, 2): ShownLeaf(told.model[-1024:], honest(TWO).beside(Tree.MODEL, 2))}
    assert find(told.played.inputs, told.claim, replace(told.testimony("model"), leaves=junk)) == asked


def test_a_quarantine_whose_reason_cannot_be_had_is_in_doubt() -> None:
    told = lies.left_out(honest(TWO), 0, 3)
    found = find(told.played.inputs, told.claim, told.testimony("manifest"))
    assert isinstance(found, Unprovable)
    assert "group 0" in found.why
    other = replace(told.testimony(), manifest=honest(TWO).manifest)
    assert isinstance(find(told.played.inputs, told.claim, other), Unprovable)


def test_padding_of_every_tree_is_looked_at_also_where_the_leaves_are_as_due() -> None:
    for name in (lie for lie in LIES if lie.startswith("padding")):
        told, _ = catalogue()[name]
        (found, asked), (tree,) = ends(told), told.padding
        assert isinstance(found, PaddingProof)
        assert asked[-1] == Demand(tree, len(told.leaves(tree)) - 1, asked[-1].node)


def test_the_vector_of_a_survivor_in_an_opened_group_must_be_there() -> None:
    told = honest(ALONE)
    lacking = {position: blob for position, blob in told.played.inputs.vectors.items() if position != 1}
    with pytest.raises(KeyError):
        find(replace(told.played.inputs, vectors=lacking), told.claim, told.testimony())
    told = honest(EMPTY)
    few = {position: blob for position, blob in told.played.inputs.vectors.items() if told.opened}
    assert find(replace(told.played.inputs, vectors=few), told.claim, told.testimony()) is None


def test_the_finding_does_not_depend_on_the_number_of_processes() -> None:
    told = lies.wrong_lane(honest(TWO), 1, 1, 3)
    inputs, heard = told.played.inputs, told.testimony()
    assert find(inputs, told.claim, heard, workers=2) == find(inputs, told.claim, heard)
