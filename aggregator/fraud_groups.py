"""Which groups a claim opens and leaves out, and the weight that it divides by: what its own sums say of them."""

from __future__ import annotations

from hashlib import sha256

from foedus.aggregator.causes import named_cause
from foedus.aggregator.chunktree import beside
from foedus.aggregator.inputs import Inputs, Sums
from foedus.aggregator.sumtree import flat
from foedus.aggregator.testimony import Testimony
from foedus.aggregator.update import dishonest_chunk, group_weight
from foedus.aggregator.verdicts import Finding, Unprovable
from foedus.protocol.bitmap import MalformedBitmap, from_bitmap
from foedus.protocol.chunks import CHUNK_LANES
from foedus.protocol.events import Aggregate
from foedus.protocol.fixedpoint import signed
from foedus.protocol.proofs import (
    NO_SUM,
    GroupSum,
    QuarantineProof,
    RangeProof,
    SetsProof,
    TotalProof,
    WeightProof,
)


def sets_of(inputs: Inputs, claim: Aggregate) -> tuple[frozenset[int], frozenset[int]] | SetsProof:
    """The groups that a claim opens, and those of them that it leaves out; a proof where it does not say."""
    count = inputs.layout.groups.count
    try:
        opened, quarantined = from_bitmap(claim.groups, count), from_bitmap(claim.quarantined, count)
    except MalformedBitmap:
        return SetsProof()
    return (frozenset(opened), frozenset(quarantined)) if quarantined <= opened else SetsProof()


def find_wrong_group(inputs: Inputs, claim: Aggregate, opened: frozenset[int], sums: Sums) -> Finding | None:
    """A proof that a group is opened without survivors, or counts with a sum that no honest updates make."""
    for group in sorted(opened):
        members, seats = inputs.members(group), inputs.layout.tables[group]
        if not members:
            return WeightProof(group, seats, inputs.frozen, NO_SUM)
        chunk = dishonest_chunk(inputs.terms, inputs.manifest, flat(sums.nodes[group]), len(members))
        if chunk is None or group in sums.quarantined:
            continue
        weight = _sum(inputs, sums, group, inputs.chunks - 1)
        if chunk == inputs.chunks - 1:
            return WeightProof(group, seats, inputs.frozen, weight)
        return RangeProof(group, weight, _sum(inputs, sums, group, chunk))
    return None


def find_wrong_quarantine(inputs: Inputs, claim: Aggregate, sums: Sums, testimony: Testimony) -> Finding | None:
    """A proof that a group is left out whose sum, in the chunk that the claim names, honest updates can make."""
    block, last = testimony.manifest, inputs.chunks - 1
    for group in sorted(sums.quarantined):
        if block is None or sha256(block).digest() != claim.manifest:
            return Unprovable(f"group {group} is quarantined, and the manifest that tells why is not to be had")
        members, seats = inputs.members(group), inputs.layout.tables[group]
        lanes, named = flat(sums.nodes[group]), named_cause(block, group)
        if named is None or named > last:
            return QuarantineProof(group, block, (), b"", NO_SUM, NO_SUM)
        weight = group_weight(inputs.manifest, lanes)
        if not len(members) <= weight <= len(members) * inputs.terms.max_weight:
            continue
        chunk = signed(lanes)[CHUNK_LANES * named : CHUNK_LANES * (named + 1)]
        if named < last and not inputs.terms.grid.in_range(chunk, weight):
            continue
        shown = _sum(inputs, sums, group, named) if named < last else NO_SUM
        return QuarantineProof(group, block, seats, inputs.frozen, _sum(inputs, sums, group, last), shown)
    return None


def find_wrong_total(inputs: Inputs, claim: Aggregate, sums: Sums) -> TotalProof | None:
    """A proof that the total weight is not that of the groups which count."""
    counted = sums.nodes.keys() - sums.quarantined
    if claim.total_weight == sum(group_weight(inputs.manifest, flat(sums.nodes[group])) for group in counted):
        return None
    tree = sums.tree(inputs.chunks - 1)
    below = tree.node(1)
    return TotalProof(tree.way(1, beside(sums.tops, tree.chunk)), tree.value(1), below.left, below.right)


def _sum(inputs: Inputs, sums: Sums, group: int, chunk: int) -> GroupSum:
    return sums.tree(chunk).group_sum(group, beside(sums.tops, chunk))
