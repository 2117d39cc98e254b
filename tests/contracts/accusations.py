"""What an attacker can show of a claim: a proof of every kind, about any place in it, of nothing but what is so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from foedus.aggregator.rules import rule_of
from foedus.aggregator.sumslots import MaskSlot, UpdateSlot
from foedus.aggregator.unmasked import unmask_index
from foedus.protocol.chunks import CHUNK_BYTES, chunk_hashes, lanes_to_bytes
from foedus.protocol.ids import ZERO32, Position
from foedus.protocol.merkle import leaf_hash, prove
from foedus.protocol.proofs import (
    NOTHING_COMMITTED,
    ClosedProof,
    Committed,
    GroupSum,
    Hashes,
    LeafProof,
    MaskProof,
    PaddingProof,
    Proof,
    QuarantineProof,
    RangeProof,
    RuleProof,
    SeedProof,
    SetsProof,
    StateProof,
    SumProof,
    Total,
    TotalProof,
    Tree,
    WeightProof,
)
from tests.aggregator.bent_trees import nodes_below
from tests.aggregator.claimed import Claimed


@dataclass(frozen=True)
class Accuser:
    """Shows whatever is asked, as the claim has it; seats and commitments as they are."""

    told: Claimed

    def all(self) -> Iterator[Proof]:
        """A proof of every kind about every place, hundreds."""
        inputs, shape = self.told.played.inputs, self.told.played.inputs.shape
        width, count = 1 << shape.rows, 1 << shape.top
        for chunk in range(inputs.chunks):
            for node in nodes_below(shape):
                if not shape.is_leaf(node):
                    yield self.sum(chunk, node)
                elif (group := shape.group_of(node)) is not None and group < shape.count:
                    slot = shape.slot(node)
                    yield self.leaf(chunk, slot) if isinstance(slot, UpdateSlot) else self.mask(chunk, slot)
            yield from (self.closed(chunk, group) for group in range(count))
            yield from (self.range(group, chunk) for group in range(shape.count))
        for group in range(shape.count):
            yield from (self.seed(group, at // width, at % width) for at in range(width * width))
            yield self.weight(group)
            yield self.quarantine(group)
        for chunk in range(inputs.chunks - 1):
            yield self.rule(chunk)
            yield from (self.state(chunk, lane) for lane in range(self._width))
        yield from (self.padding(tree) for tree in (Tree.MODEL, Tree.STATE, Tree.UNMASK, Tree.SUM))
        yield from (self.total(), SetsProof(), StateProof())

    def sum(self, chunk: int, node: int) -> SumProof:
        tree = self.told.trees[chunk]
        return SumProof(
            tree.way(node, self._beside(chunk)),
            node,
            tree.node(node).value,
            tree.summand(2 * node),
            tree.summand(2 * node + 1),
        )

    def leaf(self, chunk: int, slot: UpdateSlot) -> LeafProof:
        inputs, tree = self.told.played.inputs, self.told.trees[chunk]
        owner, node = inputs.seat(slot.group, slot.row), tree.shape.leaf(slot)
        blob = inputs.vectors.get(owner, b"") if owner is not None else b""
        return LeafProof(
            way=tree.way(node, self._beside(chunk)),
            group=slot.group,
            row=slot.row,
            leaf=tree.hash(node),
            position=owner or Position(0),
            frozen=inputs.frozen,
            committed=self._committed(owner),
            chunk=blob[CHUNK_BYTES * chunk : CHUNK_BYTES * (chunk + 1)],
            path=prove(chunk_hashes(blob), chunk) if blob else (),
        )

    def mask(self, chunk: int, slot: MaskSlot) -> MaskProof:
        inputs, tree = self.told.played.inputs, self.told.trees[chunk]
        node, index = tree.shape.leaf(slot), self._slot(slot.group, slot.row, slot.other)
        return MaskProof(
            way=tree.way(node, self._beside(chunk)),
            group=slot.group,
            row=slot.row,
            other=slot.other,
            pair=slot.pair,
            leaf=tree.hash(node),
            seed=self.told.slots.get(index, ZERO32),
            path=self.told.beside(Tree.UNMASK, index),
            position=inputs.seat(slot.group, slot.row) or Position(0),
            other_position=inputs.seat(slot.group, slot.other) or Position(0),
        )

    def closed(self, chunk: int, group: int) -> ClosedProof:
        tree = self.told.trees[chunk]
        node = tree.shape.group_node(group)
        return ClosedProof(tree.way(node, self._beside(chunk)), group, tree.hash(node))

    def seed(self, group: int, row: int, other: int) -> SeedProof:
        inputs, index = self.told.played.inputs, self._slot(group, row, other)
        owner, peer = inputs.seat(group, row), inputs.seat(group, other)
        width, survived = inputs.layout.width, owner in inputs.survivors
        hashes = [inputs.seed_hash(owner, at) if survived and owner is not None else ZERO32 for at in range(width)]
        return SeedProof(
            group=group,
            row=row,
            other=other,
            seed=self.told.slots.get(index, ZERO32),
            path=self.told.beside(Tree.UNMASK, index),
            position=owner or Position(0),
            other_position=peer or Position(0),
            frozen=inputs.frozen,
            committed=self._committed(owner),
            seed_hash=hashes[other],
            hash_path=prove([leaf_hash(one) for one in hashes], other),
            base=inputs.before,
            peer=inputs.layout.roster[peer or Position(0)].address,
            committed_seed=inputs.seeds.get((owner or Position(0), other), ZERO32),
        )

    def total(self) -> TotalProof:
        tree = self.told.trees[-1]
        below = tree.node(1)
        return TotalProof(tree.way(1, self._beside(tree.chunk)), tree.value(1), below.left, below.right)

    def weight(self, group: int) -> WeightProof:
        inputs = self.told.played.inputs
        return WeightProof(group, inputs.layout.tables[group], inputs.frozen, self._group_sum(group, inputs.chunks - 1))

    def range(self, group: int, chunk: int) -> RangeProof:
        return RangeProof(
            group, self._group_sum(group, self.told.played.inputs.chunks - 1), self._group_sum(group, chunk)
        )

    def quarantine(self, group: int) -> QuarantineProof:
        inputs, last = self.told.played.inputs, self.told.played.inputs.chunks - 1
        lanes = self._group_sum(group, min(last, self.told.causes.get(group, 0)))
        seats = inputs.layout.tables[group]
        return QuarantineProof(group, self.told.manifest, seats, inputs.frozen, self._group_sum(group, last), lanes)

    def padding(self, tree: Tree) -> PaddingProof:
        hashes = self.told.hashes(tree)[: len(self.told.leaves(tree))]
        if not hashes:
            return PaddingProof(tree, ZERO32, ())
        return PaddingProof(tree, hashes[-1], self.told.beside(tree, len(hashes) - 1))

    def rule(self, chunk: int) -> RuleProof:
        inputs, width = self.told.played.inputs, self._width
        old = lanes_to_bytes(inputs.model)
        return RuleProof(
            base=inputs.before,
            chunk=chunk,
            leaf=self.told.hashes(Tree.MODEL)[chunk],
            leaf_beside=self.told.beside(Tree.MODEL, chunk),
            old=old[CHUNK_BYTES * chunk : CHUNK_BYTES * (chunk + 1)],
            old_beside=prove(chunk_hashes(old), chunk),
            total=self._top(chunk),
            state=self.told.state[CHUNK_BYTES * width * chunk : CHUNK_BYTES * width * (chunk + 1)],
            state_beside=self.told.beside(Tree.STATE, width * chunk)[width - 1 :] if width else (),
        )

    def state(self, chunk: int, lane: int) -> StateProof:
        inputs, place = self.told.played.inputs, chunk * self._width + lane
        old = lanes_to_bytes(inputs.state)
        is_first = inputs.before.claim is None
        return StateProof(
            base=inputs.before,
            chunk=chunk,
            lane=lane,
            leaf=self.told.hashes(Tree.STATE)[place],
            leaf_beside=self.told.beside(Tree.STATE, place),
            old=old[CHUNK_BYTES * place : CHUNK_BYTES * (place + 1)],
            old_beside=() if is_first else prove(chunk_hashes(old), place),
            total=self._top(chunk),
        )

    @property
    def _width(self) -> int:
        return rule_of(self.told.played.inputs.terms).state_lanes

    def _slot(self, group: int, row: int, other: int) -> int:
        return unmask_index(group, row, other, self.told.played.inputs.layout.width)

    def _beside(self, chunk: int) -> Hashes:
        return self.told.beside(Tree.SUM, chunk)

    def _committed(self, owner: Position | None) -> Committed:
        inputs = self.told.played.inputs
        return inputs.commitments[owner] if owner in inputs.survivors and owner is not None else NOTHING_COMMITTED

    def _group_sum(self, group: int, chunk: int) -> GroupSum:
        return self.told.trees[chunk].group_sum(group, self._beside(chunk))

    def _top(self, chunk: int) -> Total:
        tree = self.told.trees[chunk]
        below = tree.node(1)
        return Total(tree.value(1), below.left, below.right, self._beside(chunk))
