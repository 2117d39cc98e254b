"""The sums that a claim makes, against those that its own choice of groups and seeds demands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from foedus.aggregator.bisection import Ask, Differs, PadDiffers, differing_leaf
from foedus.aggregator.chunktree import ChunkTree
from foedus.aggregator.fraud_seeds import Published
from foedus.aggregator.inputs import Inputs, Sums
from foedus.aggregator.sumslots import MaskSlot, UpdateSlot
from foedus.aggregator.testimony import ShownLeaf, Testimony
from foedus.aggregator.tops import MalformedTops, checked_tops, first_difference
from foedus.aggregator.unmasked import unmask_index
from foedus.aggregator.verdicts import Finding, Unprovable
from foedus.protocol.chunks import CHUNK_BYTES, chunk_hashes
from foedus.protocol.events import Aggregate
from foedus.protocol.ids import ZERO32, Position
from foedus.protocol.merkle import leaf_hash, prove
from foedus.protocol.proofs import (
    NOTHING_COMMITTED,
    ClosedProof,
    Demand,
    Hashes,
    LeafProof,
    MaskProof,
    PaddingProof,
    SumNode,
    SumProof,
    Tree,
    Way,
)
from foedus.protocol.terms import LEAF_MODES, SEED_MODES


def find_wrong_sum(
    inputs: Inputs, claim: Aggregate, opened: frozenset[int], published: Published, sums: Sums, testimony: Testimony
) -> Finding | None:
    """A proof that the claimed sums are not those of `sums`, or what to ask for to make one; None where they are."""
    try:
        tops = checked_tops(testimony.tops or b"", inputs.chunks, claim.sum_root)
    except MalformedTops:
        return _without_tops(inputs, claim, opened, published, sums, testimony)
    chunk = first_difference(tops, sums.tops)
    if chunk is None:
        return None
    beside = prove([leaf_hash(top) for top in tops], chunk)
    return _descend(inputs, claim, opened, published, sums.tree(chunk), tops[chunk], beside, testimony)


def _without_tops(
    inputs: Inputs, claim: Aggregate, opened: frozenset[int], published: Published, sums: Sums, testimony: Testimony
) -> Finding | None:
    """The same where the chunks' top hashes were not published: answers to demands tell them one by one."""

    def top(chunk: int) -> ShownLeaf | None:
        shown = next(iter(testimony.nodes.get(chunk, ())), None)
        return ShownLeaf(shown.top, shown.siblings) if shown is not None and shown.nodes else None

    found = differing_leaf([leaf_hash(one) for one in sums.tops], claim.sum_root, top)
    match found:
        case Ask():
            return Demand(Tree.SUM, found.index, inputs.shape.last_inner(1))
        case PadDiffers():
            return PaddingProof(Tree.SUM, leaf_hash(found.shown.data), found.shown.siblings)
        case Differs():
            tree, shown = sums.tree(found.index), found.shown
            return _descend(inputs, claim, opened, published, tree, shown.data, shown.siblings, testimony)
        case None:
            return None


def _descend(
    inputs: Inputs,
    claim: Aggregate,
    opened: frozenset[int],
    published: Published,
    tree: ChunkTree,
    top: bytes,
    beside: Hashes,
    testimony: Testimony,
) -> Finding:
    """From a chunk's wrong top down to the first node with nothing wrong below it but itself."""
    known: dict[int, SumNode] = {}
    for shown in testimony.nodes.get(tree.chunk, ()):
        if shown.fits(claim.sum_root, tree.chunk, inputs.chunks):
            known |= {shown.node >> up: node for up, node in enumerate(reversed(shown.nodes))}
    shape, node, claimed = tree.shape, 1, top
    here = _Here(inputs, published, tree, known, beside)
    while True:
        group = shape.group_of(node)
        if group is not None and group not in opened:
            return ClosedProof(here.way(node), group, claimed)
        if shape.is_leaf(node):
            return here.leaf_proof(node, claimed)
        if node not in known:
            return Demand(Tree.SUM, tree.chunk, shape.last_inner(node))
        below = known[node]
        if below.left != tree.hash(2 * node):
            node, claimed = 2 * node, below.left
        elif below.right != tree.hash(2 * node + 1):
            node, claimed = 2 * node + 1, below.right
        else:
            parts = tree.summand(2 * node), tree.summand(2 * node + 1)
            return SumProof(here.way(node), node, below.value, *parts)


@dataclass(frozen=True, slots=True)
class _Here:
    """A chunk's true tree, and the nodes of the claimed one that are known."""

    inputs: Inputs
    published: Published
    tree: ChunkTree
    known: Mapping[int, SumNode]
    beside: Hashes

    def way(self, node: int) -> Way:
        """The way up in the claimed tree; all nodes above must be known."""
        steps: list[bytes] = []
        while node > 1:
            above = self.known[node >> 1]
            steps += [above.value, above.left if node & 1 else above.right]
            node >>= 1
        return Way(self.tree.chunk, tuple(steps), self.beside)

    def leaf_proof(self, node: int, claimed: bytes) -> LeafProof | MaskProof | Unprovable:
        """The proof about a leaf whose hash is not the true one, where the mode allows one."""
        mode, slot = self.inputs.terms.mode, self.tree.shape.slot(node)
        if mode not in (SEED_MODES if isinstance(slot, MaskSlot) else LEAF_MODES):
            return Unprovable(f"in mode {mode} nobody can show what belongs to leaf {node} of chunk {self.tree.chunk}")
        match slot:
            case UpdateSlot():
                return self._update_proof(slot, node, claimed)
            case MaskSlot():
                return self._mask_proof(slot, node, claimed)

    def _update_proof(self, slot: UpdateSlot, node: int, claimed: bytes) -> LeafProof:
        inputs, chunk = self.inputs, self.tree.chunk
        owner = inputs.seat(slot.group, slot.row)
        survived = owner is not None and owner in inputs.survivors
        blob = inputs.vectors[owner] if survived and owner is not None else b""
        return LeafProof(
            way=self.way(node),
            group=slot.group,
            row=slot.row,
            leaf=claimed,
            position=owner if owner is not None else Position(0),
            frozen=inputs.frozen if owner is not None else b"",
            committed=inputs.commitments[owner] if survived and owner is not None else NOTHING_COMMITTED,
            chunk=blob[CHUNK_BYTES * chunk : CHUNK_BYTES * (chunk + 1)],
            path=prove(chunk_hashes(blob), chunk) if blob else (),
        )

    def _mask_proof(self, slot: MaskSlot, node: int, claimed: bytes) -> MaskProof:
        inputs = self.inputs
        owner, other = inputs.seat(slot.group, slot.row), inputs.seat(slot.group, slot.other)
        index = unmask_index(slot.group, slot.row, slot.other, inputs.layout.width)
        seed = self.published.seeds.get((owner, slot.other), ZERO32) if owner is not None else ZERO32
        return MaskProof(
            way=self.way(node),
            group=slot.group,
            row=slot.row,
            other=slot.other,
            pair=slot.pair,
            leaf=claimed,
            seed=seed,
            path=self.published.path(index),
            position=owner if owner is not None else Position(0),
            other_position=other if other is not None else Position(0),
        )
