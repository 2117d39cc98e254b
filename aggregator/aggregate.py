"""From open groups to the next model, and the roots that a proposal stakes on it.

Everyone who holds the survivors' vectors and the public seeds gets these same bytes: the aggregator proposes them, the
committee attests them, an auditor compares them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from foedus.aggregator.causes import HEAD, ROW, MalformedCauses, causes_of, causes_to_bytes
from foedus.aggregator.layout import Layout
from foedus.aggregator.messages import Slot
from foedus.aggregator.parts import Opened
from foedus.aggregator.rules import rule_of, state_root_of
from foedus.aggregator.sumtree import flat, group_leaves, group_nodes, sum_root, top_node
from foedus.aggregator.tops import tops_blob
from foedus.aggregator.unmask import public_rows
from foedus.aggregator.unmasked import unmask_root, unmask_to_bytes
from foedus.aggregator.update import decode_metrics, dishonest_chunk, group_weight
from foedus.protocol.bitmap import to_bitmap
from foedus.protocol.chunks import CHUNK_LANES, Lanes, MalformedLanes, lanes_to_bytes, vector_root
from foedus.protocol.cids import CID_TEXT, MalformedCid, checked_cid
from foedus.protocol.fixedpoint import signed
from foedus.protocol.ids import Cid, Hash32, Position, Seed
from foedus.protocol.manifest import Manifest
from foedus.protocol.terms import Terms

PROPOSAL_VERSION = b"FDP\x02"


def proposal_limit(groups: int) -> int:
    """The most bytes that a proposal manifest of so many groups has."""
    return HEAD + ROW * groups + 4 * CID_TEXT


class MalformedProposal(ValueError):
    """Bytes that are no proposal manifest."""


@dataclass(frozen=True, slots=True)
class ProposalManifest:
    """The block under an aggregate's `manifest` digest: why groups are quarantined (`causes`), and where the new model,
    the unmask blob, the chunks' top hashes (`tops`), and the new state exactly where the rule has one, are to be found.
    """

    model: Cid
    unmask: Cid
    tops: Cid
    state: Cid | None = None
    causes: Mapping[int, int] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """Version, causes, and 59 bytes a CID."""
        cids = [self.model, self.unmask, self.tops, *([self.state] if self.state is not None else [])]
        texts = (checked_cid(cid.encode()).encode() for cid in cids)
        return PROPOSAL_VERSION + causes_to_bytes(self.causes) + b"".join(texts)

    @classmethod
    def from_bytes(cls, blob: bytes) -> ProposalManifest:
        """Parse. Raises MalformedProposal for anything but what `to_bytes` writes."""
        try:
            causes, start = causes_of(blob)
            places = range(start, len(blob), CID_TEXT)
            if blob[:4] != PROPOSAL_VERSION or len(places) not in (3, 4) or (len(blob) - start) % CID_TEXT:
                raise MalformedProposal(f"{len(blob)} bytes that are no proposal manifest")
            model, unmask, tops, *state = (checked_cid(blob[at : at + CID_TEXT]) for at in places)
        except (MalformedCid, MalformedCauses) as error:
            raise MalformedProposal(str(error)) from error
        return cls(model, unmask, tops, state[0] if state else None, causes)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A round's aggregate.

    model: int32, shape (model_lanes,), and model_blob its bytes; state: int32, shape (model_lanes * state_lanes,), and
    state_blob its bytes; groups and quarantined: bitmaps over groups; tops_blob: all chunks' top hashes; causes: for
    each quarantined group the chunk in which no honest updates make its sum; group_sums: uint32, shape (update_lanes,),
    of every opened group, quarantined or not; metrics: means by weight.
    """

    model: NDArray[np.int32] = field(repr=False, compare=False)
    model_blob: bytes = field(repr=False)
    model_root: Hash32
    state: NDArray[np.int32] = field(repr=False, compare=False)
    state_blob: bytes = field(repr=False)
    state_root: Hash32
    sum_root: Hash32
    unmask_root: Hash32
    unmask_blob: bytes = field(repr=False)
    groups: bytes
    quarantined: bytes
    total_weight: int
    tops_blob: bytes = field(repr=False)
    causes: Mapping[int, int]
    group_sums: Mapping[int, Lanes] = field(repr=False, compare=False)
    metrics: Mapping[str, float]


