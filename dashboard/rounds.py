"""One attempt at a round as plain data: what each participant committed, who survived, what was aggregated."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from foedus.aggregator.report import Finding, Mismatch, RoundReport, Status
from foedus.dashboard.follower import Followed
from foedus.dashboard.plain import Plain, account, hexed, place, seats, wei
from foedus.dashboard.stakes import Slash
from foedus.dashboard.timeline import Fallen, Outcome, Timeline
from foedus.protocol import events as ev
from foedus.protocol.cids import block_cid
from foedus.protocol.duties import settles_at
from foedus.protocol.events import Phase
from foedus.protocol.ids import Hash32
from foedus.protocol.round import Proposal

BEGINS = {
    ev.RoundOpened.__name__: Phase.COMMIT,
    ev.CommitClosed.__name__: Phase.FREEZE,
    ev.SurvivorsFrozen.__name__: Phase.AGGREGATE,
    ev.AggregateProposed.__name__: Phase.ATTEST,
    ev.ProposalDropped.__name__: Phase.AGGREGATE,
    ev.ProposalRefuted.__name__: Phase.AGGREGATE,
    ev.TaskPaused.__name__: Phase.PAUSED,
}
"""The phase of an attempt that begins with an event. A pending proposal is attested, or refuted, while others run."""

UNVERIFIED = "unverified"
"""The status of what was not audited here."""


def round_summary(line: Timeline, report: RoundReport | None, task: Followed) -> Plain:
    """A round in a row of the task's page. settles_at: when the window of a pending proposal has passed, in seconds of
    block time; a pause that lasts comes on top."""
    round_, pending = line.round, line.outcome is Outcome.PENDING
    return {
        "round": round_.number,
        "attempt": round_.attempt,
        "opening": round_.opening,
        "outcome": line.outcome.value,
        "reason": line.reason or None,
        "resumed": round_.resumed,
        "fell_with": line.fell_with,
        "settles_at": settles_at(task.state, round_.proposal) if pending and round_.proposal is not None else None,
        "eligible": len(round_.roster),
        "committed": len(round_.commitments),
        "survivors": len(round_.survivors) if round_.freeze is not None else None,
        "aggregator": round_.proposal.aggregator if round_.proposal is not None else None,
        "attesters": len(round_.attesters),
        "fallen": len(line.fallen),
        "model_root": _model(line),
        "moments": [{"event": moment.event, **(place(moment.point) or {})} for moment in line.moments],
        "seconds": _seconds(line),
        "status": status_of(report),
        "metrics": dict(report.metrics) if report is not None else {},
    }


def round_detail(line: Timeline, report: RoundReport | None, task: Followed) -> Plain:
    """Everything the chain says of one attempt, and what the audit found."""
    round_, verdicts = line.round, report.participants if report is not None else {}
    frozen, proposal = round_.freeze, round_.proposal
    convictions = {slash.refuted: slash for slash in task.slashes if slash.refuted is not None}
    return round_summary(line, report, task) | {
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
        "fallen": [_fallen(fallen, convictions) for fallen in line.fallen],
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
    """The root of the model that the round made, where that stands."""
    stands = line.outcome in (Outcome.FINALIZED, Outcome.PENDING)
    return hexed(line.round.proposal.aggregate.model_root) if stands and line.round.proposal is not None else None


def _seconds(line: Timeline) -> dict[str, int]:
    """How long each phase lasted, by block time, up to the attempt's last event."""
    found: dict[str, int] = {}
    before = phase = Phase.COMMIT
    for moment, following in pairwise(line.moments):
        if moment.event == ev.TaskPaused.__name__:
            before = phase
        phase = BEGINS.get(moment.event, before)
        lasted = max(0, following.point.timestamp - moment.point.timestamp)
        found[phase.name] = found.get(phase.name, 0) + lasted
    return found


def _fallen(fallen: Fallen, convictions: Mapping[Hash32, Slash]) -> Plain:
    """A proposal that fell: why, and by whose challenge where its aggregator was slashed for it."""
    proposal, slash = fallen.proposal, convictions.get(fallen.proposal.digest)
    return {
        "aggregator": proposal.aggregator,
        "rank": proposal.rank,
        "name": hexed(proposal.digest),
        "model_root": hexed(proposal.aggregate.model_root),
        "fate": fallen.fate.value,
        "at": place(fallen.point),
        "fault": slash.event.fault.name if slash is not None else None,
        "slashed": wei(slash.event.amount) if slash is not None else None,
        "challenger": slash.event.challenger if slash is not None else None,
    }


def _proposal(proposal: Proposal) -> Plain:
    made = proposal.aggregate
    roots = ("sum_root", "unmask_root", "state_root", "model_root", "payout_root")
    return {
        "name": hexed(proposal.digest),
        "before": hexed(proposal.before),
        "aggregator": proposal.aggregator,
        "position": proposal.position,
        "rank": proposal.rank,
        "manifest": block_cid(made.manifest),
        "total_weight": made.total_weight,
        "payout_total": wei(made.payout_total),
        **{name: hexed(getattr(made, name)) for name in roots},
    }
