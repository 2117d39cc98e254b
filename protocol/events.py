"""What the chain says: one frozen class a contract event, in the contract's own words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from foedus.protocol.ids import (
    Address,
    Attempt,
    Hash32,
    Opening,
    Position,
    PublicKey,
    RoundNumber,
    Timestamp,
    Wei,
)
from foedus.protocol.terms import Params


class Phase(IntEnum):
    """Where a task stands; the numbers are the contract's."""

    ENROL = 0
    DRAW = 1
    COMMIT = 2
    FREEZE = 3
    AGGREGATE = 4
    ATTEST = 5
    ENDED = 6


class AbortReason(IntEnum):
    """Why an attempt was given up before its survivors were frozen."""

    TOO_FEW_COMMITS = 0
    NOT_FROZEN = 1


class EndReason(IntEnum):
    """Why a task is over."""

    COMPLETED = 0
    STARVED = 1
    EXHAUSTED = 2
    STALLED = 3


@dataclass(frozen=True, slots=True, order=True)
class LogPoint:
    """A log's place: unique, and ordered as the chain is."""

    block: int
    index: int
    block_hash: Hash32
    timestamp: Timestamp


@dataclass(frozen=True, slots=True)
class TaskCreated:
    task: Address
    sponsor: Address
    terms: Hash32
    base_root: Hash32
    pool: Wei
    params: Params


@dataclass(frozen=True, slots=True)
class EnrolmentOpened:
    """Participants are awaited: at the start, or after too few were ready for an opening."""

    until: Timestamp
    target: int


@dataclass(frozen=True, slots=True)
class ParticipantJoined:
    """`consent` is the terms' digest: the participant read and accepted them. The keys serve the first opening of
    `ready_epoch`."""

    participant: Address
    position: Position
    ready_epoch: int
    mask_key: PublicKey
    box_key: PublicKey
    consent: Hash32


@dataclass(frozen=True, slots=True)
class ParticipantLeft:
    participant: Address
    position: Position


@dataclass(frozen=True, slots=True)
class KeysAdvertised:
    """A late-comer's keys for `opening`."""

    participant: Address
    position: Position
    opening: Opening
    mask_key: PublicKey
    box_key: PublicKey


@dataclass(frozen=True, slots=True)
class DrawScheduled:
    """The hash of `beacon_block` will seed `epoch`."""

    epoch: int
    beacon_block: int


@dataclass(frozen=True, slots=True)
class EpochDrawn:
    epoch: int
    domain: int
    seed: Hash32


@dataclass(frozen=True, slots=True)
class RoundOpened:
    round: RoundNumber
    attempt: Attempt
    opening: Opening
    eligible: int
    commit_by: Timestamp


@dataclass(frozen=True, slots=True)
class UpdateCommitted:
    """`bundle` is the digest of the bundle's block; the keys serve the next opening."""

    round: RoundNumber
    attempt: Attempt
    participant: Address
    position: Position
    generation: int
    update_root: Hash32
    seeds_root: Hash32
    bundle: Hash32
    data_root: Hash32
    mask_key: PublicKey
    box_key: PublicKey


@dataclass(frozen=True, slots=True)
class CommitClosed:
    round: RoundNumber
    attempt: Attempt
    committed: int
    freeze_by: Timestamp


@dataclass(frozen=True, slots=True)
class SurvivorsFrozen:
    """`survivors` and `signers` are bitmaps (`bitmap.to_bitmap`), `disputes` packed pairs (`bitmap.to_pairs`)."""

    round: RoundNumber
    attempt: Attempt
    survivors: bytes
    disputes: bytes
    signers: bytes
    beacon_block: int
    aggregate_from: Timestamp
    stall_at: Timestamp


@dataclass(frozen=True, slots=True)
class Aggregate:
    """What an aggregator claims of a round; the roots count, `manifest` (a block's digest) is where to look.

    groups and quarantined are bitmaps over groups; payout_total is the wei paid by `payout_root` since the task began.
    """

    sum_root: Hash32
    unmask_root: Hash32
    state_root: Hash32
    model_root: Hash32
    payout_root: Hash32
    manifest: Hash32
    payout_total: Wei
    total_weight: int
    groups: bytes
    quarantined: bytes


@dataclass(frozen=True, slots=True)
class AggregateProposed:
    round: RoundNumber
    attempt: Attempt
    aggregator: Address
    position: Position
    rank: int
    proposal: Hash32
    aggregate: Aggregate
    attest_by: Timestamp


@dataclass(frozen=True, slots=True)
class ProposalDropped:
    """No quorum attested in time; ranks above `next_rank` may propose from `aggregate_from`."""

    round: RoundNumber
    attempt: Attempt
    aggregator: Address
    next_rank: int
    aggregate_from: Timestamp


@dataclass(frozen=True, slots=True)
class RoundFinalized:
    round: RoundNumber
    attempt: Attempt
    base_root: Hash32
    model_root: Hash32
    state_root: Hash32
    attesters: bytes


@dataclass(frozen=True, slots=True)
class AttemptAborted:
    round: RoundNumber
    attempt: Attempt
    reason: AbortReason


@dataclass(frozen=True, slots=True)
class TaskEnded:
    reason: EndReason
    rounds: int
    model_root: Hash32
    payout_root: Hash32
    payout_total: Wei


@dataclass(frozen=True, slots=True)
class RewardClaimed:
    account: Address
    amount: Wei
    cumulative: Wei


@dataclass(frozen=True, slots=True)
class RemainderReturned:
    """What the task did not pay out went back to its sponsor."""

    sponsor: Address
    amount: Wei


Event = (
    TaskCreated
    | EnrolmentOpened
    | ParticipantJoined
    | ParticipantLeft
    | KeysAdvertised
    | DrawScheduled
    | EpochDrawn
    | RoundOpened
    | UpdateCommitted
    | CommitClosed
    | SurvivorsFrozen
    | AggregateProposed
    | ProposalDropped
    | RoundFinalized
    | AttemptAborted
    | TaskEnded
    | RewardClaimed
    | RemainderReturned
)


@dataclass(frozen=True, slots=True)
class NodeAnnounced:
    """A participant's node: its peer id and where it can be dialled (registry event, not of one task)."""

    account: Address
    peer_id: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Logged:
    """A task's event and where it stands."""

    point: LogPoint
    event: Event