def open_groups(layout: Layout, survivors: frozenset[Position], seeds: Mapping[Slot, Seed]) -> frozenset[int]:
    """The groups with survivors, all of whose public seeds are there."""
    with_survivors = {layout.group(position) for position in survivors}
    lacking = {
        layout.group(owner)
        for owner in survivors
        for row in public_rows(layout, survivors, owner)
        if (owner, row) not in seeds
    }
    return frozenset(with_survivors - lacking)


def opened_by_seeds(
    layout: Layout,
    survivors: frozenset[Position],
    blobs: Mapping[Position, bytes],
    seeds: Mapping[Slot, Seed],
) -> Opened:
    """What the seeds at hand open, in the modes masked and plain.

    blobs: the stored vectors of survivors of openable groups at least; seeds: checked (`unmask.collect`); extra ones
    are ignored. Raises KeyError where a vector is missing.
    """
    groups = sorted(open_groups(layout, survivors, seeds))
    members = [position for group in groups for position in layout.members_of(group, survivors)]
    public = {(owner, row): seeds[owner, row] for owner in members for row in public_rows(layout, survivors, owner)}
    leaves = {group: group_leaves(layout, group, members, blobs, public) for group in groups}
    return Opened(leaves, unmask_root(layout, public), unmask_to_bytes(public))


def aggregate(
    layout: Layout,
    terms: Terms,
    manifest: Manifest,
    base: NDArray[np.int32],
    state: NDArray[np.int32],
    survivors: frozenset[Position],
    opened: Opened,
    workers: int = 1,
) -> Outcome:
    """Sum every open group, and apply the rule.

    base: int32, shape (model_lanes,); state: int32, what the round before left, or `rules.initial_state`; opened: from
    `opened_by_seeds` or `parts.open_parts`. Raises MalformedLanes where a vector has another length.
    """
    chunks = manifest.update_lanes // CHUNK_LANES
    for group, made in opened.leaves.items():
        for row, blob in (*made.updates.items(), *made.corrections.items()):
            if len(blob) != 4 * manifest.update_lanes:
                raise MalformedLanes(
                    f"group {group}, row {row}: a vector of {len(blob)} bytes, not {4 * manifest.update_lanes}"
                )
    rule = rule_of(terms)
    for name, lanes, due in (
        ("base", base, manifest.model_lanes),
        ("state", state, manifest.model_lanes * rule.state_lanes),
    ):
        if lanes.shape != (due,) or lanes.dtype != np.int32:
            raise MalformedLanes(f"a {name} of shape {lanes.shape}, {lanes.dtype}, where {due} int32 are due")
    nodes = group_nodes(layout.width, opened.leaves, chunks, workers)
    sums = {group: flat(node) for group, node in nodes.items()}
    found = {
        group: dishonest_chunk(terms, manifest, sums[group], len(layout.members_of(group, survivors)))
        for group in sorted(opened.groups)
    }
    causes = {group: chunk for group, chunk in found.items() if chunk is not None}
    honest = opened.groups - causes.keys()
    top = top_node(layout.width, layout.groups.count, nodes, chunks, causes.keys())
    weight = sum(group_weight(manifest, sums[group]) for group in honest)
    model, after = rule.step(base, state, signed(flat(top)[: manifest.model_lanes]), weight)
    blob, state_blob = lanes_to_bytes(model), lanes_to_bytes(after)
    count = layout.groups.count
    return Outcome(
        model=model,
        model_blob=blob,
        model_root=vector_root(blob),
        state=after,
        state_blob=state_blob,
        state_root=state_root_of(rule, state_blob),
        sum_root=sum_root(top),
        unmask_root=opened.root,
        unmask_blob=opened.blob,
        groups=to_bitmap([Position(group) for group in opened.groups], count),
        quarantined=to_bitmap([Position(group) for group in causes], count),
        total_weight=weight,
        tops_blob=tops_blob(top),
        causes=causes,
        group_sums=sums,
        metrics=decode_metrics(terms, manifest, {group: sums[group] for group in honest}),
    )
