"""A task as plain data: what the JSON answers, and what the pages are made of."""

from __future__ import annotations

from dataclasses import asdict

from foedus.dashboard.follower import Followed
from foedus.dashboard.plain import Plain, hexed, place, wei
from foedus.dashboard.provenance import model_roots
from foedus.dashboard.rewards import rewards_of
from foedus.dashboard.rounds import UNVERIFIED, finding_of, round_summary
from foedus.dashboard.service import NOBODY, Service
from foedus.dashboard.stakes import at_stake, stakes_of
from foedus.dashboard.timeline import Outcome, Timeline
from foedus.dashboard.verifier import State, Verification
from foedus.incentives.settlement import Rewards
from foedus.protocol.cids import block_cid
from foedus.protocol.duties import settles_at
from foedus.protocol.events import AttemptAborted, CommitClosed, Phase, TaskPaused
from foedus.protocol.ids import Position
from foedus.protocol.task import Task
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
        "paused": _pause(task),
        "end": state.end.name if state.end is not None else None,
        "deadline": _deadline(state),
        "round": state.round.number if state.round is not None else None,
        "attempt": state.round.attempt if state.round is not None else None,
        "rounds": {
            "finished": len(state.finished),
            "pending": len(state.pending),
            "opened": max((line.round.number for line in task.timelines), default=0),
            "of": state.params.rounds,
        },
        "finality": {
            "mode": state.params.finality.name,
            "ahead": state.params.ahead,
            "attest_seconds": state.params.attest_seconds,
        },
        "enrolled": len(state.participants),
        "max_participants": state.params.max_participants,
        "token": state.token if state.token != NOBODY else None,
        "pool": wei(state.pool),
        "model_root": hexed(state.model_root),
        "law": hexed(state.law),
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
    rounds = [round_summary(line, audits.of(line), task) for line in task.timelines]
    summary = task_summary(service, task)
    summary["terms"] |= {"promises": _promises(terms) if terms is not None else None}
    return summary | {
        "params": _params(state),
        "paused_seconds": state.paused_seconds,
        "epoch": state.epoch,
        "attempts": rounds,
        "metrics": _metrics(rounds),
        "participants": _participants(task, rewards),
        "admitted": sorted(state.admitted),
        "stakes": stakes_of(state, task.slashes, task.timelines),
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


def _pause(task: Followed) -> Plain | None:
    """Since when the clocks stand still, and in which phase, if they do."""
    if task.state.phase is not Phase.PAUSED:
        return None
    since = next(entry.event.since for entry in reversed(task.entries) if isinstance(entry.event, TaskPaused))
    return {"in": task.state.paused_in.name, "since": since}


def _deadline(state: Task) -> int | None:
    """When the task moves on by itself. While all the rounds ahead await finality, that is when the first window has
    passed, or the last one where no round is left."""
    phase = state.paused_in if state.phase is Phase.PAUSED else state.phase
    if phase is Phase.ATTEST and state.pending:
        awaited = state.pending[0 if state.next_round <= state.params.rounds else -1].proposal
        return settles_at(state, awaited) if awaited is not None else None
    return state.deadline or None


def _params(state: Task) -> Plain:
    params = state.params
    named = {"stake": wei(params.stake), "bond": wei(params.bond), "finality": params.finality.name}
    return asdict(params) | named


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
            "payee": task.state.payees.get(who),
            "enrolled": who in task.state.participants,
            "at_stake": wei(at_stake(task.state, who)),
            "bonded": who in task.state.bonded,
            "thaw_at": task.state.thawing.get(who),
            "slashed": wei(sum(slash.event.amount for slash in task.slashes if slash.event.participant == who)),
            "fates": [_fate(line, rows.get(who)) for line, rows in zip(task.timelines, chairs, strict=True)],
            "contributions": rewards.contributions.get(who, 0) if rewards is not None else None,
            "earned": wei(rewards.earned.get(who, 0)) if rewards is not None else None,
            "claimed": wei(task.state.claimed.get(who, 0)),
        }
        for who, position in sorted(seen.items(), key=lambda row: row[1])
    ]


def _fate(line: Timeline, seat: Position | None) -> str:
    """away: not on the roster; absent: did not commit; dropped: committed, and not among the survivors. awaited: might
    have committed still when the attempt was last heard of."""
    if seat is None:
        return "away"
    if seat not in line.round.commitments:
        return "absent" if line.has(CommitClosed, AttemptAborted) else "awaited"
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
