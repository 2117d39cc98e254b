"""The protocol as a table: which event may come in which phase, and the phase that follows.

`task.apply` refuses what is not in it; the diagram in docs/protocol.md is drawn from it.
"""

from __future__ import annotations

from foedus.protocol import events as ev
from foedus.protocol.events import Event, Phase

ENROL, DRAW, COMMIT, FREEZE, AGGREGATE, ATTEST, ENDED, PAUSED = Phase

MOVES: dict[tuple[Phase, type[Event]], Phase] = {
    (ENROL, ev.EnrolmentOpened): ENROL,
    (ENROL, ev.DrawScheduled): DRAW,
    (ENROL, ev.TaskEnded): ENDED,
    (DRAW, ev.DrawScheduled): DRAW,
    (DRAW, ev.EpochDrawn): DRAW,
    (DRAW, ev.RoundOpened): COMMIT,
    (COMMIT, ev.UpdateCommitted): COMMIT,
    (COMMIT, ev.CommitClosed): FREEZE,
    (COMMIT, ev.AttemptAborted): COMMIT,
    (COMMIT, ev.RoundOpened): COMMIT,
    (COMMIT, ev.EnrolmentOpened): ENROL,
    (COMMIT, ev.TaskEnded): ENDED,
    (FREEZE, ev.SurvivorsFrozen): AGGREGATE,
    (FREEZE, ev.AttemptAborted): FREEZE,
    (FREEZE, ev.RoundOpened): COMMIT,
    (FREEZE, ev.EnrolmentOpened): ENROL,
    (FREEZE, ev.TaskEnded): ENDED,
    (AGGREGATE, ev.AggregateProposed): ATTEST,
    (AGGREGATE, ev.TaskEnded): ENDED,
    (ATTEST, ev.ProposalDropped): AGGREGATE,
    (ATTEST, ev.RoundOpened): COMMIT,
    (ATTEST, ev.EnrolmentOpened): ENROL,
    (ATTEST, ev.DrawScheduled): DRAW,
    (ATTEST, ev.TaskEnded): ENDED,
}
"""Events that move a task on. After AttemptAborted, RoundFinalized and an optimistic AggregateProposed the next event,
of the same block, moves it."""

ANY_TIME: frozenset[type[Event]] = frozenset(
    {
        ev.ParticipantJoined,
        ev.ParticipantLeft,
        ev.KeysAdvertised,
        ev.RoundFinalized,
        ev.ParticipantSlashed,
        ev.BondPosted,
        ev.ParticipantAdmitted,
        ev.StakeCollected,
        ev.RewardClaimed,
    }
)
"""Events that change members, money or what is final, and leave the phase as it is."""

WHILE_PAUSED: frozenset[type[Event]] = frozenset({ev.ParticipantAdmitted, ev.StakeCollected, ev.RewardClaimed})

AFTER_THE_END: frozenset[type[Event]] = frozenset(
    {
        ev.ParticipantLeft,
        ev.RoundFinalized,
        ev.ProposalRefuted,
        ev.ParticipantSlashed,
        ev.ParticipantAdmitted,
        ev.StakeCollected,
        ev.RewardClaimed,
        ev.RemainderReturned,
    }
)


def follow(phase: Phase, event: type[Event], paused: Phase = ENROL) -> Phase | None:
    """The phase after an event, or None where the event cannot come in this phase. paused: where a pause began."""
    if phase is ENDED:
        return ENDED if event in AFTER_THE_END else None
    if phase is PAUSED:
        return paused if event is ev.TaskResumed else PAUSED if event in WHILE_PAUSED else None
    if event is ev.TaskPaused:
        return PAUSED
    if event is ev.ProposalRefuted:
        return AGGREGATE
    return phase if event in ANY_TIME else MOVES.get((phase, event))


def diagram() -> str:
    """The table as a Mermaid state diagram."""
    rows = [f"    {before.name} --> {after.name}: {event.__name__}" for (before, event), after in MOVES.items()]
    running = [phase for phase in Phase if phase not in (ENDED, PAUSED)]
    refuted = [f"    {phase.name} --> AGGREGATE: {ev.ProposalRefuted.__name__}" for phase in running]
    start = ["stateDiagram-v2", f"    [*] --> {ENROL.name}: TaskCreated"]
    return "\n".join([*start, *rows, *refuted, f"    {ENDED.name} --> [*]"])
