"""Keeps every finished round: fetches and pins whatever an auditor needs of it, so that any node's store is enough."""

from __future__ import annotations

import structlog

from foedus.aggregator.aggregate import ProposalManifest
from foedus.aggregator.bundle import parse_envelope
from foedus.aggregator.layout import ENVELOPE_LIMIT
from foedus.aggregator.rules import rule_of
from foedus.aggregator.unmasked import unmask_limit
from foedus.network.cid import cid_of_block_digest
from foedus.node.bench import MANIFEST_LIMIT, Bench
from foedus.protocol.chunks import CHUNK_LANES
from foedus.protocol.ids import Cid
from foedus.protocol.round import Round

log = structlog.get_logger(__name__)


async def archive_round(bench: Bench, round_: Round) -> None:
    """Fetch and pin a finished round's bundles, seeds and model. Raises BlobMissing: then it is tried again later."""
    layout, label = bench.layout(round_), f"{bench.task}/{round_.number}"

    async def keep(cid: Cid, limit: int) -> None:
        await bench.store.fetch(cid, limit)
        await bench.store.local.pin(cid, label)

    for position in sorted(round_.survivors):
        sealed = cid_of_block_digest(round_.commitments[position].bundle)
        await keep(sealed, ENVELOPE_LIMIT)
        envelope = parse_envelope(layout, position, await bench.store.get(sealed, ENVELOPE_LIMIT))
        await keep(envelope.update, 4 * bench.manifest.update_lanes)
    if round_.proposal is not None:
        hints = cid_of_block_digest(round_.proposal.aggregate.manifest)
        await keep(hints, MANIFEST_LIMIT)
        made = ProposalManifest.from_bytes(await bench.store.get(hints, MANIFEST_LIMIT))
        await keep(made.model, 4 * bench.manifest.model_lanes)
        await keep(made.unmask, unmask_limit(layout))
        await keep(made.tops, 32 * bench.manifest.update_lanes // CHUNK_LANES)
        if made.state is not None:
            await keep(made.state, 4 * bench.manifest.model_lanes * rule_of(bench.terms).state_lanes)
    log.info("round archived", task=bench.task, round=round_.number)
