"""What is at stake in a task, what thaws, and who was slashed: for what, and by whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from foedus.dashboard.plain import Plain, hexed, place, wei
from foedus.dashboard.timeline import Timeline
from foedus.protocol.events import Logged, LogPoint, ParticipantSlashed, ProposalRefuted
from foedus.protocol.ids import Address, Hash32, RoundNumber, Wei
from foedus.protocol.task import Task

ONE_CONVICTION = 2
"""How many logs after its slash a conviction's refutation comes: the vault's own is between them."""


@dataclass(frozen=True, slots=True)
class Slash:
    """A conviction. refuted: the name of the proposal that fell by it, where one did."""

    event: ParticipantSlashed
    point: LogPoint
    refuted: Hash32 | None = None


def note(slashes: tuple[Slash, ...], entry: Logged) -> tuple[Slash, ...]:
    """The slashes after one more event, oldest first; the fold forgets them as soon as the stake is gone."""
    event, point = entry.event, entry.point
    if isinstance(event, ParticipantSlashed):
        return (*slashes, Slash(event, point))
    if isinstance(event, ProposalRefuted) and slashes:
        last = slashes[-1]
        near = last.point.block_hash == point.block_hash and point.index - last.point.index <= ONE_CONVICTION
        if near and last.event.participant == event.aggregator:
            return (*slashes[:-1], replace(last, refuted=event.proposal))
    return slashes


def at_stake(task: Task, account: Address) -> Wei:
    """What the task has locked of an account's stake, in wei."""
    stake = task.params.stake if account in task.participants or account in task.thawing else 0
    return Wei(stake + (task.params.bond if account in task.bonded else 0))


def stakes_of(task: Task, slashes: Sequence[Slash], timelines: Sequence[Timeline]) -> Plain:
    """The task's stakes as plain data."""
    params = task.params
    rounds = {fallen.proposal.digest: line.round.number for line in timelines for fallen in line.fallen}
    holders = task.participants.keys() | task.thawing.keys() | task.bonded
    return {
        "stake": wei(params.stake),
        "bond": wei(params.bond),
        "unbond_seconds": params.unbond_seconds,
        "challenger_share": params.challenger_share,
        "at_stake": wei(sum(at_stake(task, account) for account in holders)),
        "thawing": [
            {"participant": who, "amount": wei(at_stake(task, who)), "thaw_at": at}
            for who, at in sorted(task.thawing.items(), key=lambda row: (row[1], row[0]))
        ],
        "slashed": wei(sum(slash.event.amount for slash in slashes)),
        "slashes": [_slash(slash, rounds.get(slash.refuted) if slash.refuted else None) for slash in slashes],
    }


def _slash(slash: Slash, refuted: RoundNumber | None) -> Plain:
    event = slash.event
    return {
        "participant": event.participant,
        "position": event.position if event.seated else None,
        "fault": event.fault.name,
        "amount": wei(event.amount),
        "challenger": event.challenger,
        "share": wei(event.share),
        "at": place(slash.point),
        "proposal": hexed(slash.refuted) if slash.refuted is not None else None,
        "round": refuted,
    }
