"""What a round starts from, in an audit: the base model and the server's state, where they could be had."""

from __future__ import annotations

from dataclasses import dataclass

from foedus.aggregator.aggregate import Outcome, ProposalManifest
from foedus.aggregator.evidence import Evidence, Int32
from foedus.aggregator.report import Unavailable
from foedus.aggregator.rules import Rule, initial_state, rule_of
from foedus.protocol.cids import block_cid
from foedus.protocol.events import Aggregate
from foedus.protocol.ids import Cid, Hash32
from foedus.protocol.manifest import Manifest
from foedus.protocol.round import Proposal
from foedus.protocol.terms import Terms


@dataclass(frozen=True, slots=True)
class Plan:
    """What all rounds of a task share."""

    terms: Terms
    manifest: Manifest
    genesis: Hash32
    chain_id: int
    workers: int

    @property
    def rule(self) -> Rule:
        return rule_of(self.terms)


@dataclass(frozen=True, slots=True)
class Stored:
    """int32 lanes, and where they were looked for; None where they could not be had."""

    cid: Cid
    lanes: Int32 | None


@dataclass(frozen=True, slots=True)
class Base:
    """What a round starts from."""

    model: Stored
    state: Stored

    @property
    def missing(self) -> tuple[Unavailable, ...]:
        """A finding for each part that could not be had."""
        parts = (("base model", self.model), ("base state", self.state))
        return tuple(Unavailable(what, None, stored.cid) for what, stored in parts if stored.lanes is None)


async def base_after(plan: Plan, proposal: Proposal, hints: ProposalManifest | None, evidence: Evidence) -> Base:
    """The stored new model and state, where they have the roots that were made final."""
    claim, owner, lanes = proposal.aggregate, proposal.aggregator, plan.manifest.model_lanes
    nowhere = Stored(block_cid(claim.manifest), None)
    stateless = Stored(nowhere.cid, initial_state(plan.rule, 0))
    width = plan.rule.state_lanes
    if hints is None:
        return Base(nowhere, nowhere if width else stateless)
    fetch = evidence.fetch_lanes
    model = Stored(hints.model, await fetch("model", hints.model, lanes, claim.model_root, owner))
    if hints.state is None:
        return Base(model, stateless)
    state = await fetch("state", hints.state, width * lanes, claim.state_root, owner)
    return Base(model, Stored(hints.state, state))


def filled(base: Base, claim: Aggregate, outcome: Outcome) -> Base:
    """What could not be fetched, as it was made again, where that has the final roots."""
    model, state = base.model, base.state
    if model.lanes is None and outcome.model_root == claim.model_root:
        model = Stored(model.cid, outcome.model)
    if state.lanes is None and outcome.state_root == claim.state_root:
        state = Stored(state.cid, outcome.state)
    return Base(model, state)
