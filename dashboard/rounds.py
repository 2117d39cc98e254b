"""One attempt at a round as plain data: what each participant committed, who survived, what was aggregated."""

from __future__ import annotations

from foedus.aggregator.report import Finding, Mismatch, RoundReport, Status
from foedus.dashboard.plain import Plain, account, hexed, place, seats, wei
from foedus.dashboard.timeline import Outcome, Timeline
from foedus.protocol.cids import block_cid
from foedus.protocol.events import (
    AggregateProposed,
    CommitClosed,
    LogPoint,
    Phase,
    RoundFinalized,
    RoundOpened,
    SurvivorsFrozen,
)
from foedus.protocol.round import Proposal

SPANS = (
    (Phase.COMMIT, RoundOpened, CommitClosed),
    (Phase.FREEZE, CommitClosed, SurvivorsFrozen),
    (Phase.AGGREGATE, SurvivorsFrozen, AggregateProposed),
    (Phase.ATTEST, AggregateProposed, RoundFinalized),
)
"""Each phase of a round, and the events that begin and end it."""

UNVERIFIED = "unverified"
"""The status of what was not audited here."""


def round_summary(line: Timeline, report: RoundReport | None) -> Plain:
    """A round in a row of the task's page."""
    round_ = line.round
    return {
        "round": round_.number,
        "attempt": round_.attempt,
        "outcome": line.outcome.value,
        "reason": line.reason or None,
        "eligible": len(round_.roster),
        "committed": len(round_.commitments),
        "survivors": len(round_.survivors) if round_.freeze is not None else None,
        "aggregator": round_.proposal.aggregator if round_.proposal is not None else None,
        "attesters": len(round_.attesters),
        "model_root": _model(line),
        "moments": {name: place(point) for name, point in line.moments.items()},
        "seconds": _seconds(line),
        "status": status_of(report),
        "metrics": dict(report.metrics) if report is not None else {},
    }


def round_detail(line: Timeline, report: RoundReport | None) -> Plain:
    """Everything the chain says of one attempt, and what the audit found."""
    round_, verdicts = line.round, report.participants if report is not None else {}
    frozen, proposal = round_.freeze, round_.proposal
    return round_summary(line, report) | {
        "base_root": hexed(round_.base_root),
        "epoch": round_.epoch,
        "threshold": round_.threshold,
        "committee": seats(round_, round_.committee),
        "signers": seats(round_, frozen.signers) if frozen is not None else [],
        "attesters": seats(round_, round_.attesters),
        "disputes": [list(pair) for pair in sorted(frozen.disputes)] if frozen is not None else [],
        "commitments": [
            {
                "participant": made.participant,
                "position": position,
                "generation": made.generation,
                "update_root": hexed(made.update_root),
                "seeds_root": hexed(made.seeds_root),
                "data_root": hexed(made.data_root),
                "bundle": block_cid(made.bundle),
                "survived": position in round_.survivors if frozen is not None else None,
                "status": _name(verdicts.get(made.participant)),
            }
            for position, made in sorted(round_.commitments.items())
        ],
        "absent": seats(round_, round_.roster.keys() - round_.commitments.keys()),
        "proposal": _proposal(proposal) if proposal is not None else None,
        "dropped": [{"aggregator": dropped.aggregator, "next_rank": dropped.next_rank} for dropped in line.dropped],
        "audit": audit_of(report) if report is not None else None,
    }


def audit_of(report: RoundReport) -> Plain:
    """What an audit found about one round."""
    return {
        "status": status_of(report),
        "verified": list(report.verified),
        "unchecked": list(report.unchecked),
        "findings": [finding_of(finding) for finding in report.findings],
        "participants": {who: _name(status) for who, status in report.participants.items()},
        "metrics": dict(report.metrics),
    }


def finding_of(finding: Finding) -> Plain:
    """A mismatch with both values, or what could not be had with where it was looked for."""
    shared = {"what": finding.what, "participant": account(finding.participant)}
    if isinstance(finding, Mismatch):
        return {"kind": "mismatch", **shared, "expected": finding.expected, "found": finding.found}
    return {"kind": "unavailable", **shared, "cid": finding.cid}


def status_of(report: RoundReport | None) -> str:
    """verified, mismatch, unavailable, or unverified where nothing was audited."""
    return UNVERIFIED if report is None else _name(report.status)


def _name(status: Status | None) -> str:
    return UNVERIFIED if status is None else status.name.lower()


def _model(line: Timeline) -> str | None:
    final = line.outcome is Outcome.FINALIZED and line.round.proposal is not None
    return hexed(line.round.proposal.aggregate.model_root) if final and line.round.proposal is not None else None


def _seconds(line: Timeline) -> dict[str, int]:
    """How long each phase lasted that came to its end, by block time."""

    def at(event: type) -> LogPoint | None:
        return line.moments.get(event.__name__)

    found = {}
    for phase, first, last in SPANS:
        begun, ended = at(first), at(last)
        if begun is not None and ended is not None:
            found[phase.name] = max(0, ended.timestamp - begun.timestamp)
    return found


def _proposal(proposal: Proposal) -> Plain:
    made = proposal.aggregate
    roots = ("sum_root", "unmask_root", "state_root", "model_root", "payout_root")
    return {
        "aggregator": proposal.aggregator,
        "position": proposal.position,
        "rank": proposal.rank,
        "manifest": block_cid(made.manifest),
        "total_weight": made.total_weight,
        "payout_total": wei(made.payout_total),
        **{name: hexed(getattr(made, name)) for name in roots},
    }
