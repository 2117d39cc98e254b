"""How a round's groups were opened by seeds, audited: bundles, stored vectors, and the seeds that became public."""

from __future__ import annotations

from collections.abc import Mapping

from foedus.aggregator.aggregate import ProposalManifest, opened_by_seeds
from foedus.aggregator.audit_scene import Scene
from foedus.aggregator.bundle import Envelope
from foedus.aggregator.freeze import check_envelope, check_update, find_disputes
from foedus.aggregator.layout import ENVELOPE_LIMIT
from foedus.aggregator.messages import Slot
from foedus.aggregator.parts import Opened
from foedus.aggregator.unmask import public_slots, seed_fits
from foedus.aggregator.unmasked import MalformedUnmask, unmask_from_bytes, unmask_limit
from foedus.protocol.cids import block_cid
from foedus.protocol.ids import Position, Seed


async def audit_seeds(scene: Scene, hints: ProposalManifest | None) -> Opened | None:
    """What the published seeds open, all of it checked; None where something is missing or wrong."""
    envelopes = await _envelopes(scene)
    vectors = await _vectors(scene, envelopes)
    seeds = await _seeds(scene, envelopes, hints) if hints is not None else None
    if seeds is None or any(p not in vectors for p in scene.members()):
        return None
    return opened_by_seeds(scene.layout, scene.freeze.survivors, vectors, seeds)


async def _envelopes(scene: Scene) -> dict[Position, Envelope]:
    """The envelopes of survivors and of disputed pairs that match their commitments; and who disagrees."""
    wanted = scene.freeze.survivors | {position for pair in scene.freeze.disputes for position in pair}
    envelopes: dict[Position, Envelope] = {}
    for position in sorted(wanted & scene.round.commitments.keys()):
        commitment = scene.round.commitments[position]
        cid, owner = block_cid(commitment.bundle), commitment.participant
        blob = await scene.evidence.fetch("bundle", cid, ENVELOPE_LIMIT, owner, commitment.bundle)
        if blob is None:
            continue
        read = check_envelope(scene.layout, commitment, blob)
        if isinstance(read, Envelope):
            envelopes[position] = read
        elif position in scene.freeze.survivors:
            scene.note(read, owner)
    if scene.freeze.survivors <= envelopes.keys():
        scene.evidence.verified.append("bundles")
    found = find_disputes(scene.layout, envelopes)
    for pair in sorted(found):
        if set(pair) <= scene.freeze.survivors:
            for position in pair:
                shown = f"positions {pair[0]} and {pair[1]} disagree about their seed"
                scene.evidence.refute("survivors", scene.address(position), "survivors that agree", shown)
    for low, high in sorted(scene.freeze.disputes):
        if {low, high} <= envelopes.keys() and (low, high) not in found:
            scene.evidence.refute("disputes", None, f"positions {low} and {high} disagree", "they agree")
    return envelopes


async def _vectors(scene: Scene, envelopes: Mapping[Position, Envelope]) -> dict[Position, bytes]:
    """The masked vectors of opened groups' survivors that match their roots."""
    lanes = scene.plan.manifest.update_lanes
    vectors: dict[Position, bytes] = {}
    for position in scene.members():
        if position not in envelopes:
            continue
        commitment = scene.round.commitments[position]
        owner = commitment.participant
        blob = await scene.evidence.fetch("masked update", envelopes[position].update, 4 * lanes, owner)
        if blob is None:
            continue
        fault = check_update(commitment, blob, lanes)
        if fault is None:
            vectors[position] = blob
        else:
            scene.note(fault, owner)
    if all(position in vectors for position in scene.members()):
        scene.evidence.verified.append("update_roots")
    return vectors


async def _seeds(
    scene: Scene, envelopes: Mapping[Position, Envelope], hints: ProposalManifest
) -> dict[Slot, Seed] | None:
    """The public seeds: exactly those that the opened groups demand, each as committed; None where they are not."""
    proposer = scene.proposal.aggregator
    blob = await scene.evidence.fetch("unmask", hints.unmask, unmask_limit(scene.layout), proposer)
    if blob is None:
        return None
    try:
        seeds = unmask_from_bytes(scene.layout, blob)
    except MalformedUnmask as error:
        scene.evidence.refute("unmask", proposer, "a canonical list of seeds", str(error))
        return None
    before = len(scene.evidence.findings)
    slots = public_slots(scene.layout, scene.freeze.survivors)
    due = {slot for slot in slots if scene.layout.group(slot[0]) in scene.opened}
    for owner, row in sorted(due - seeds.keys()):
        scene.evidence.refute(f"seed of row {row}", scene.address(owner), "published", "missing")
    for owner, row in sorted(seeds.keys() - due):
        scene.evidence.refute(f"seed of row {row}", scene.address(owner), "kept secret", "published")
    for (owner, row), seed in sorted(seeds.items()):
        if (owner, row) not in due or owner not in envelopes:
            continue
        if not seed_fits(scene.layout, scene.context, envelopes[owner], row, seed):
            committed = envelopes[owner].hash_of(row).hex()
            scene.evidence.refute(f"seed of row {row}", scene.address(owner), committed, "another hash")
    if len(scene.evidence.findings) > before:
        return None
    scene.evidence.verified.append("seeds")
    return seeds
