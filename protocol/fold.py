"""The fold: a task's state is what its events make of it, one after the other, and nothing else.

A reorganisation is truncate and refold; a restart is a replay; node, dashboard and auditor run this same code.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from types import MappingProxyType
from typing import assert_never

from foedus.protocol import events as ev
from foedus.protocol import passage
from foedus.protocol.events import Event, Logged, LogPoint
from foedus.protocol.ids import Address, Opening, Position, Timestamp
from foedus.protocol.round import Participant
from foedus.protocol.task import ImpossibleEvent, Task, create
from foedus.protocol.transitions import follow


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


def apply(task: Task, entry: Logged) -> Task:
    """The state after one more event. Raises ImpossibleEvent where the event cannot follow."""
    event: Event = entry.event
    phase = follow(task.phase, type(event), task.paused_in)
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
            return _join(task, event)
        case ev.ParticipantAdmitted():
            admitted = task.admitted | {event.participant} if event.allowed else task.admitted - {event.participant}
            return replace(task, admitted=admitted)
        case ev.ParticipantLeft():
            thawing = MappingProxyType({**task.thawing, event.participant: event.thaw_at})
            return replace(_unseat(task, event.participant, event.position), thawing=thawing)
        case ev.StakeCollected():
            if event.participant not in task.thawing:
                raise ImpossibleEvent(f"{event.participant} collected a stake that was not thawing")
            return _stake_gone(task, event.participant)
        case ev.BondPosted():
            return replace(task, bonded=task.bonded | {event.participant})
        case ev.ParticipantSlashed():
            if event.seated != (event.participant in task.participants):
                raise ImpossibleEvent(f"{event.participant} lost a seat that it did not have, or kept one when slashed")
            return _stake_gone(_expel(task, event), event.participant)
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
            return passage.opened(task, event)
        case ev.UpdateCommitted():
            return passage.committed(task, event)
        case ev.CommitClosed():
            closing = passage.running(task, event.round, event.attempt)
            if event.committed != len(closing.commitments):
                raise ImpossibleEvent(f"{len(closing.commitments)} commitments where {event.committed} were counted")
            return replace(task, deadline=event.freeze_by)
        case ev.SurvivorsFrozen():
            return passage.frozen(task, event, point)
        case ev.AggregateProposed():
            return passage.proposed(task, event, point)
        case ev.ProposalDropped():
            current = passage.running(task, event.round, event.attempt)
            dropped = replace(current, proposal=None, next_rank=event.next_rank, aggregate_from=event.aggregate_from)
            return replace(task, deadline=task.stall_at, round=dropped)
        case ev.ProposalRefuted():
            return passage.brought_back(task, event)
        case ev.RoundFinalized():
            return passage.finalized(task, event)
        case ev.AttemptAborted():
            passage.running(task, event.round, event.attempt)
            return task
        case ev.TaskEnded():
            if event.rounds != task.next_round - 1:
                raise ImpossibleEvent(f"an end after {event.rounds} rounds where {task.next_round - 1} were proposed")
            return replace(task, deadline=Timestamp(0), end=event.reason, round=None)
        case ev.TaskPaused():
            return replace(task, paused_in=task.phase)
        case ev.TaskResumed():
            return passage.resumed(task, event.spent)
        case ev.RewardClaimed():
            claimed = MappingProxyType({**task.claimed, event.account: event.cumulative})
            return replace(task, claimed=claimed)
        case ev.RemainderReturned():
            return task
    assert_never(event)


def _with_participant(task: Task, member: Participant) -> Task:
    return replace(task, participants=MappingProxyType({**task.participants, member.address: member}))


def _join(task: Task, event: ev.ParticipantJoined) -> Task:
    taken = {member.position for member in task.participants.values()}
    if event.participant in task.participants or event.position in taken:
        raise ImpossibleEvent(f"{event.participant} took seat {event.position}: it has one, or somebody sits there")
    if task.payees.get(event.participant, event.payee) != event.payee:
        raise ImpossibleEvent(f"{event.participant} became payee {event.payee}, having been another")
    member = Participant(
        address=event.participant,
        position=event.position,
        mask_key=event.mask_key,
        box_key=event.box_key,
        consent=event.consent,
        ready_epoch=event.ready_epoch,
        generation=task.departed.get(event.participant, 0),
    )
    thawing = {account: at for account, at in task.thawing.items() if account != event.participant}
    payees = MappingProxyType({**task.payees, event.participant: event.payee})
    return replace(_with_participant(task, member), thawing=MappingProxyType(thawing), payees=payees)


def _unseat(task: Task, account: Address, position: Position) -> Task:
    member = task.participants.get(account)
    if member is None or member.position != position:
        raise ImpossibleEvent(f"{account} gave up or lost seat {position}, where it does not sit")
    rest = {address: other for address, other in task.participants.items() if address != account}
    departed = {**task.departed, account: member.generation}
    current = task.round
    if current is not None and current.position_of(account) is not None:
        current = replace(current, left=current.left | {position})
    return replace(task, participants=MappingProxyType(rest), departed=MappingProxyType(departed), round=current)


def _expel(task: Task, event: ev.ParticipantSlashed) -> Task:
    if not event.seated:
        return task
    return replace(_unseat(task, event.participant, event.position), convicted=task.convicted | {event.position})


def _stake_gone(task: Task, account: Address) -> Task:
    thawing = {other: at for other, at in task.thawing.items() if other != account}
    return replace(task, thawing=MappingProxyType(thawing), bonded=task.bonded - {account})


def _rekeyed(task: Task, event: ev.KeysAdvertised) -> Participant:
    member = task.participants.get(event.participant)
    if member is None:
        raise ImpossibleEvent(f"keys of {event.participant}, who has not joined")
    return replace(member, mask_key=event.mask_key, box_key=event.box_key, ready_opening=event.opening)
