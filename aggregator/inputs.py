"""All that a round's aggregate follows from, beside the claim's own choices: what a watcher holds to judge it by."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from foedus.aggregator.bundle import Envelope
from foedus.aggregator.chunktree import ChunkTree
from foedus.aggregator.integers import Int32
from foedus.aggregator.layout import Layout
from foedus.aggregator.messages import Slot
from foedus.aggregator.modes import Bundle
from foedus.aggregator.sumslots import SumShape
from foedus.aggregator.sumtree import GroupLeaves, Node, group_leaves, group_nodes, top_node
from foedus.aggregator.tops import tops_of
from foedus.protocol.bitmap import to_bitmap
from foedus.protocol.chunks import CHUNK_LANES
from foedus.protocol.commitments import Context
from foedus.protocol.ids import ZERO32, Position, Seed
from foedus.protocol.manifest import Manifest
from foedus.protocol.proofs import Base, Committed
from foedus.protocol.terms import Terms


@dataclass(frozen=True)
class Inputs:
    """A round after its freeze.

    signers: the bitmap of those who signed the freeze; commitments, envelopes, vectors: of all survivors, checked
    against one another; seeds: what is known of the survivors' secrets, each as committed; before: what the claim
    builds on; model, state: int32, the lanes that the round trained from and the server's state; bundles: in place of
    envelopes and seeds, where sums are opened by parts.
    """

    terms: Terms
    manifest: Manifest
    layout: Layout
    context: Context
    survivors: frozenset[Position]
    signers: bytes
    commitments: Mapping[Position, Committed] = field(repr=False)
    envelopes: Mapping[Position, Envelope] = field(repr=False)
    vectors: Mapping[Position, bytes] = field(repr=False)
    seeds: Mapping[Slot, Seed] = field(repr=False)
    before: Base = field(repr=False)
    model: Int32 = field(repr=False)
    state: Int32 = field(repr=False)
    bundles: Mapping[Position, Bundle] = field(default_factory=dict, repr=False)

    @property
    def shape(self) -> SumShape:
        return SumShape.of(self.layout.groups)

    @property
    def frozen(self) -> bytes:
        """The bitmaps of survivors and of the freeze's signers, one after the other."""
        return to_bitmap(self.survivors, self.layout.groups.domain) + self.signers

    @property
    def chunks(self) -> int:
        """Chunks of an update: the model's, and one for the weight and the metrics."""
        return self.manifest.update_lanes // CHUNK_LANES

    def members(self, group: int) -> tuple[Position, ...]:
        """The survivors of a group, in row order."""
        return self.layout.members_of(group, self.survivors)

    def seat(self, group: int, row: int) -> Position | None:
        """Who sits at a row in the epoch, on the roster or not; None where no seat is."""
        table = self.layout.tables[group]
        return table[row] if row < len(table) else None

    def seed_hash(self, owner: Position, row: int) -> bytes:
        """The hash of the seed that a survivor committed to at a row; zero where it has no mask there."""
        envelope = self.envelopes[owner]
        return envelope.hash_of(row) if row in envelope.rows else ZERO32

    def due(self, owner: Position, row: int) -> bool:
        """Whether a survivor's seed at a row becomes public once its group is opened, by what it committed to."""
        own = self.layout.row(owner) == row
        return (own or self.seat(self.layout.group(owner), row) not in self.survivors) and any(
            self.seed_hash(owner, row)
        )

    def due_slots(self, group: int) -> list[Slot]:
        """All seeds that become public once a group is opened."""
        return [
            (owner, row)
            for owner in self.members(group)
            for row in range(len(self.layout.tables[group]))
            if self.due(owner, row)
        ]


def seed_leaves(inputs: Inputs, opened: Collection[int], seeds: Mapping[Slot, Seed]) -> dict[int, GroupLeaves]:
    """The leaves of a claim's own choice of groups and seeds. Raises KeyError where a survivor's vector is missing."""
    return {
        group: group_leaves(inputs.layout, group, inputs.survivors, inputs.vectors, seeds)
        for group in sorted(opened)
        if inputs.members(group)
    }


@dataclass(frozen=True)
class Sums:
    """The sum trees of a claim's opened groups, made again: one tree a chunk, `nodes` by group."""

    shape: SumShape
    leaves: Mapping[int, GroupLeaves] = field(repr=False)
    quarantined: frozenset[int]
    nodes: Mapping[int, Node] = field(repr=False)
    tops: list[bytes] = field(repr=False)

    @classmethod
    def of(
        cls, inputs: Inputs, leaves: Mapping[int, GroupLeaves], quarantined: frozenset[int], workers: int = 1
    ) -> Sums:
        """leaves: of the opened groups, as `seed_leaves` or `parts.open_parts` make them."""
        layout, chunks = inputs.layout, inputs.chunks
        nodes = group_nodes(layout.width, leaves, chunks, workers)
        top = top_node(layout.width, layout.groups.count, nodes, chunks, quarantined)
        return cls(inputs.shape, leaves, quarantined, nodes, tops_of(top))

    def tree(self, chunk: int) -> ChunkTree:
        """One chunk's tree, whole."""
        return ChunkTree.of(self.shape, chunk, self.leaves, self.quarantined)
