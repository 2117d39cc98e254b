"""A task's state, as the chain tells it. `fold.apply` is the only way that it changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from foedus.protocol import events as ev
from foedus.protocol.claims import genesis
from foedus.protocol.events import EndReason, Phase
from foedus.protocol.ids import (
    ZERO32,
    Address,
    Hash32,
    Opening,
    Position,
    RoundNumber,
    Timestamp,
    Wei,
)
from foedus.protocol.round import Participant, Round
from foedus.protocol.terms import Finality, Params


class ImpossibleEvent(ValueError):
    """An event that cannot follow the state: logs were dropped, or come from another contract."""


@dataclass(frozen=True, slots=True)
class Task:
    """A task as the chain tells it.

    finished: the final rounds; pending: those whose proposals await the end of their window. model_root, state_root and
    head (the name of the last proposal that stands) include the pending. thawing: when the stakes of those who left
    can be collected, on a clock that stood still in every pause (`thaws_at`). convicted: the seats that convictions
    emptied; nobody sits there again.
    """

    address: Address
    sponsor: Address
    terms: Hash32
    law: Hash32
    token: Address
    params: Params
    pool: Wei
    model_root: Hash32
    head: Hash32
    state_root: Hash32 = ZERO32
    phase: Phase = Phase.ENROL
    deadline: Timestamp = Timestamp(0)
    target: int = 0
    participants: Mapping[Address, Participant] = field(default_factory=lambda: MappingProxyType({}))
    payees: Mapping[Address, int] = field(default_factory=lambda: MappingProxyType({}))
    admitted: frozenset[Address] = frozenset()
    bonded: frozenset[Address] = frozenset()
    thawing: Mapping[Address, Timestamp] = field(default_factory=lambda: MappingProxyType({}))
    convicted: frozenset[Position] = frozenset()
    domain: int = 0
    epoch: int = 0
    seed: Hash32 = ZERO32
    epoch_opening: Opening = Opening(0)
    opening: Opening = Opening(0)
    beacon_block: int = 0
    stall_at: Timestamp = Timestamp(0)
    round: Round | None = None
    finished: tuple[Round, ...] = ()
    pending: tuple[Round, ...] = ()
    severed: frozenset[tuple[Address, Address]] = frozenset()
    payout_root: Hash32 = ZERO32
    payout_total: Wei = Wei(0)
    claimed: Mapping[Address, Wei] = field(default_factory=lambda: MappingProxyType({}))
    departed: Mapping[Address, int] = field(default_factory=lambda: MappingProxyType({}))
    """The commit counters of accounts that left: who joins again goes on from them."""
    end: EndReason | None = None
    paused_in: Phase = Phase.ENROL
    paused_seconds: int = 0

    @property
    def next_round(self) -> RoundNumber:
        """The round whose base model is the current one."""
        return RoundNumber(len(self.finished) + len(self.pending) + 1)

    @property
    def is_optimistic(self) -> bool:
        """Whether windows, not quorums, make proposals final."""
        return self.params.finality is Finality.OPTIMISTIC

    def is_eligible(self, member: Participant, opening: Opening) -> bool:
        """Whether the member's keys serve this opening of the current epoch."""
        return member.ready_opening == opening or (
            member.ready_epoch == self.epoch and opening == self.epoch_opening and opening > 0
        )

    def thaws_at(self, account: Address) -> Timestamp:
        """When the stake of an account that left can be collected. Raises KeyError where none is thawing."""
        return Timestamp(self.thawing[account] + self.paused_seconds)

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
        law=event.law,
        token=event.token,
        params=event.params,
        pool=event.pool,
        model_root=event.base_root,
        head=genesis(event.base_root),
    )
