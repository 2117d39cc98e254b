"""One finished round, done again: what was committed, what survived, what was revealed, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from foedus.aggregator.aggregate import MalformedProposal, Outcome, ProposalManifest, aggregate, proposal_limit
from foedus.aggregator.audit_base import Base, Plan, base_after, filled
from foedus.aggregator.audit_parts import audit_parts
from foedus.aggregator.audit_scene import Scene
from foedus.aggregator.audit_seeds import audit_seeds
from foedus.aggregator.evidence import Evidence
from foedus.aggregator.freeze import (
    refusals,
)
from foedus.aggregator.layout import Layout, UnfitLayout
from foedus.aggregator.modes import vector_mode
from foedus.aggregator.report import Finding, RoundReport, Status, status_of
from foedus.aggregator.rules import initial_state
from foedus.protocol.bitmap import MalformedBitmap, from_bitmap
from foedus.protocol.cids import block_cid
from foedus.protocol.commitments import Context
from foedus.protocol.ids import Address, Hash32, Wei
from foedus.protocol.ports import BlobStore
from foedus.protocol.round import Round
from foedus.protocol.task import Task

Payouts = Callable[[Task, Round, Outcome], tuple[Hash32, Wei]]
"""What a round's payout root and total must be: from the task as it stood before the round was final, the round, and
its aggregate. Called for each finished round in order, as long as every one could be aggregated."""

ROOTS = ("groups", "quarantined", "sum_root", "unmask_root", "total_weight")
"""What of a claim can be compared without base model and state."""


@dataclass(frozen=True, slots=True)
class Audited:
    """A round's report, the base of the next, and the aggregate where all of it could be made again."""

    report: RoundReport
    base: Base
    outcome: Outcome | None


async def audit_round(
    task: Task, round_: Round, plan: Plan, store: BlobStore, base: Base, payouts: Payouts | None
) -> Audited:
    """Audit one finished round; `task` is the state just before it was final. Hostile blobs make findings."""
    evidence = Evidence(store)
    if round_.freeze is None or round_.proposal is None:
        evidence.refute("log", None, "a freeze and a proposal before the end of a round", "one is missing")
        return _audited(evidence, round_, base, None)
    try:
        audit = _Audit(
            evidence=evidence,
            plan=plan,
            round=round_,
            freeze=round_.freeze,
            proposal=round_.proposal,
            layout=(layout := Layout.of(round_, plan.terms)),
            context=Context(plan.genesis, plan.chain_id, task.address, round_.number, round_.attempt, round_.base_root),
            opened=frozenset(from_bitmap(round_.proposal.aggregate.groups, layout.groups.count)),
        )
    except (UnfitLayout, MalformedBitmap) as error:
        evidence.refute("layout", None, "a round that fits the terms", str(error))
        return _audited(evidence, round_, base, None)
    audit.check_quorums(attested=not task.is_optimistic)
    hints = await audit.hints()
    following = await base_after(plan, round_.proposal, hints, evidence)
    outcome = await audit.again(base, hints) if audit.check_survivors() else None
    evidence.findings += base.missing
    if outcome is not None and not base.missing:
        following = filled(following, round_.proposal.aggregate, outcome)
        audit.check_payout(task, outcome, payouts)
        return _audited(evidence, round_, following, outcome)
    evidence.unchecked += ["payout"] if outcome is not None else ["aggregate", "payout"]
    return _audited(evidence, round_, following, None)


def _audited(evidence: Evidence, round_: Round, base: Base, outcome: Outcome | None) -> Audited:
    findings = tuple(evidence.findings)
    report = RoundReport(
        round=round_.number,
        attempt=round_.attempt,
        verified=tuple(dict.fromkeys(evidence.verified)),
        unchecked=tuple(evidence.unchecked),
        findings=findings,
        participants=_verdicts(round_, findings),
        metrics=dict(outcome.metrics) if outcome is not None else {},
    )
    return Audited(report, base, outcome)


def _verdicts(round_: Round, findings: tuple[Finding, ...]) -> dict[Address, Status]:
    accounts = {round_.roster[p].address: None for p in sorted(round_.survivors) if p in round_.roster}
    accounts |= {finding.participant: None for finding in findings if finding.participant is not None}
    return {
        account: status_of(tuple(finding for finding in findings if finding.participant == account))
        for account in accounts
    }


