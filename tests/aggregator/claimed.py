"""What an aggregator claims of a round, and all that it holds to show for it. Where it lies, the rest follows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, Self

import numpy as np

from foedus.aggregator.aggregate import ProposalManifest
from foedus.aggregator.chunktree import ChunkTree
from foedus.aggregator.inputs import Sums, seed_leaves
from foedus.aggregator.messages import Slot
from foedus.aggregator.rules import rule_of
from foedus.aggregator.testimony import ShownLeaf, ShownNodes, Testimony
from foedus.aggregator.unmasked import VERSION, unmask_index
from foedus.network.cid import cid_of
from foedus.protocol.bitmap import from_bitmap, to_bitmap
from foedus.protocol.chunks import CHUNK_BYTES, lanes_to_bytes
from foedus.protocol.claims import NO_CLAIM, Case, Claim, genesis, proposal_name
from foedus.protocol.events import Aggregate
from foedus.protocol.fixedpoint import signed
from foedus.protocol.ids import ZERO32, Hash32, Position, Seed, Wei
from foedus.protocol.law import Law
from foedus.protocol.merkle import leaf_hash, levels_of, prove
from foedus.protocol.proofs import Demand, Hashes, Tree
from tests.aggregator.bent_trees import lanes_of
from tests.aggregator.rounds import Played


@dataclass(frozen=True)
class Claimed:
    """A claim and what is under its roots.

    causes: the chunk named for each quarantined group; slots: the published seeds by their leaf; trees: one a chunk;
    padding: what a tree has in the first place that only fills it up; changes: what the aggregator says that follows
    from nothing; place: what the task says of the claim's place, where it is not the round's.
    """

    played: Played
    opened: frozenset[int]
    quarantined: frozenset[int]
    causes: Mapping[int, int]
    slots: Mapping[int, bytes] = field(repr=False)
    trees: tuple[ChunkTree, ...] = field(repr=False)
    weight: int = 0
    model: bytes = field(default=b"", repr=False)
    state: bytes = field(default=b"", repr=False)
    padding: Mapping[Tree, bytes] = field(default_factory=dict)
    changes: Mapping[str, Any] = field(default_factory=dict)
    place: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        played: Played,
        opened: Collection[int],
        quarantined: Collection[int],
        causes: Mapping[int, int],
        seeds: Mapping[Slot, Seed] | None = None,
    ) -> Self:
        """What follows from a choice of groups, and of seeds where they are not the true ones."""
        inputs, layout = played.inputs, played.world.layout
        known = played.inputs.seeds if seeds is None else seeds
        public = {slot: seed for slot, seed in known.items() if layout.group(slot[0]) in opened}
        sums = Sums.of(inputs, seed_leaves(inputs, opened, public), frozenset(quarantined))
        slots = {unmask_index(*layout.places[owner], row, layout.width): seed for (owner, row), seed in public.items()}
        trees = tuple(map(sums.tree, range(inputs.chunks)))
        return cls(played, frozenset(opened), frozenset(quarantined), causes, slots, trees).stepped()

    @classmethod
    def honest(cls, played: Played) -> Self:
        """The outcome that `aggregate` gives."""
        made, count = played.outcome, played.world.layout.groups.count
        opened, left_out = from_bitmap(made.groups, count), from_bitmap(made.quarantined, count)
        return cls.of(played, opened, left_out, made.causes)

    def stepped(self) -> Self:
        """With the weight, model and state that the trees make."""
        inputs = self.played.inputs
        *model, last = (lanes_of(tree.value(1)) for tree in self.trees)
        is_sum = self.trees[0].shape.count > 1 or not self.quarantined
        total = signed(np.concatenate(model)) if is_sum else np.zeros(inputs.manifest.model_lanes, dtype=np.int32)
        weight = max(0, int(signed(last)[0])) if is_sum else 0
        after, state = rule_of(inputs.terms).step(inputs.model, inputs.state, total, weight)
        return replace(self, weight=weight, model=lanes_to_bytes(after), state=lanes_to_bytes(state))

    def with_tree(self, tree: ChunkTree) -> Self:
        """With another tree for its chunk."""
        trees = tuple(tree if tree.chunk == one.chunk else one for one in self.trees)
        return replace(self, trees=trees)

    @property
    def silent(self) -> frozenset[int]:
        """The quarantined groups' nodes."""
        return frozenset(map(self.trees[0].shape.group_node, self.quarantined))

    def leaves(self, tree: Tree) -> list[bytes]:
        """All leaves of a tree, in order."""
        if tree is Tree.SUM:
            return [one.hash(1) for one in self.trees]
        if tree is Tree.UNMASK:
            layout = self.played.world.layout
            return [self.slots.get(index, ZERO32) for index in range(layout.groups.count * layout.width**2)]
        blob = self.model if tree is Tree.MODEL else self.state
        return [blob[at : at + CHUNK_BYTES] for at in range(0, len(blob), CHUNK_BYTES)]

    def hashes(self, tree: Tree) -> list[bytes]:
        """The leaf hashes, then what stands in the padding."""
        made = [leaf_hash(leaf) for leaf in self.leaves(tree)]
        return [*made, self.padding[tree]] if tree in self.padding else made

    def root(self, tree: Tree) -> Hash32:
        """The root, of as many leaves as are due, whatever is in the padding."""
        count = len(self.leaves(tree))
        top = levels_of(self.hashes(tree))[-1][0]
        return Hash32(sha256(b"\x02" + count.to_bytes(8, "big") + top).digest())

    def beside(self, tree: Tree, index: int) -> Hashes:
        return prove(self.hashes(tree), index)

    @property
    def manifest(self) -> bytes:
        """The proposal's block."""
        cids = [cid_of(blob or b"") for blob in (self.model, self.unmask, self.tops)]
        state = cid_of(self.state) if self.state else None
        return ProposalManifest(cids[0], cids[1], cids[2], state, self.causes).to_bytes()

    @property
    def tops(self) -> bytes:
        return b"".join(self.leaves(Tree.SUM))

    @property
    def unmask(self) -> bytes:
        """The list of seeds; those in rows that nobody has cannot be listed."""
        tables, width = self.played.world.layout.tables, self.played.world.layout.width
        rows = []
        for index, seed in self.slots.items():
            table, (own, other) = tables[index // width**2], divmod(index % width**2, width)
            if own < len(table) and any(seed):
                rows.append(table[own].to_bytes(2, "big") + other.to_bytes(2, "big") + seed)
        return VERSION + b"".join(sorted(rows))

    @property
    def claim(self) -> Aggregate:
        count = self.played.world.layout.groups.count
        made = Aggregate(
            sum_root=self.root(Tree.SUM),
            unmask_root=self.root(Tree.UNMASK),
            state_root=self.root(Tree.STATE) if self.state else ZERO32,
            model_root=self.root(Tree.MODEL),
            payout_root=ZERO32,
            manifest=Hash32(sha256(self.manifest).digest()),
            payout_total=Wei(0),
            total_weight=self.weight,
            groups=to_bitmap(map(Position, self.opened), count),
            quarantined=to_bitmap(map(Position, self.quarantined), count),
        )
        return replace(made, **self.changes)

    def testimony(self, *hidden: str) -> Testimony:
        """All blobs, as published, but those hidden."""
        blobs = {
            "manifest": self.manifest,
            "tops": self.tops,
            "unmask": self.unmask,
            "model": self.model,
            "state": self.state or None,
        }
        return Testimony(**{name: blob for name, blob in blobs.items() if name not in hidden})

    def answered(self, heard: Testimony, demand: Demand) -> Testimony:
        """What is known once the aggregator has answered a demand as its claim has it."""
        if demand.tree is Tree.SUM:
            path = self.trees[demand.index].path(demand.node)
            shown = ShownNodes(demand.node, path, self.beside(Tree.SUM, demand.index))
            before = heard.nodes.get(demand.index, ())
            return replace(heard, nodes={**heard.nodes, demand.index: (*before, shown)})
        leaf = ShownLeaf(self.leaves(demand.tree)[demand.index], self.beside(demand.tree, demand.index))
        return replace(heard, leaves={**heard.leaves, (demand.tree, demand.index): leaf})

    @property
    def case(self) -> Case:
        """The claim before the court."""
        world, inputs = self.played.world, self.played.inputs
        base = inputs.before
        made: Claim = replace(
            NO_CLAIM,
            round=world.round_.number,
            attempt=world.round_.attempt,
            opening=world.round_.opening,
            domain=world.members,
            eligible=world.members,
            aggregator=world.layout.roster[Position(0)].address,
            epoch_seed=world.round_.seed,
            frozen=Hash32(sha256(inputs.frozen).digest()),
            aggregate=self.claim,
        )
        before = Hash32(base.before)
        name = genesis(before) if base.claim is None else proposal_name(before, base.claim.digest)
        law = Law.of(inputs.terms, inputs.manifest)
        return Case(inputs.context.task, law, name, replace(made, **self.place), ())
