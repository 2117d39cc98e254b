"""What became of each attempt at a round: the round as it last stood, and when each of its events came.

The fold keeps final and pending rounds and the one that runs; an attempt that was given up or rolled back, and every
proposal that fell, is gone from it. This is the record of all of them, made beside the fold and from the same events.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from foedus.protocol import events as ev
from foedus.protocol.events import Logged, LogPoint
from foedus.protocol.ids import RoundNumber
from foedus.protocol.round import Proposal, Round
from foedus.protocol.task import Task


class Outcome(StrEnum):
    """Where an attempt stands. PENDING: its proposal stands and awaits the end of its window; REFUTED: its proposal was
    proven wrong when the task was over; ROLLED_BACK: a round before it was refuted, so that it never was."""

    RUNNING = "running"
    PENDING = "pending"
    FINALIZED = "finalized"
    ABORTED = "aborted"
    ENDED = "ended"
    REFUTED = "refuted"
    ROLLED_BACK = "rolled back"


class Fate(StrEnum):
    """Why a proposal fell. DROPPED: no quorum attested in time; REFUTED: it was proven wrong; ROLLED_BACK: one before
    it was."""

    DROPPED = "dropped"
    REFUTED = "refuted"
    ROLLED_BACK = "rolled back"


LIVE = (Outcome.RUNNING, Outcome.PENDING)
"""Of attempts that can still change."""


@dataclass(frozen=True, slots=True)
class Moment:
    """An event of an attempt, by name, and its place."""

    event: str
    point: LogPoint


@dataclass(frozen=True, slots=True)
class Fallen:
    """A proposal that fell, and where."""

    proposal: Proposal
    fate: Fate
    point: LogPoint


@dataclass(frozen=True, slots=True)
class Timeline:
    """One attempt. moments: its events, oldest first; fallen: its proposals that did not stand; reason: why it was
    given up, where it was; fell_with: the round whose refutation rolled it back."""

    round: Round
    outcome: Outcome = Outcome.RUNNING
    reason: str = ""
    moments: tuple[Moment, ...] = ()
    fallen: tuple[Fallen, ...] = ()
    fell_with: RoundNumber | None = None

    def has(self, *events: type) -> bool:
        """Whether one of these events came."""
        names = {event.__name__ for event in events}
        return any(moment.event in names for moment in self.moments)

    @property
    def finalized(self) -> LogPoint | None:
        """Where the chain made the round final: names this very result, whatever a reorganisation does."""
        name = ev.RoundFinalized.__name__
        return next((moment.point for moment in self.moments if moment.event == name), None)


def extend(timelines: tuple[Timeline, ...], entry: Logged, after: Task) -> tuple[Timeline, ...]:
    """The timelines after one more event; `after` is the fold's state with that event in it."""
    event = entry.event
    match event:
        case ev.RoundOpened() if after.round is not None:
            return (*timelines, _noted(Timeline(after.round), entry))
        case ev.CommitClosed() | ev.SurvivorsFrozen():
            return _running(timelines, entry, after)
        case ev.AggregateProposed() if after.round is None:
            return _running(timelines, entry, after, outcome=Outcome.PENDING, round=after.pending[-1])
        case ev.AggregateProposed():
            return _running(timelines, entry, after)
        case ev.ProposalDropped():
            return tuple(_fell(line, entry, Fate.DROPPED, after) if _runs(line) else line for line in timelines)
        case ev.ProposalRefuted():
            return tuple(_after_refutation(line, entry, event.round, after) for line in timelines)
        case ev.RoundFinalized():
            return tuple(_after_finality(line, entry, event.round, after) for line in timelines)
        case ev.AttemptAborted():
            return _running(timelines, entry, after, outcome=Outcome.ABORTED, reason=event.reason.name)
        case ev.TaskEnded():
            return _running(timelines, entry, after, outcome=Outcome.ENDED, reason=event.reason.name)
        case ev.TaskPaused() | ev.TaskResumed():
            lines = tuple(_noted(line, entry) if line.outcome in LIVE else line for line in timelines)
            return _running(lines, None, after)
    return _running(timelines, None, after)


def _runs(line: Timeline) -> bool:
    return line.outcome is Outcome.RUNNING


def _running(
    timelines: tuple[Timeline, ...],
    entry: Logged | None,
    after: Task,
    outcome: Outcome = Outcome.RUNNING,
    reason: str = "",
    round: Round | None = None,
) -> tuple[Timeline, ...]:
    """The timelines with the running one, if any, as it is now; `entry` is one of its moments."""
    at = next((at for at in range(len(timelines) - 1, -1, -1) if _runs(timelines[at])), None)
    if at is None:
        return timelines
    now = round or after.round or timelines[at].round
    line = replace(timelines[at], round=now, outcome=outcome, reason=reason)
    if entry is not None:
        line = _noted(line, entry)
    return (*timelines[:at], line, *timelines[at + 1 :])


def _after_finality(line: Timeline, entry: Logged, last: RoundNumber, after: Task) -> Timeline:
    """A final round makes all before it final."""
    number = line.round.number
    if line.outcome not in LIVE or number > last:
        return line
    return _noted(replace(line, round=after.finished[number - 1], outcome=Outcome.FINALIZED), entry)


def _after_refutation(line: Timeline, entry: Logged, refuted: RoundNumber, after: Task) -> Timeline:
    """The refuted proposal's round goes on, unless the task is over; later ones are rolled back."""
    if line.outcome not in LIVE or line.round.number < refuted:
        return line
    if line.round.number == refuted:
        return _fell(line, entry, Fate.REFUTED, after)
    proposal = line.round.proposal
    fallen = (*line.fallen, Fallen(proposal, Fate.ROLLED_BACK, entry.point)) if proposal is not None else line.fallen
    return _noted(replace(line, outcome=Outcome.ROLLED_BACK, fell_with=refuted, fallen=fallen), entry)


def _fell(line: Timeline, entry: Logged, fate: Fate, after: Task) -> Timeline:
    """The attempt without its proposal: it is aggregated again, where the task goes on."""
    proposal = line.round.proposal
    fallen = (*line.fallen, Fallen(proposal, fate, entry.point)) if proposal is not None else line.fallen
    outcome = Outcome.RUNNING if after.round is not None else Outcome.REFUTED
    bare = after.round or replace(line.round, proposal=None)
    return _noted(replace(line, round=bare, outcome=outcome, fallen=fallen), entry)


def _noted(line: Timeline, entry: Logged) -> Timeline:
    return replace(line, moments=(*line.moments, Moment(type(entry.event).__name__, entry.point)))
