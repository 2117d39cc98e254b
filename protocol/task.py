"""A task's state, and the fold that makes it: `apply` is the only way that state changes.

A reorganisation is truncate and refold; a restart is a replay; node, dashboard and auditor run this same code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import assert_never

from foedus.protocol import events as ev
from foedus.protocol.bitmap import from_bitmap, from_pairs
from foedus.protocol.events import EndReason, Event, Logged, LogPoint, Phase
from foedus.protocol.ids import (
    ZERO32,
    Address,
    Attempt,
    Hash32,
    Opening,
    RoundNumber,
    Timestamp,
    Wei,
)
from foedus.protocol.round import Commitment, Freeze, Participant, Proposal, Round
from foedus.protocol.terms import Params
from foedus.protocol.transitions import follow


class ImpossibleEvent(ValueError):
    """An event that cannot follow the state: logs were dropped, or come from another contract."""


@dataclass(frozen=True, slots=True)
class Task:
    """A task as the chain tells it."""

    address: Address
    sponsor: Address
    terms: Hash32
    params: Params
    pool: Wei
    model_root: Hash32
    state_root: Hash32 = ZERO32
    phase: Phase = Phase.ENROL
    deadline: Timestamp = Timestamp(0)
    target: int = 0
    participants: Mapping[Address, Participant] = field(default_factory=lambda: MappingProxyType({}))
    domain: int = 0
    epoch: int = 0
    seed: Hash32 = ZERO32
    epoch_opening: Opening = Opening(0)
    opening: Opening = Opening(0)
    beacon_block: int = 0
    stall_at: Timestamp = Timestamp(0)
    round: Round | None = None
    finished: tuple[Round, ...] = ()
    severed: frozenset[tuple[Address, Address]] = frozenset()
    payout_root: Hash32 = ZERO32
    payout_total: Wei = Wei(0)
    claimed: Mapping[Address, Wei] = field(default_factory=lambda: MappingProxyType({}))
    departed: Mapping[Address, int] = field(default_factory=lambda: MappingProxyType({}))
    """The commit counters of accounts that left: who joins again goes on from them."""
    end: EndReason | None = None

    @property
    def next_round(self) -> RoundNumber:
        """The round whose base model is the current one."""
        return RoundNumber(len(self.finished) + 1)

    def is_eligible(self, member: Participant, opening: Opening) -> bool:
        """Whether the member's keys serve this opening of the current epoch."""
        return member.ready_opening == opening or (
            member.ready_epoch == self.epoch and opening == self.epoch_opening and opening > 0
        )

    @property
    def ready(self) -> int:
        """Participants whose keys serve the next opening; those who joined for the next epoch not counted."""
        return sum(1 for member in self.participants.values() if self.is_eligible(member, Opening(self.opening + 1)))

    @property
    def waiting(self) -> int:
        """Participants who joined for the first opening of the next epoch."""
        return sum(1 for member in self.participants.values() if member.ready_epoch == self.epoch + 1)


def create(event: ev.TaskCreated) -> Task:
    """The state right after creation."""
    return Task(
        address=event.task,
        sponsor=event.sponsor,
        terms=event.terms,
        params=event.params,
        pool=event.pool,
        model_root=event.base_root,
    )


def fold(entries: Iterable[Logged]) -> Task:
    """The state after a task's whole log, oldest first. Raises ImpossibleEvent where the log cannot be whole."""
    task: Task | None = None
    for entry in entries:
        if isinstance(entry.event, ev.TaskCreated):
            task = create(entry.event)
        elif task is None:
            raise ImpossibleEvent(f"{type(entry.event).__name__} before TaskCreated")
        else:
            task = apply(task, entry)
    if task is None:
        raise ImpossibleEvent("an empty log: no such task on this chain")
    return task


