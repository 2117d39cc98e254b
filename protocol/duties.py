"""Who owes what, and when: facts read off the state. Doing them is elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from foedus.protocol.events import Phase
from foedus.protocol.groups import aggregator_seed, shuffle
from foedus.protocol.ids import ZERO32, Address, Attempt, Hash32, Opening, Position, RoundNumber, Timestamp
from foedus.protocol.round import Participant, Proposal, Round
from foedus.protocol.task import Task

STAGGER_SECONDS = 2
"""How long each participant waits for the one before it to do what any of them could."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The chain's present: time by the local clock, the head's number, and the beacon's hash once its block exists."""

    now: Timestamp
    block: int
    beacon: Hash32 | None = None


@dataclass(frozen=True, slots=True)
class Poke:
    """A deadline has passed, or a beacon block has come: tell the contract to move on."""

    phase: Phase


@dataclass(frozen=True, slots=True)
class Advertise:
    """Publish fresh keys for `opening`: the last ones serve no opening to come."""

    opening: Opening


@dataclass(frozen=True, slots=True)
class Commit:
    """Train, mask, store and commit."""

    round: RoundNumber
    attempt: Attempt


@dataclass(frozen=True, slots=True)
class SignSurvivors:
    """Fetch and check the bundles, agree on the survivors, sign and see the freeze onto the chain."""

    round: RoundNumber
    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Reveal:
    """Publish the seeds and shares that this freeze makes public."""

    round: RoundNumber
    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Propose:
    """Collect the seeds, add up, apply the rule, propose."""

    round: RoundNumber
    attempt: Attempt
    rank: int


@dataclass(frozen=True, slots=True)
class Attest:
    """Recompute the proposal, sign it, and see the finalisation onto the chain."""

    round: RoundNumber
    attempt: Attempt
    proposal: Hash32


@dataclass(frozen=True, slots=True)
class Settle:
    """The window of this round's proposal has passed: make it final, and all before it."""

    round: RoundNumber


Duty = Poke | Advertise | Commit | SignSurvivors | Reveal | Propose | Attest | Settle


def turn(task: Task, me: Address, slot: int) -> int:
    """My place, from 0, in the order in which participants do what any one of them may; it moves with `slot`."""
    order = sorted(task.participants, key=lambda address: task.participants[address].position)
    return (order.index(me) - slot) % len(order) if me in task.participants else len(order)


def committee_turn(round_: Round, position: Position) -> int:
    """A committee member's place, from 0, in the order in which members do what any one of them may."""
    order = round_.committee
    return (order.index(position) - round_.opening) % len(order) if position in order else len(order)


def aggregator_rank(round_: Round, position: Position, beacon: Hash32) -> int:
    """A position's rank, from 0, among the round's aggregators."""
    frozen = round_.freeze.digest if round_.freeze else ZERO32
    return shuffle(aggregator_seed(beacon, round_.seed, frozen), position, round_.domain)


def may_propose(task: Task, round_: Round, rank: int, now: Timestamp) -> bool:
    """Whether a rank's turn has come at `now`: turns go round the circle from `next_rank`, one a rank's interval."""
    come = max(0, now - round_.aggregate_from) // task.params.rank_seconds
    return (rank - round_.next_rank) % round_.domain <= come


def _poke_is_due(task: Task, me: Address, clock: Clock) -> bool:
    mine = turn(task, me, task.opening)
    patience = STAGGER_SECONDS * mine
    match task.phase:
        case Phase.DRAW:
            return clock.block > task.beacon_block + mine
        case Phase.ENROL | Phase.COMMIT | Phase.FREEZE | Phase.AGGREGATE:
            return 0 < task.deadline <= clock.now - patience
        case Phase.ATTEST:
            return not task.is_optimistic and task.deadline <= clock.now - patience
        case Phase.ENDED | Phase.PAUSED:
            return False
    assert_never(task.phase)


def _needs_keys(task: Task, member: Participant, round_: Round | None) -> bool:
    if task.is_eligible(member, Opening(task.opening + 1)) or member.ready_epoch == task.epoch + 1:
        return False
    may_still_commit = task.phase is Phase.COMMIT and round_ is not None and member.position in round_.roster
    return task.phase not in (Phase.ENDED, Phase.PAUSED) and not may_still_commit


def settles_at(task: Task, made: Proposal) -> Timestamp:
    """When the window of a pending proposal has passed; pauses since it was made come on top."""
    return Timestamp(made.due_by + task.paused_seconds - made.paused_before)


def _settlement(task: Task, me: Address, clock: Clock) -> list[Duty]:
    """The last of the pending rounds whose windows have passed; nobody waits for the others' turns for ever."""
    if task.phase is Phase.PAUSED:
        return []
    patience = STAGGER_SECONDS * turn(task, me, task.opening)
    passed: list[Duty] = []
    for waiting in task.pending:
        if waiting.proposal is None or settles_at(task, waiting.proposal) > clock.now - patience:
            break
        passed = [Settle(waiting.number)]
    return passed


def duties(task: Task, me: Address, clock: Clock) -> tuple[Duty, ...]:
    """What `me` owes now, most urgent first. A function of its arguments: asking twice changes nothing."""
    owed: list[Duty] = []
    member, round_ = task.participants.get(me), task.round
    if member is not None and round_ is not None:
        owed.extend(_round_duties(task, round_, me, clock))
    if member is not None and _needs_keys(task, member, round_):
        owed.append(Advertise(Opening(task.opening + 1)))
    if _poke_is_due(task, me, clock):
        owed.append(Poke(task.phase))
    owed.extend(_settlement(task, me, clock))
    return tuple(owed)


def _proposal(task: Task, round_: Round, me: Address, clock: Clock) -> list[Duty]:
    """A round that was brought back is for anyone seated in its domain to propose: its roster may have gone."""
    member = task.participants.get(me)
    seat = member.position if round_.resumed and member is not None else round_.position_of(me)
    if clock.beacon is None or clock.now >= task.deadline or seat is None or seat >= round_.domain:
        return []
    rank = aggregator_rank(round_, seat, clock.beacon)
    return [Propose(round_.number, round_.attempt, rank)] if may_propose(task, round_, rank, clock.now) else []


def _round_duties(task: Task, round_: Round, me: Address, clock: Clock) -> list[Duty]:
    position = round_.position_of(me)
    number, attempt = round_.number, round_.attempt
    if task.phase is Phase.AGGREGATE:
        owes = position in round_.survivors or position in round_.committee
        return [*([Reveal(number, attempt)] if owes else []), *_proposal(task, round_, me, clock)]
    if position is None:
        return []
    match task.phase:
        case Phase.COMMIT if position not in round_.commitments and clock.now < task.deadline:
            return [Commit(number, attempt)]
        case Phase.FREEZE if position in round_.committee and clock.now < task.deadline:
            return [SignSurvivors(number, attempt)]
        case Phase.ATTEST if position in round_.committee and round_.proposal is not None:
            reveal, attest = Reveal(number, attempt), Attest(number, attempt, round_.proposal.digest)
            return [reveal, attest] if clock.now < task.deadline else [reveal]
    return []
