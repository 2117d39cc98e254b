"""A round that is claimed wrongly in every way at once, of any size, and what refutes it.

Of the claimed trees only what the proofs touch is made. The hashes beside are made up, so that the proofs are as long
as those of a whole round.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from random import Random

from foedus.aggregator.chunktree import ChunkTree
from foedus.aggregator.seeds import self_seed
from foedus.aggregator.sumslots import MaskSlot, SumShape, UpdateSlot
from foedus.aggregator.sumtree import GroupLeaves
from foedus.aggregator.unmasked import unmask_index
from foedus.protocol.chunks import CHUNK_BYTES, CHUNK_LANES
from foedus.protocol.groups import Groups
from foedus.protocol.ids import ZERO32, Hash32, Position
from foedus.protocol.merkle import leaf_hash, prove, root_of_hashes
from foedus.protocol.proofs import Committed, LeafProof, MaskProof, RuleProof, StateProof, SumProof, Way
from tests.aggregator.bent_trees import raised, with_value
from tests.aggregator.ruling import Int32
from tests.contracts.rule_scenes import Deep, spoiled


@dataclass
class Wrong:
    """The claim. chunk: whose sums are wrong; deep: the step of the rule, of another chunk, and the model's size."""

    groups: Groups
    chunk: int
    deep: Deep
    random: Random = field(default_factory=lambda: Random(7))

    @cached_property
    def table(self) -> tuple[Position, ...]:
        """The seats of the group in which the lies are."""
        return self.groups.tables()[0]

    @property
    def out(self) -> Position:
        """Who does not survive: the highest seat, so that its peers' masks are subtracted."""
        return max(self.table)

    @property
    def owner(self) -> Position:
        """Whose update and mask are wrong."""
        return next(seat for seat in self.table if seat != self.out)

    @cached_property
    def update(self) -> tuple[bytes, list[bytes]]:
        """The owner's chunk, and the hashes of all chunks of its update."""
        chunk = self.random.randbytes(CHUNK_BYTES)
        return chunk, self._among(leaf_hash(chunk), self.chunk, self.deep.count + 1)

    @cached_property
    def seed(self) -> bytes:
        """What is published for the wrong mask."""
        return self_seed(self.random.randbytes)

    @cached_property
    def seeds(self) -> list[bytes]:
        """The hashes of all published seeds."""
        return self._among(leaf_hash(self.seed), self._slot, self.groups.count * self.groups.width**2)

    @cached_property
    def tree(self) -> ChunkTree:
        """The sum tree of the chunk: of updates and masks that nobody made, with one sum that is wrong."""
        shape, groups = SumShape.of(self.groups), {}
        for group, table in enumerate(self.groups.tables()):
            rows = [row for row, seat in enumerate(table) if seat != self.out]
            pairs = [self._pair.other << shape.rows | row for row in rows if group == 0]
            groups[group] = GroupLeaves(
                updates={row: self.random.randbytes(CHUNK_BYTES) for row in rows},
                selves={row: self_seed(self.random.randbytes) for row in rows},
                pairs={at: (self_seed(self.random.randbytes), 1) for at in pairs},
            )
        tree = ChunkTree.of(shape, 0, groups)
        return replace(with_value(tree, self._node, raised(tree.value(self._node), 0)), chunk=self.chunk)

    @cached_property
    def tops(self) -> list[bytes]:
        """The leaf hashes of all chunks' tops: the step's proofs go by the same."""
        self.deep.tops[self.chunk] = leaf_hash(self.tree.hash(1))
        return self.deep.tops

    @cached_property
    def model(self) -> Int32:
        return spoiled(self.deep.step.due[0], 7)

    @cached_property
    def state(self) -> Int32:
        """Wrong in the lane that is the dearest to judge."""
        state = self.deep.step.due[1]
        return spoiled(state, state.size - CHUNK_LANES + 7) if state.size else state

    @property
    def roots(self) -> dict[str, Hash32]:
        """What is claimed."""
        return {
            "sum_root": root_of_hashes(self.tops),
            "unmask_root": root_of_hashes(self.seeds),
            "model_root": self.deep.tree(self.model)[1],
            "state_root": self.deep.tree(self.state)[1] if self.state.size else ZERO32,
        }

    def sum_proof(self) -> SumProof:
        node, whole = self._node, self.tree.node(self._node)
        return SumProof(
            self._way(node), node, whole.value, self.tree.summand(2 * node), self.tree.summand(2 * node + 1)
        )

    def leaf_proof(self, frozen: bytes, committed: Committed) -> LeafProof:
        """frozen: the bitmaps of survivors and of the freeze's signers; committed: the owner's, of `update`."""
        row = self._pair.row
        leaf = self.tree.shape.leaf(UpdateSlot(0, row))
        way, path = self._way(leaf), prove(self.update[1], self.chunk)
        return LeafProof(way, 0, row, self.tree.hash(leaf), self.owner, frozen, committed, self.update[0], path)

    def mask_proof(self) -> MaskProof:
        pair = self._pair
        leaf = self.tree.shape.leaf(pair)
        path = prove(self.seeds, self._slot)
        words = (self._way(leaf), 0, pair.row, pair.other, True, self.tree.hash(leaf), self.seed, path)
        return MaskProof(*words, self.owner, self.out)

    def rule_proof(self) -> RuleProof:
        """Of the new model."""
        return self.deep.rule_proof(self.model, self.state)

    def state_proof(self) -> StateProof:
        """Of the new state's last lane."""
        return self.deep.state_proof(self.state, self.deep.step.rule.state_lanes - 1)

    @property
    def _pair(self) -> MaskSlot:
        return MaskSlot(0, self.table.index(self.owner), self.table.index(self.out), True)

    @property
    def _slot(self) -> int:
        return unmask_index(0, self._pair.row, self._pair.other, self.groups.width)

    @property
    def _node(self) -> int:
        """Of those with inner nodes below, one that is as far down as any: no proof of a sum is longer."""
        return SumShape.of(self.groups).leaf(self._pair) >> 2

    def _way(self, node: int) -> Way:
        return self.tree.way(node, prove(self.tops, self.chunk))

    def _among(self, own: bytes, at: int, count: int) -> list[bytes]:
        hashes = [self.random.randbytes(32) for _ in range(count)]
        hashes[at] = own
        return hashes
