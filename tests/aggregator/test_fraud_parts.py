"""What a watcher finds in claims whose sums are opened by parts: proofs of what the chain can judge, else a doubt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256

import pytest

from foedus.aggregator.chunktree import ChunkTree, beside
from foedus.aggregator.fraud import find
from foedus.aggregator.inputs import Inputs, Sums
from foedus.aggregator.parts import parts_from_bytes, parts_to_bytes
from foedus.aggregator.sumslots import MaskSlot, UpdateSlot
from foedus.aggregator.testimony import ShownNodes, Testimony
from foedus.aggregator.verdicts import Unprovable
from foedus.protocol.bitmap import to_bitmap
from foedus.protocol.chunks import lanes_to_bytes, vector_root
from foedus.protocol.events import Aggregate
from foedus.protocol.ids import ZERO32, Hash32, Wei
from foedus.protocol.merkle import merkle_root
from foedus.protocol.proofs import Base, Committed, LeafProof, RuleProof, SumProof, TotalProof
from tests.aggregator.bent_trees import raised, with_value
from tests.aggregator.light import MODE, Light


@dataclass(frozen=True)
class Made:
    """An honest round of six in two groups, and the claim about it."""

    inputs: Inputs
    claim: Aggregate
    shown: Testimony
    sums: Sums

    def with_tree(self, tree: ChunkTree) -> tuple[Aggregate, Testimony]:
        """The claim and what is shown where one chunk has another tree; whatever is asked of it is answered."""
        tops = [tree.hash(1) if at == tree.chunk else top for at, top in enumerate(self.sums.tops)]
        nodes = [
            ShownNodes(node, tree.path(node), beside(tops, tree.chunk))
            for node in {leaf >> 1 for leaf in tree.values if tree.shape.is_leaf(leaf)}
        ]
        claim = replace(self.claim, sum_root=merkle_root(tops))
        return claim, replace(self.shown, tops=b"".join(tops), nodes={tree.chunk: nodes})


@pytest.fixture(scope="module")
def made() -> Made:
    light = Light(6, changed={"group_size": 3})
    world, survivors = light.world, light.commit(range(6))
    found = light.open(survivors, light.parts(survivors))
    outcome = light.outcome(survivors, found)
    inputs = Inputs(
        terms=world.terms_,
        manifest=world.manifest,
        layout=light.layout,
        context=light.context,
        survivors=survivors,
        signers=to_bitmap(world.positions, 6),
        commitments={p: Committed(bytes(24), commitment, ()) for p, commitment in world.commitments.items()},
        envelopes={},
        vectors={p: world.prepared[p].update_blob for p in survivors},
        seeds={},
        before=Base(vector_root(lanes_to_bytes(world.base_)), None),
        model=world.base_,
        state=world.state_,
        bundles={p: light.bundle(p, None) for p in survivors},
    )
    claim = Aggregate(
        sum_root=outcome.sum_root,
        unmask_root=outcome.unmask_root,
        state_root=outcome.state_root,
        model_root=outcome.model_root,
        payout_root=ZERO32,
        manifest=Hash32(sha256(b"manifest").digest()),
        payout_total=Wei(0),
        total_weight=outcome.total_weight,
        groups=outcome.groups,
        quarantined=outcome.quarantined,
    )
    shown = Testimony(b"manifest", outcome.tops_blob, outcome.unmask_blob, outcome.model_blob, None)
    return Made(inputs, claim, shown, Sums.of(inputs, found.opened.leaves, frozenset()))


def test_an_honest_claim_holds(made: Made) -> None:
    assert find(made.inputs, made.claim, made.shown) is None


def test_a_wrong_model_and_a_wrong_weight_are_proven(made: Made) -> None:
    blob = raised(made.shown.model[:1024], 3) + made.shown.model[1024:]
    wrong = replace(made.claim, model_root=vector_root(blob))
    assert isinstance(find(made.inputs, wrong, replace(made.shown, model=blob)), RuleProof)
    heavier = replace(made.claim, total_weight=made.claim.total_weight + 1)
    assert isinstance(find(made.inputs, heavier, made.shown), TotalProof)


@pytest.mark.parametrize(
    ("node", "due"),
    [
        (lambda shape: shape.leaf(UpdateSlot(1, 0)), LeafProof),
        (lambda shape: shape.group_node(0), SumProof),
        (lambda shape: shape.leaf(MaskSlot(0, 0, 0, False)), Unprovable),
    ],
    ids=["an update", "a sum", "what opened it"],
)
def test_what_stands_in_the_tree_is_proven_but_for_what_opened_it(
    made: Made, node: Callable[[object], int], due: type
) -> None:
    tree = made.sums.tree(1)
    at = node(tree.shape)
    claim, shown = made.with_tree(with_value(tree, at, raised(tree.value(at), 7)))
    assert isinstance(find(made.inputs, claim, shown), due)


def test_parts_that_are_hidden_or_do_not_fit_leave_a_doubt(made: Made) -> None:
    place = (MODE, made.inputs.layout, made.inputs.context, made.inputs.manifest.update_lanes)
    parts = parts_from_bytes(*place, made.shown.unmask)
    key = min(parts)
    fewer = parts_to_bytes({at: part for at, part in parts.items() if at != key})
    bent = parts_to_bytes(parts | {key: parts[key][:-1] + bytes([parts[key][-1] ^ 1])})
    for blob in (None, b"", fewer, bent):
        found = find(made.inputs, made.claim, replace(made.shown, unmask=blob))
        assert isinstance(found, Unprovable)