def _running(task: Task, number: RoundNumber, attempt: Attempt) -> Round:
    current = task.round
    if current is None or (current.number, current.attempt) != (number, attempt):
        raise ImpossibleEvent(f"event of round {number} attempt {attempt} while {current and current.number} runs")
    return current


def _with_participant(task: Task, member: Participant) -> Task:
    return replace(task, participants=MappingProxyType({**task.participants, member.address: member}))


def apply(task: Task, entry: Logged) -> Task:
    """The state after one more event. Raises ImpossibleEvent where the event cannot follow."""
    event: Event = entry.event
    phase = follow(task.phase, type(event))
    if phase is None:
        raise ImpossibleEvent(f"{type(event).__name__} in phase {task.phase.name}")
    return replace(_effect(task, event, entry.point), phase=phase)


def _effect(task: Task, event: Event, point: LogPoint) -> Task:
    match event:
        case ev.TaskCreated():
            raise ImpossibleEvent("TaskCreated twice")
        case ev.EnrolmentOpened():
            return replace(task, deadline=event.until, target=event.target, round=None)
        case ev.ParticipantJoined():
            return _with_participant(task, _joined(task, event))
        case ev.ParticipantLeft():
            return _leave(task, event)
        case ev.KeysAdvertised():
            return _with_participant(task, _rekeyed(task, event))
        case ev.DrawScheduled():
            return replace(
                task,
                deadline=Timestamp(0),
                beacon_block=event.beacon_block,
                epoch=event.epoch,
                epoch_opening=Opening(task.opening + 1),
                round=None,
            )
        case ev.EpochDrawn():
            return replace(task, domain=event.domain, seed=event.seed)
        case ev.RoundOpened():
            return _open(task, event)
        case ev.UpdateCommitted():
            return _commit(task, event)
        case ev.CommitClosed():
            _running(task, event.round, event.attempt)
            return replace(task, deadline=event.freeze_by)
        case ev.SurvivorsFrozen():
            return _freeze(task, event, point)
        case ev.AggregateProposed():
            current = _running(task, event.round, event.attempt)
            proposal = Proposal(event.aggregator, event.position, event.rank, event.proposal, event.aggregate)
            return replace(task, deadline=event.attest_by, round=replace(current, proposal=proposal))
        case ev.ProposalDropped():
            current = _running(task, event.round, event.attempt)
            dropped = replace(current, proposal=None, next_rank=event.next_rank, aggregate_from=event.aggregate_from)
            return replace(task, deadline=task.stall_at, round=dropped)
        case ev.RoundFinalized():
            return _finalize(task, event)
        case ev.AttemptAborted():
            _running(task, event.round, event.attempt)
            return task
        case ev.TaskEnded():
            return replace(task, deadline=Timestamp(0), end=event.reason, round=None)
        case ev.RewardClaimed():
            claimed = MappingProxyType({**task.claimed, event.account: event.cumulative})
            return replace(task, claimed=claimed)
        case ev.RemainderReturned():
            return task
    assert_never(event)


def _joined(task: Task, event: ev.ParticipantJoined) -> Participant:
    return Participant(
        address=event.participant,
        position=event.position,
        mask_key=event.mask_key,
        box_key=event.box_key,
        consent=event.consent,
        ready_epoch=event.ready_epoch,
        generation=task.departed.get(event.participant, 0),
    )


def _leave(task: Task, event: ev.ParticipantLeft) -> Task:
    member = task.participants.get(event.participant)
    if member is None:
        raise ImpossibleEvent(f"{event.participant} left, who has not joined")
    rest = {address: other for address, other in task.participants.items() if address != event.participant}
    departed = {**task.departed, event.participant: member.generation}
    current = task.round
    if current is not None and current.position_of(event.participant) is not None:
        current = replace(current, left=current.left | {event.position})
    return replace(task, participants=MappingProxyType(rest), departed=MappingProxyType(departed), round=current)


