"""One attempt at one round: the roster as it opened, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from types import MappingProxyType

from foedus.protocol.bitmap import Pair
from foedus.protocol.events import Aggregate, LogPoint
from foedus.protocol.groups import COMMITTEE_MAX, Groups, in_committee, threshold
from foedus.protocol.ids import Address, Attempt, Hash32, Opening, Position, PublicKey, RoundNumber, Timestamp


@dataclass(frozen=True, slots=True)
class Participant:
    """An enrolled account. Its latest keys serve `ready_opening`, or the first opening of `ready_epoch`."""

    address: Address
    position: Position
    mask_key: PublicKey
    box_key: PublicKey
    consent: Hash32
    ready_epoch: int
    ready_opening: int = 0
    generation: int = 0


@dataclass(frozen=True, slots=True)
class Commitment:
    """What a participant committed in one opening."""

    opening: Opening
    round: RoundNumber
    attempt: Attempt
    participant: Address
    position: Position
    generation: int
    update_root: Hash32
    seeds_root: Hash32
    bundle: Hash32
    data_root: Hash32


@dataclass(frozen=True, slots=True)
class Freeze:
    """The survivors of an attempt, for ever."""

    survivors: frozenset[Position]
    bitmap: bytes
    disputes: frozenset[Pair]
    signers: frozenset[Position]
    signers_bitmap: bytes
    beacon_block: int
    point: LogPoint

    @property
    def digest(self) -> Hash32:
        """sha256 of the survivors' and the signers' bitmaps, one after the other: what the chain knows it by."""
        return Hash32(sha256(self.bitmap + self.signers_bitmap).digest())


@dataclass(frozen=True, slots=True)
class Proposal:
    """An aggregator's proposal, under its name; `before` is the name of the one before it, due_by the end of its time
    to be attested or refuted."""

    aggregator: Address
    position: Position
    rank: int
    digest: Hash32
    before: Hash32
    aggregate: Aggregate
    proposed_at: Timestamp
    paused_before: int
    due_by: Timestamp


@dataclass(frozen=True, slots=True)
class Round:
    """One attempt at one round: the roster as it opened, and what became of it."""

    number: RoundNumber
    attempt: Attempt
    opening: Opening
    base_root: Hash32
    base_state: Hash32
    epoch: int
    domain: int
    seed: Hash32
    severed: frozenset[Pair]
    roster: Mapping[Position, Participant]
    commitments: Mapping[Position, Commitment] = field(default_factory=lambda: MappingProxyType({}))
    freeze: Freeze | None = None
    aggregate_from: Timestamp = Timestamp(0)
    next_rank: int = 0
    proposal: Proposal | None = None
    attesters: frozenset[Position] = frozenset()
    left: frozenset[Position] = frozenset()
    """Roster positions whose accounts gave up or lost their seats since: they act no more, even if they join again."""
    resumed: bool = False
    """Whether a refuted proposal brought the round back: its commit phase is long over."""

    @property
    def survivors(self) -> frozenset[Position]:
        return self.freeze.survivors if self.freeze else frozenset()

    def groups(self, group_size: int) -> Groups:
        return Groups(self.seed, self.domain, group_size)

    @property
    def committee(self) -> tuple[Position, ...]:
        """The eligible positions that may sign, in order."""
        eligible = len(self.roster)
        return tuple(p for p in sorted(self.roster) if in_committee(self.seed, p, self.domain, eligible))

    @property
    def threshold(self) -> int:
        """Signatures that a freeze or an attestation needs, and shares that recover a seed."""
        return threshold(min(len(self.roster), COMMITTEE_MAX))

    @property
    def seated(self) -> tuple[Position, ...]:
        """The committee members who still have their seats: the contract counts no others' signatures."""
        return tuple(p for p in self.committee if p not in self.left)

    def position_of(self, address: Address) -> Position | None:
        """Where an account sits in this round's roster; None once it has left."""
        found = next((p for p, member in self.roster.items() if member.address == address), None)
        return None if found in self.left else found
