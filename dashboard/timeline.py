"""What became of each attempt at a round: the round as it last stood, and when each of its events came.

The fold keeps finished rounds and the one that runs; an attempt that was given up is gone from it. This is the record
of all of them, made beside the fold and from the same events.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType

from foedus.protocol import events as ev
from foedus.protocol.events import Logged, LogPoint
from foedus.protocol.round import Round
from foedus.protocol.task import Task

MOMENTS = (
    ev.RoundOpened,
    ev.CommitClosed,
    ev.SurvivorsFrozen,
    ev.AggregateProposed,
    ev.RoundFinalized,
    ev.AttemptAborted,
)
"""Events of which a timeline keeps the last one's place."""


class Outcome(StrEnum):
    """Where an attempt stands."""

    RUNNING = "running"
    FINALIZED = "finalized"
    ABORTED = "aborted"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Timeline:
    """One attempt. moments: the place of its events by name; dropped: proposals that no quorum attested; reason: why it
    was given up, where it was."""

    round: Round
    outcome: Outcome = Outcome.RUNNING
    reason: str = ""
    moments: Mapping[str, LogPoint] = field(default_factory=lambda: MappingProxyType({}))
    dropped: tuple[ev.ProposalDropped, ...] = ()

    @property
    def finalized(self) -> LogPoint | None:
        """Where the chain made the round final: names this very result, whatever a reorganisation does."""
        return self.moments.get(ev.RoundFinalized.__name__)


def extend(timelines: tuple[Timeline, ...], entry: Logged, after: Task) -> tuple[Timeline, ...]:
    """The timelines after one more event; `after` is the fold's state with that event in it."""
    event = entry.event
    if isinstance(event, ev.RoundOpened) and after.round is not None:
        return (*timelines, _noted(Timeline(after.round), entry))
    if not timelines or timelines[-1].outcome is not Outcome.RUNNING:
        return timelines
    current = timelines[-1]
    match event:
        case ev.RoundFinalized():
            current = replace(current, round=after.finished[-1], outcome=Outcome.FINALIZED)
        case ev.AttemptAborted():
            current = replace(current, outcome=Outcome.ABORTED, reason=event.reason.name)
        case ev.TaskEnded():
            current = replace(current, outcome=Outcome.ENDED, reason=event.reason.name)
        case ev.ProposalDropped():
            current = replace(current, round=after.round or current.round, dropped=(*current.dropped, event))
        case _:
            current = replace(current, round=after.round or current.round)
    return (*timelines[:-1], _noted(current, entry))


def _noted(timeline: Timeline, entry: Logged) -> Timeline:
    if not isinstance(entry.event, MOMENTS):
        return timeline
    moments = {**timeline.moments, type(entry.event).__name__: entry.point}
    return replace(timeline, moments=MappingProxyType(moments))
