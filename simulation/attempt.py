"""One attempt at a round, by the aggregator's own functions: bundle, freeze, unmask, aggregate.

Everyone is honest here, but everything is checked as a committee would check it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from foedus.aggregator.aggregate import Outcome, aggregate
from foedus.aggregator.bundle import Envelope, Secrets, make_bundle
from foedus.aggregator.freeze import check_bundle, choose_survivors, find_disputes
from foedus.aggregator.keys import Random
from foedus.aggregator.layout import Layout
from foedus.aggregator.unmask import UnmaskGuard, collect, release_shares, reveal
from foedus.protocol.chunks import Lanes
from foedus.protocol.cids import block_cid
from foedus.protocol.ids import Hash32, Position
from foedus.protocol.manifest import Manifest
from foedus.protocol.round import Commitment
from foedus.protocol.terms import Terms
from foedus.simulation.ports import Away
from foedus.simulation.seating import Seating, account


class BrokenRound(RuntimeError):
    """An honest participant's bundle or seed failed a check: a fault of this software, not of any participant."""


@dataclass(frozen=True, slots=True)
class Published:
    """What committed participants put on the network, and the secrets that they keep."""

    commitments: Mapping[Position, Commitment]
    envelopes: Mapping[Position, bytes]
    vectors: Mapping[Position, bytes]
    secrets: Mapping[Position, Secrets | None]


def publish(layout: Layout, seating: Seating, updates: Mapping[Position, Lanes], random: Random) -> Published:
    """Everybody's bundle and commitment."""
    commitments, envelopes, vectors, secrets = {}, {}, {}, {}
    for position, update in sorted(updates.items()):
        made = make_bundle(layout, seating.context, position, seating.keys[position], update, random)
        envelope = made.seal(block_cid(Hash32(sha256(made.update_blob).digest())))
        commitments[position] = Commitment(
            opening=seating.round.opening,
            round=seating.round.number,
            attempt=seating.round.attempt,
            participant=account(position),
            position=position,
            generation=seating.round.opening,
            update_root=made.update_root,
            seeds_root=made.seeds_root,
            bundle=Hash32(sha256(envelope).digest()),
            data_root=Hash32(bytes(32)),
        )
        envelopes[position], vectors[position], secrets[position] = envelope, made.update_blob, made.secrets
    return Published(commitments, envelopes, vectors, secrets)


def run_attempt(
    seating: Seating,
    terms: Terms,
    manifest: Manifest,
    base: NDArray[np.int32],
    state: NDArray[np.int32],
    updates: Mapping[Position, Lanes],
    away: Away,
    guards: Mapping[Position, UnmaskGuard],
    random: Random,
    *,
    checkers: int,
    workers: int = 1,
) -> tuple[Outcome, frozenset[Position]]:
    """From the updates of those who commit to the round's aggregate, and who survived.

    base, state: what the round starts from, as `aggregate` takes them. checkers: how many committee members check the
    shares that they were dealt. Raises TooFewSurvivors where the attempt must abort, BrokenRound where an honest bundle
    fails a check.
    """
    layout = Layout.of(seating.round, terms)
    published = publish(layout, seating, {p: u for p, u in updates.items() if p not in away.commit}, random)
    envelopes = _checked(layout, seating, published, manifest, checkers, random)
    disputes = find_disputes(layout, envelopes) if terms.mode == "masked" else frozenset()
    if disputes:
        raise BrokenRound(f"honest participants disagree about their pair seeds: {sorted(disputes)}")
    survivors = choose_survivors(layout, envelopes.keys(), disputes).survivors
    reveals, releases = [], []
    if terms.mode == "masked":
        absent = survivors & away.reveal
        for position in sorted(survivors - absent):
            own = published.secrets[position]
            assert own is not None
            reveals.append(
                reveal(layout, seating.context, survivors, position, own, seating.keys[position], guards[position])
            )
        helpers = [p for p in layout.committee if p not in away.commit | away.reveal] if absent else []
        releases = [
            release_shares(
                layout, seating.context, survivors, absent, envelopes, member, seating.keys[member], guards[member]
            )
            for member in helpers
        ]
    collected = collect(layout, seating.context, survivors, envelopes, reveals, releases)
    if collected.faults:
        raise BrokenRound(f"honest seeds or shares were refused: {collected.faults}")
    outcome = aggregate(layout, terms, manifest, base, state, survivors, published.vectors, collected.seeds, workers)
    return outcome, survivors


def _checked(
    layout: Layout, seating: Seating, published: Published, manifest: Manifest, checkers: int, random: Random
) -> dict[Position, Envelope]:
    """Every bundle's envelope, after the checks of the first `checkers` committee members."""
    members = layout.committee[: max(checkers, 1)]
    envelopes: dict[Position, Envelope] = {}
    for position, commitment in published.commitments.items():
        for member in members:
            envelope, faults = check_bundle(
                layout,
                seating.context,
                commitment,
                published.envelopes[position],
                published.vectors[position],
                manifest.update_lanes,
                (member, seating.keys[member]) if checkers else None,
                random,
            )
            if faults or envelope is None:
                raise BrokenRound(f"position {position}'s honest bundle failed: {faults}")
            envelopes[position] = envelope
    return envelopes
