"""What an event makes of a round: opened, committed to, frozen, proposed, final, or brought back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from types import MappingProxyType

from foedus.protocol import events as ev
from foedus.protocol.bitmap import from_bitmap, from_pairs
from foedus.protocol.events import LogPoint, Phase
from foedus.protocol.ids import Address, Attempt, Opening, Position, RoundNumber, Timestamp
from foedus.protocol.round import Commitment, Freeze, Participant, Proposal, Round
from foedus.protocol.task import ImpossibleEvent, Task


def running(task: Task, number: RoundNumber, attempt: Attempt) -> Round:
    """The round that an event is of. Raises ImpossibleEvent where another runs."""
    current = task.round
    if current is None or (current.number, current.attempt) != (number, attempt):
        raise ImpossibleEvent(f"event of round {number} attempt {attempt} while {current and current.number} runs")
    return current


def opened(task: Task, event: ev.RoundOpened) -> Task:
    """A commit phase began: the roster as it is now."""
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


def committed(task: Task, event: ev.UpdateCommitted) -> Task:
    """One more commitment, and its author's keys for the next opening."""
    current = running(task, event.round, event.attempt)
    member, seat = task.participants.get(event.participant), event.position
    expected = seat in current.roster and seat not in current.left and seat not in current.commitments
    if member is None or not expected or current.roster[seat].address != member.address:
        raise ImpossibleEvent(f"a commitment of {event.participant}, of whom none is awaited at seat {seat}")
    made = Commitment(
        current.opening,
        event.round,
        event.attempt,
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
    return replace(
        task,
        participants=MappingProxyType({**task.participants, renewed.address: renewed}),
        round=replace(current, commitments=commitments),
    )


def frozen(task: Task, event: ev.SurvivorsFrozen, point: LogPoint) -> Task:
    """The survivors, for ever; pairs that disagree are severed."""
    current = running(task, event.round, event.attempt)
    disputes = from_pairs(event.disputes)
    made = Freeze(
        survivors=from_bitmap(event.survivors, current.domain),
        bitmap=event.survivors,
        disputes=disputes,
        signers=from_bitmap(event.signers, current.domain),
        signers_bitmap=event.signers,
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


def proposed(task: Task, event: ev.AggregateProposed, point: LogPoint) -> Task:
    """An aggregator's proposal: it awaits a quorum, or stands at once and awaits its window."""
    current = running(task, event.round, event.attempt)
    made = Proposal(
        aggregator=event.aggregator,
        position=event.position,
        rank=event.rank,
        digest=event.proposal,
        before=task.head,
        aggregate=event.aggregate,
        proposed_at=point.timestamp,
        paused_before=task.paused_seconds,
        due_by=event.attest_by,
    )
    proposed = replace(task, deadline=event.attest_by, round=replace(current, proposal=made))
    return _stand(proposed, ()) if task.is_optimistic else proposed


def _stand(task: Task, attesters: Iterable[Position]) -> Task:
    """The proposal under way stands: what follows is built on it."""
    if task.round is None or task.round.proposal is None:
        raise ImpossibleEvent(f"round {task.next_round} stands without a proposal")
    made = task.round.proposal
    closed = replace(task.round, attesters=frozenset(attesters))
    return replace(
        task,
        model_root=made.aggregate.model_root,
        state_root=made.aggregate.state_root,
        head=made.digest,
        pending=(*task.pending, closed),
        round=None,
    )


def finalized(task: Task, event: ev.RoundFinalized) -> Task:
    """A quorum attested the proposal, or a window passed: it is final, and all before it."""
    if not task.is_optimistic:
        current = running(task, event.round, event.attempt)
        task = _stand(task, from_bitmap(event.attesters, current.domain))
    final = event.round - len(task.finished)
    if not 0 < final <= len(task.pending):
        raise ImpossibleEvent(f"round {event.round} is final where {len(task.pending)} rounds were pending")
    closed = task.pending[final - 1]
    last = closed.proposal
    if last is None or last.digest != event.proposal or closed.attempt != event.attempt:
        raise ImpossibleEvent(f"the final proposal of round {event.round} is not the one that was made")
    return replace(
        task,
        finished=(*task.finished, *task.pending[:final]),
        pending=task.pending[final:],
        payout_root=last.aggregate.payout_root,
        payout_total=last.aggregate.payout_total,
    )


def brought_back(task: Task, event: ev.ProposalRefuted) -> Task:
    """The refuted proposal's round, before it was proposed; the rounds after it never were.

    A draw that is called off keeps its number, and who waited for it has no keys for what comes instead.
    """
    if not task.is_optimistic:
        current = running(task, event.round, event.attempt)
        kept = task
    else:
        at = event.round - len(task.finished) - 1
        if not 0 <= at < len(task.pending):
            raise ImpossibleEvent(f"round {event.round} was refuted where {len(task.pending)} rounds were pending")
        current = task.pending[at]
        left = frozenset(p for p, member in current.roster.items() if _lost_seat(task, member))
        current = replace(current, left=left, resumed=True, attesters=frozenset())
        kept = replace(
            task,
            pending=task.pending[:at],
            epoch_opening=Opening(0),
            domain=current.domain,
            seed=current.seed,
            stall_at=event.stall_at,
        )
    made = current.proposal
    if current.freeze is None or made is None or made.digest != event.proposal or current.attempt != event.attempt:
        raise ImpossibleEvent(f"a refuted proposal of round {event.round} that was not made")
    again = replace(
        current,
        freeze=replace(current.freeze, beacon_block=event.beacon_block),
        proposal=None,
        next_rank=event.next_rank,
        aggregate_from=event.aggregate_from,
    )
    ended = task.phase is Phase.ENDED
    return replace(
        kept,
        deadline=Timestamp(0) if ended else event.stall_at,
        model_root=current.base_root,
        state_root=current.base_state,
        head=made.before,
        round=None if ended else again,
    )


def _lost_seat(task: Task, member: Participant) -> bool:
    now = task.participants.get(member.address)
    return now is None or now.position != member.position


def resumed(task: Task, spent: int) -> Task:
    """A pause ended: every deadline moved."""
    current = task.round
    if current is not None and task.paused_in in (Phase.AGGREGATE, Phase.ATTEST):
        current = replace(current, aggregate_from=Timestamp(current.aggregate_from + spent))
    return replace(
        task,
        round=current,
        deadline=Timestamp(task.deadline + spent) if task.deadline else task.deadline,
        stall_at=Timestamp(task.stall_at + spent),
        paused_seconds=task.paused_seconds + spent,
    )
