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
    PAUSED = 7


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


class Fault(IntEnum):
    """What stake is lost for: objective faults, each with its proof; the numbers are the contract's."""

    WRONG_AGGREGATE = 0
    WITHHELD_CHUNK = 1
    WRONG_ATTESTATION = 2
    CONFLICTING_SIGNATURES = 3
    WITHHELD_REVEAL = 4


@dataclass(frozen=True, slots=True, order=True)
class LogPoint:
    """A log's place: unique, and ordered as the chain is."""

    block: int
    index: int
    block_hash: Hash32
    timestamp: Timestamp


@dataclass(frozen=True, slots=True)
class TaskCreated:
    """law: the hash of what fraud proofs judge by; token: the rewards' ERC-20, the zero address for ether."""

    task: Address
    sponsor: Address
    terms: Hash32
    law: Hash32
    base_root: Hash32
    token: Address
    pool: Wei
    params: Params


@dataclass(frozen=True, slots=True)
class EnrolmentOpened:
    """Participants are awaited: at the start, or after too few were ready for an opening."""

    until: Timestamp
    target: int


@dataclass(frozen=True, slots=True)
class ParticipantJoined:
    """`consent` is the terms' digest: the participant read and accepted them. `payee` is its leaf in payout trees, for
    ever. The keys serve the first opening of `ready_epoch`."""

    participant: Address
    position: Position
    payee: int
    ready_epoch: int
    mask_key: PublicKey
    box_key: PublicKey
    consent: Hash32


@dataclass(frozen=True, slots=True)
class ParticipantAdmitted:
    """The sponsor of a task that is not open admitted a participant, or no longer does."""

    participant: Address
    allowed: bool


@dataclass(frozen=True, slots=True)
class ParticipantLeft:
    """Its stake can be collected from `thaw_at`, on a clock that stands still in every pause."""

    participant: Address
    position: Position
    thaw_at: Timestamp


@dataclass(frozen=True, slots=True)
class StakeCollected:
    participant: Address
    amount: Wei


@dataclass(frozen=True, slots=True)
class BondPosted:
    """An aggregator's bond was locked beside its stake."""

    participant: Address
    amount: Wei


@dataclass(frozen=True, slots=True)
class ParticipantSlashed:
    """A conviction: `amount` is lost, of which the challenger receives `share`; the seat is too, where one was held."""

    participant: Address
    position: Position
    seated: bool
    fault: Fault
    amount: Wei
    challenger: Address
    share: Wei


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

    participant: Address
    round: RoundNumber
    attempt: Attempt
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
    """`proposal` is its name. Until `attest_by` the committee attests it (FAST), or anybody may refute it."""

    aggregator: Address
    round: RoundNumber
    attempt: Attempt
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
    next_rank: int
    aggregate_from: Timestamp


@dataclass(frozen=True, slots=True)
class ProposalRefuted:
    """A proposal that awaited finality was proven wrong: its round is aggregated again from the same frozen set, and
    what was proposed after it falls with it."""

    aggregator: Address
    round: RoundNumber
    attempt: Attempt
    proposal: Hash32
    next_rank: int
    beacon_block: int
    aggregate_from: Timestamp
    stall_at: Timestamp


@dataclass(frozen=True, slots=True)
class RoundFinalized:
    """The proposal is final, and with it all before it. `attesters` is empty where its window passed."""

    round: RoundNumber
    attempt: Attempt
    proposal: Hash32
    attesters: bytes


@dataclass(frozen=True, slots=True)
class AttemptAborted:
    round: RoundNumber
    attempt: Attempt
    reason: AbortReason


@dataclass(frozen=True, slots=True)
class TaskEnded:
    """rounds: those that were proposed, final or not yet."""

    reason: EndReason
    rounds: int


@dataclass(frozen=True, slots=True)
class TaskPaused:
    """The clocks stand still."""

    since: Timestamp


@dataclass(frozen=True, slots=True)
class TaskResumed:
    """The clocks run again: every deadline moved by `spent` seconds."""

    spent: int


@dataclass(frozen=True, slots=True)
class RewardClaimed:
    account: Address
    payee: int
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
    | ParticipantAdmitted
    | ParticipantLeft
    | StakeCollected
    | BondPosted
    | ParticipantSlashed
    | KeysAdvertised
    | DrawScheduled
    | EpochDrawn
    | RoundOpened
    | UpdateCommitted
    | CommitClosed
    | SurvivorsFrozen
    | AggregateProposed
    | ProposalDropped
    | ProposalRefuted
    | RoundFinalized
    | AttemptAborted
    | TaskEnded
    | TaskPaused
    | TaskResumed
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