def _rekeyed(task: Task, event: ev.KeysAdvertised) -> Participant:
    member = task.participants.get(event.participant)
    if member is None:
        raise ImpossibleEvent(f"keys of {event.participant}, who has not joined")
    return replace(member, mask_key=event.mask_key, box_key=event.box_key, ready_opening=event.opening)


def _open(task: Task, event: ev.RoundOpened) -> Task:
    frozen = task.round is not None and task.round.freeze is not None
    if event.opening != task.opening + 1 or event.round != task.next_round or frozen:
        raise ImpossibleEvent(f"opening {event.opening} of round {event.round} after opening {task.opening}")
    roster = {m.position: m for m in task.participants.values() if task.is_eligible(m, event.opening)}
    strangers = [position for position in roster if position >= task.domain]
    if strangers:
        raise ImpossibleEvent(f"positions {strangers} of the roster are outside the epoch's {task.domain}")
    if len(roster) != event.eligible:
        raise ImpossibleEvent(f"{len(roster)} eligible participants where the contract counted {event.eligible}")
    severed = frozenset(
        (low, high)
        for low, one in roster.items()
        for high, other in roster.items()
        if low < high and _names(one.address, other.address) in task.severed
    )
    opened = Round(
        number=event.round,
        attempt=event.attempt,
        opening=event.opening,
        base_root=task.model_root,
        base_state=task.state_root,
        epoch=task.epoch,
        domain=task.domain,
        seed=task.seed,
        severed=severed,
        roster=MappingProxyType(dict(sorted(roster.items()))),
    )
    return replace(task, deadline=event.commit_by, opening=event.opening, round=opened)


def _names(one: Address, other: Address) -> tuple[Address, Address]:
    return (one, other) if one.lower() < other.lower() else (other, one)


def _commit(task: Task, event: ev.UpdateCommitted) -> Task:
    current = _running(task, event.round, event.attempt)
    member = task.participants.get(event.participant)
    if member is None or event.position not in current.roster:
        raise ImpossibleEvent(f"a commitment of {event.participant}, who is not on the roster")
    made = Commitment(
        event.participant,
        event.position,
        event.generation,
        event.update_root,
        event.seeds_root,
        event.bundle,
        event.data_root,
    )
    renewed = replace(
        member,
        mask_key=event.mask_key,
        box_key=event.box_key,
        ready_opening=current.opening + 1,
        generation=event.generation,
    )
    commitments = MappingProxyType({**current.commitments, event.position: made})
    return replace(_with_participant(task, renewed), round=replace(current, commitments=commitments))


def _freeze(task: Task, event: ev.SurvivorsFrozen, point: LogPoint) -> Task:
    current = _running(task, event.round, event.attempt)
    disputes = from_pairs(event.disputes)
    made = Freeze(
        survivors=from_bitmap(event.survivors, current.domain),
        bitmap=event.survivors,
        disputes=disputes,
        signers=from_bitmap(event.signers, current.domain),
        beacon_block=event.beacon_block,
        point=point,
    )
    severed = {
        _names(current.roster[low].address, current.roster[high].address)
        for low, high in disputes
        if low in current.roster and high in current.roster
    }
    return replace(
        task,
        deadline=event.stall_at,
        stall_at=event.stall_at,
        round=replace(current, freeze=made, aggregate_from=event.aggregate_from),
        severed=task.severed | severed,
    )


def _finalize(task: Task, event: ev.RoundFinalized) -> Task:
    current = _running(task, event.round, event.attempt)
    if current.proposal is None:
        raise ImpossibleEvent(f"round {event.round} finalised without a proposal")
    closed = replace(current, attesters=from_bitmap(event.attesters, current.domain))
    aggregate = current.proposal.aggregate
    return replace(
        task,
        model_root=event.model_root,
        state_root=event.state_root,
        finished=(*task.finished, closed),
        round=None,
        payout_root=aggregate.payout_root,
        payout_total=aggregate.payout_total,
    )