class _Audit(Scene):
    """What is checked of it."""

    __slots__ = ()

    def check_quorums(self, *, attested: bool) -> None:
        """Signers and attesters are on the committee and enough; the proposer sits where it says.

        attested: whether a quorum, not a window, made the round final.
        """
        committee, need = frozenset(self.round.committee), self.round.threshold
        quorums = [("freeze signers", self.freeze.signers), *([("attesters", self.round.attesters)] * attested)]
        for what, found in quorums:
            if found <= committee and len(found) >= need:
                self.evidence.verified.append(what)
            else:
                self.evidence.refute(what, None, f"{need} or more of {sorted(committee)}", str(sorted(found)))
        if self.round.resumed:  # then whoever has a seat may propose, in the roster or not
            return
        seat = self.address(self.proposal.position)
        self.evidence.expect("aggregator", self.proposal.aggregator, seat, self.proposal.aggregator)

    def check_survivors(self) -> bool:
        """The frozen set is one whose sums may be opened; False where some of it did not even commit."""
        reasons = refusals(self.layout, self.freeze.survivors, self.round.commitments.keys())
        for reason, position in sorted(reasons, key=str):
            owner = self.address(position) if position is not None else None
            self.evidence.refute("survivors", owner, f"no case of: {reason.value}", f"position {position}")
        if not reasons:
            self.evidence.verified.append("survivors")
        return self.freeze.survivors <= self.round.commitments.keys()

    async def hints(self) -> ProposalManifest | None:
        """Where the proposal says that its blobs are."""
        claim, owner = self.proposal.aggregate, self.proposal.aggregator
        limit = proposal_limit(self.layout.groups.count)
        blob = await self.evidence.fetch("proposal", block_cid(claim.manifest), limit, owner, claim.manifest)
        if blob is None:
            return None
        try:
            hints = ProposalManifest.from_bytes(blob)
        except MalformedProposal as error:
            self.evidence.refute("proposal", owner, "a proposal manifest", str(error))
            return None
        if (hints.state is None) != (self.plan.rule.state_lanes == 0):
            shown = "no state" if hints.state is None else f"a state at {hints.state}"
            self.evidence.refute("proposal", owner, f"what the rule {self.plan.terms.rule} leaves", shown)
            return None
        return hints

    async def again(self, base: Base, hints: ProposalManifest | None) -> Outcome | None:
        """Fetch and check what the aggregate was made of, make it again and compare; None where that cannot be done.

        Without the base model the new one is not compared; without the base state neither is that, nor the new state.
        """
        mode = vector_mode(self.plan.terms.mode)
        if mode is None:
            opened = await audit_seeds(self, hints)
        else:
            opened = await audit_parts(mode, self, hints)
        if opened is None:
            return None
        lanes, model, state = self.plan.manifest.model_lanes, base.model.lanes, base.state.lanes
        outcome = aggregate(
            layout=self.layout,
            terms=self.plan.terms,
            manifest=self.plan.manifest,
            base=model if model is not None else np.zeros(lanes, dtype=np.int32),
            state=state if state is not None else initial_state(self.plan.rule, lanes),
            survivors=self.freeze.survivors,
            opened=opened,
            workers=self.plan.workers,
        )
        claim = self.proposal.aggregate
        names = [*ROOTS, *(["state_root"] * (state is not None)), *(["model_root"] * (not base.missing))]
        for name in names:
            self.evidence.expect(name, self.proposal.aggregator, getattr(outcome, name), getattr(claim, name))
        if hints is not None:
            self.evidence.expect("causes", self.proposal.aggregator, dict(outcome.causes), dict(hints.causes))
            await self._check_tops(hints, outcome)
        return outcome

    async def _check_tops(self, hints: ProposalManifest, outcome: Outcome) -> None:
        """The stored top hashes are the chunks'."""
        owner, due = self.proposal.aggregator, outcome.tops_blob
        blob = await self.evidence.fetch("tops", hints.tops, len(due), owner)
        if blob is not None:
            self.evidence.expect("tops", owner, sha256(due).digest(), sha256(blob).digest())

    def check_payout(self, task: Task, outcome: Outcome, payouts: Payouts | None) -> None:
        """Compare the payout with what `payouts` makes of the round."""
        if payouts is None:
            self.evidence.unchecked.append("payout")
            return
        claim, owner = self.proposal.aggregate, self.proposal.aggregator
        root, total = payouts(task, self.round, outcome)
        self.evidence.expect("payout_root", owner, root, claim.payout_root)
        self.evidence.expect("payout_total", owner, total, claim.payout_total)
