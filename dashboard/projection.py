"""A task as plain data: what the JSON answers, and what the pages are made of."""

from __future__ import annotations

from dataclasses import asdict

from foedus.dashboard.follower import Followed
from foedus.dashboard.plain import Plain, hexed, place, wei
from foedus.dashboard.provenance import model_roots
from foedus.dashboard.rewards import rewards_of
from foedus.dashboard.rounds import UNVERIFIED, finding_of, round_summary
from foedus.dashboard.service import Service
from foedus.dashboard.timeline import Outcome, Timeline
from foedus.dashboard.verifier import State, Verification
from foedus.incentives.settlement import Rewards
from foedus.protocol.cids import block_cid
from foedus.protocol.events import RoundOpened
from foedus.protocol.ids import Position
from foedus.protocol.terms import Terms


def state_of(service: Service) -> Plain:
    """The newest block read, and how fresh that is."""
    health, snapshot = service.health, service.snapshot
    head = snapshot.head if snapshot is not None else None
    return {
        "version": health.version,
        "stale": health.stale,
        "fault": health.fault or None,
        "age": round(health.age, 1) if head is not None else None,
        "block": head.number if head is not None else None,
        "time": head.timestamp if head is not None else None,
        "chain_id": service.deployment.chain_id,
        "factory": service.deployment.factory,
    }


def task_summary(service: Service, task: Followed) -> Plain:
    """A task in a row of the list."""
    state, terms = task.state, service.terms(task.state.address)
    found = service.library.terms(state)
    audits = service.verifier.of(state.address)
    return {
        "task": state.address,
        "name": terms.name if terms is not None else None,
        "sponsor": state.sponsor,
        "created": place(task.created),
        "phase": state.phase.name,
        "end": state.end.name if state.end is not None else None,
        "deadline": state.deadline or None,
        "round": state.round.number if state.round is not None else None,
        "attempt": state.round.attempt if state.round is not None else None,
        "rounds": {"finished": len(state.finished), "of": state.params.rounds},
        "enrolled": len(state.participants),
        "max_participants": state.params.max_participants,
        "pool": wei(state.pool),
        "model_root": hexed(state.model_root),
        "terms": {
            "digest": hexed(state.terms),
            "cid": block_cid(state.terms),
            "status": "known" if isinstance(found, Terms) else "mismatch" if found.wrong else "unavailable",
            "reason": None if isinstance(found, Terms) else found.reason,
        },
        "audit": audit_summary(audits, task),
    }


def task_detail(service: Service, task: Followed) -> Plain:
    """A task with its rounds, participants, rewards, metrics and models."""
    state, terms = task.state, service.terms(task.state.address)
    audits = service.verifier.of(state.address)
    rewards = rewards_of(state, terms, service.treasury) if terms is not None else None
    rounds = [round_summary(line, audits.of(line)) for line in task.timelines]
    summary = task_summary(service, task)
    summary["terms"] |= {"promises": _promises(terms) if terms is not None else None}
    return summary | {
        "params": asdict(state.params) | {"stake": wei(state.params.stake)},
        "epoch": state.epoch,
        "attempts": rounds,
        "metrics": _metrics(rounds),
        "participants": _participants(task, rewards),
        "reward": _reward(service, task, rewards),
        "models": model_roots(task),
    }


def audit_summary(audits: Verification, task: Followed) -> Plain:
    """Whether the task was audited, what came of it, and whether it is of the task as it stands."""
    report = audits.report
    return {
        "state": audits.state.value,
        "status": report.status.name.lower() if report is not None else UNVERIFIED,
        "block": audits.block if report is not None else None,
        "at": audits.at if report is not None else None,
        "seconds": round(audits.seconds, 2) if report is not None else None,
        "error": audits.error if audits.state is State.FAILED else None,
        "audited": sum(1 for line in task.timelines if audits.of(line) is not None),
        "unchecked": sorted({what for entry in report.rounds for what in entry.unchecked})
        if report is not None
        else [],
        "findings": [finding_of(finding) for finding in report.findings] if report is not None else [],
    }


def _promises(terms: Terms) -> Plain:
    whole = asdict(terms)
    del whole["params"]
    return whole | {"pool": wei(terms.pool)}


def _metrics(rounds: list[Plain]) -> dict[str, list[list[float | int | None]]]:
    """Each metric's value by finished round; None where that round's was not recomputed."""
    finished = [row for row in rounds if row["outcome"] == Outcome.FINALIZED]
    names = dict.fromkeys(name for row in finished for name in row["metrics"])
    return {name: [[row["round"], row["metrics"].get(name)] for row in finished] for name in names}


def _participants(task: Followed, rewards: Rewards | None) -> list[Plain]:
    """Whoever sits or sat at a round, in order of first seats, and the fate of each in every attempt."""
    seen = {member.address: member.position for member in task.state.participants.values()}
    chairs = [{member.address: seat for seat, member in line.round.roster.items()} for line in task.timelines]
    for rows in chairs:
        for who, seat in rows.items():
            seen.setdefault(who, seat)
    return [
        {
            "participant": who,
            "position": position,
            "enrolled": who in task.state.participants,
            "fates": [_fate(line, rows.get(who)) for line, rows in zip(task.timelines, chairs, strict=True)],
            "contributions": rewards.contributions.get(who, 0) if rewards is not None else None,
            "earned": wei(rewards.earned.get(who, 0)) if rewards is not None else None,
            "claimed": wei(task.state.claimed.get(who, 0)),
        }
        for who, position in sorted(seen.items(), key=lambda row: row[1])
    ]


def _fate(line: Timeline, seat: Position | None) -> str:
    """away: not on the roster; absent: did not commit; dropped: committed, and not among the survivors."""
    if seat is None:
        return "away"
    if seat not in line.round.commitments:
        return "awaited" if line.moments.keys() == {RoundOpened.__name__} else "absent"
    if line.round.freeze is None:
        return "committed"
    return "survived" if seat in line.round.survivors else "dropped"


def _reward(service: Service, task: Followed, rewards: Rewards | None) -> Plain:
    """What the task pays in all; the treasury's part, and whether these amounts are what the chain pays by."""
    return {
        "pool": wei(task.state.pool),
        "payout_root": hexed(task.state.payout_root),
        "payout_total": wei(task.state.payout_total),
        "claimed": wei(sum(task.state.claimed.values())),
        "treasury": service.treasury,
        "treasury_earned": wei(rewards.earned.get(service.treasury, 0)) if rewards is not None else None,
        "matches": rewards.match(task.state) if rewards is not None else None,
    }
