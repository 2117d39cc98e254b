"""What the contract keeps and a node's state need not: counted here from the same events, by the contract's rules."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from foedus.protocol import events as ev
from foedus.protocol.claims import claim_of, commitment_digest, next_digest, proposal_name
from foedus.protocol.events import Event, Phase
from foedus.protocol.ids import Address, Hash32, Opening, Position, Timestamp, Wei
from foedus.protocol.task import Task


@dataclass(frozen=True)
class Committed:
    """What the contract keeps of an account's commitments."""

    opening: Opening = Opening(0)
    generation: int = 0
    digest: bytes = bytes(24)


@dataclass
class Shadow:
    """free: seats that were given up, the last on top. seated: who committed since it took its seat. bases: every model
    on which a set of survivors was frozen."""

    chain_id: int
    task: Address
    seats: int = 0
    free: list[Position] = field(default_factory=list)
    joins: Counter[Address] = field(default_factory=Counter)
    committed: dict[Address, Committed] = field(default_factory=dict)
    seated: set[Address] = field(default_factory=set)
    convicted: set[Hash32] = field(default_factory=set)
    bases: set[Hash32] = field(default_factory=set)
    resumed: Opening = Opening(0)
    redraw: bool = True
    paused_at: Timestamp = Timestamp(0)
    returned: Wei | None = None

    def note(self, before: Task, after: Task, event: Event) -> None:
        """One more event, between two states."""
        self._keep_order(before, after, event)
        match event:
            case ev.ParticipantJoined():
                self._join(event)
            case ev.ParticipantLeft():
                self.free.append(event.position)
            case ev.UpdateCommitted():
                self._commit(after, event)
            case ev.SurvivorsFrozen():
                self._freeze(after)
            case ev.AggregateProposed():
                self._propose(after, event)
            case ev.ProposalRefuted() if before.is_optimistic:
                again = before.pending[event.round - len(before.finished) - 1]
                self.resumed = again.opening
                self.redraw |= again.seed != before.seed or before.phase is Phase.DRAW
            case ev.DrawScheduled():
                self.redraw = False
            case ev.TaskPaused():
                self.paused_at = event.since
            case ev.TaskResumed():
                self.paused_at = Timestamp(0)
            case ev.RemainderReturned():
                self.returned = event.amount

    def _keep_order(self, before: Task, after: Task, event: Event) -> None:
        """Within an opening the phases come in order, but for a proposal that falls; and a pause, which is none."""
        falls = isinstance(event, ev.ProposalDropped | ev.ProposalRefuted)
        pauses = Phase.PAUSED in (before.phase, after.phase)
        if before.round and after.round and before.round.opening == after.round.opening and not falls and not pauses:
            assert after.phase >= before.phase, f"{type(event).__name__} led from {before.phase} to {after.phase}"

    def _freeze(self, after: Task) -> None:
        """As many survive as committed or fewer, and no base model ever has two frozen sets."""
        assert after.round is not None
        made, least = after.round, after.params.min_survivors
        assert least <= len(made.survivors) <= len(made.commitments)
        assert made.base_root not in self.bases, "a second set is frozen on one base model"
        self.bases.add(made.base_root)

    def _join(self, event: ev.ParticipantJoined) -> None:
        """The seat is the one given up last, else a new one: never one whose holder was convicted."""
        expected = self.free.pop() if self.free else self.seats
        assert event.position == expected, f"seat {event.position} was given where {expected} was free"
        self.seats = max(self.seats, event.position + 1)
        self.joins[event.participant] += 1
        self.seated.discard(event.participant)

    def _commit(self, after: Task, event: ev.UpdateCommitted) -> None:
        assert after.round is not None
        made = after.round.commitments[event.position]
        inner = commitment_digest(self.chain_id, self.task, made)
        chained = next_digest(self.committed.get(event.participant, Committed()).digest, inner)
        self.committed[event.participant] = Committed(made.opening, event.generation, chained)
        self.seated.add(event.participant)

    def _propose(self, after: Task, event: ev.AggregateProposed) -> None:
        """The name is the one that Python gives the claim, as the fold knows it."""
        made = after.round or after.pending[-1]
        assert made.proposal is not None
        assert event.proposal == proposal_name(made.proposal.before, claim_of(made).digest)
        if after.is_optimistic:
            self.resumed = Opening(0)
