"""How a round's groups were opened by parts, audited: bundles, stored vectors, and what the openers published."""

from __future__ import annotations

from collections.abc import Mapping

from foedus.aggregator.aggregate import ProposalManifest
from foedus.aggregator.audit_scene import Scene
from foedus.aggregator.freeze import Fault
from foedus.aggregator.layout import ENVELOPE_LIMIT
from foedus.aggregator.modes import Bundle, VectorMode
from foedus.aggregator.parts import MalformedParts, Opened, PartKey, open_parts, parts_from_bytes, parts_limit
from foedus.protocol.cids import block_cid
from foedus.protocol.ids import Position


async def audit_parts(mode: VectorMode, scene: Scene, hints: ProposalManifest | None) -> Opened | None:
    """What the published parts open, all of it checked; None where something is missing or wrong."""
    if not mode.may_aggregate(scene.layout, scene.context, scene.proposal.position):
        shown = f"position {scene.proposal.position}, who opens a group"
        scene.evidence.refute("aggregator", scene.proposal.aggregator, "one who may aggregate", shown)
    bundles = {position: bundle for position in scene.members() if (bundle := await _bundle(mode, scene, position))}
    whole = len(bundles) == len(scene.members())
    if whole:
        scene.evidence.verified += ["bundles", "update_roots"]
    parts = await _parts(mode, scene, hints) if hints is not None else None
    if parts is None or not whole:
        return None

    def of(group: int) -> Mapping[Position, Bundle]:
        return {position: bundles[position] for position in scene.layout.members_of(group, bundles.keys())}

    lanes = scene.plan.manifest.update_lanes
    found = open_parts(mode, scene.layout, scene.context, scene.freeze.survivors, of, parts, lanes, groups=scene.opened)
    for fault in found.faults:
        scene.evidence.refute(f"part of group {fault.group}", scene.address(fault.member), "one that fits", fault.why)
    for group in sorted(found.wanted):
        scene.evidence.refute("parts", scene.proposal.aggregator, f"enough to open group {group}", "fewer")
    if found.faults or found.wanted:
        return None
    scene.evidence.verified.append("parts")
    return found.opened


async def _bundle(mode: VectorMode, scene: Scene, position: Position) -> Bundle | None:
    """A survivor's bundle, as committed; None with a finding."""
    commitment = scene.round.commitments[position]
    cid, owner = block_cid(commitment.bundle), commitment.participant
    sealed = await scene.evidence.fetch("bundle", cid, ENVELOPE_LIMIT, owner, commitment.bundle)
    if sealed is None:
        return None
    read = mode.check_envelope(scene.layout, commitment, sealed)
    if isinstance(read, Fault):
        scene.note(read, owner)
        return None
    lanes = scene.plan.manifest.update_lanes
    vector = await scene.evidence.fetch("update", read.update, mode.vector_limit(lanes), owner)
    if vector is None:
        return None
    beside = []
    for blob in mode.beside(scene.layout, read, None, lanes):
        fetched = await scene.evidence.fetch("bundle", blob.cid, blob.limit, owner)
        if fetched is None:
            return None
        beside.append(fetched)
    wrong = mode.check_vector(commitment, vector, lanes)
    faults = [*([wrong] if wrong else []), *mode.check_beside(scene.layout, scene.context, read, vector, beside, None)]
    for fault in faults:
        scene.note(fault, owner)
    return None if faults else Bundle(read, vector, tuple(beside))


async def _parts(mode: VectorMode, scene: Scene, hints: ProposalManifest) -> dict[PartKey, bytes] | None:
    lanes, proposer = scene.plan.manifest.update_lanes, scene.proposal.aggregator
    limit = parts_limit(mode, scene.layout, lanes)
    blob = await scene.evidence.fetch("unmask", hints.unmask, limit, proposer)
    if blob is None:
        return None
    try:
        return parts_from_bytes(mode, scene.layout, scene.context, lanes, blob)
    except MalformedParts as error:
        scene.evidence.refute("unmask", proposer, "a canonical list of parts", str(error))
        return None
