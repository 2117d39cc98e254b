// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice A participant's seat in a task: given at join, the index in bitmaps and in the sum tree.
type Position is uint16;

/// @notice Where a task stands.
enum Phase {
    ENROL,
    DRAW,
    COMMIT,
    FREEZE,
    AGGREGATE,
    ATTEST,
    ENDED
}

/// @notice Why an attempt was given up before its survivors were frozen.
enum AbortReason {
    TOO_FEW_COMMITS,
    NOT_FROZEN
}

/// @notice Why a task is over.
enum EndReason {
    COMPLETED,
    STARVED,
    EXHAUSTED,
    STALLED
}

/// @notice The part of a task's terms that the contract enforces by itself. Seconds are of block time; stake is in wei.
struct Params {
    uint32 rounds;
    uint16 minParticipants;
    uint16 maxParticipants;
    uint16 minSurvivors;
    uint16 epochRounds;
    uint16 maxAttempts;
    uint32 enrolSeconds;
    uint32 commitSeconds;
    uint32 freezeSeconds;
    uint32 rankSeconds;
    uint32 stallSeconds;
    uint32 attestSeconds;
    uint96 stake;
}

/// @notice What is fixed when a task is created: it lives in the clone's code, not in its storage.
struct Settings {
    bytes32 terms; // sha256 of the canonical terms
    bytes32 baseRoot; // Merkle root of the initial model
    address sponsor;
    uint96 pool; // wei, all that the task can ever pay
    Params params;
}

/// @notice What an aggregator claims of a round. The roots count; `manifest` is the digest of the block to look in.
/// @dev `groups` and `quarantined` are bitmaps over groups; `payoutTotal` is the wei that `payoutRoot` pays since the
/// task began.
struct Aggregate {
    bytes32 sumRoot;
    bytes32 unmaskRoot;
    bytes32 stateRoot;
    bytes32 modelRoot;
    bytes32 payoutRoot;
    bytes32 manifest;
    uint256 payoutTotal;
    uint64 totalWeight;
    bytes groups;
    bytes quarantined;
}

/// @notice The frozen set, the beacon and the aggregators' clock: one word.
struct Frozen {
    bytes20 survivors; //    160  the first 20 bytes of the frozen bitmap's sha256
    uint32 beaconBlock; //    32  whose hash draws the aggregators; before the freeze, the one that drew the epoch
    uint32 aggregateFrom; //  32  since when `nextRank` may propose
    uint32 stallAt; //        32  when the task ends without an attested aggregate
}

/// @notice Seats and money: one word.
struct Book {
    uint96 evenTotal; //  96  wei paid in all by the outcome of an even round
    uint96 oddTotal; //   96  and of an odd one
    uint16 seats; //      16  seats ever given
    uint16 freeSeat; //   16  the seat freed last, plus one; 0 where none is free
    uint16 proposer; //   16  the seat of the proposal's aggregator; 65,535 before the first
    bool returned; //      8  whether the sponsor took the remainder
}

/// @notice What a round leaves behind: its model and who is owed what. Two are kept, of the last final round and of the
/// one proposed: an even and an odd one, so that finality copies nothing.
struct Outcome {
    bytes32 modelRoot;
    bytes32 payoutRoot;
}

/// @notice A seat: one word. Free seats are a linked stack, so that giving one never searches.
struct Seat {
    address member;
    uint16 nextFree; // the seat freed before this one, plus one
}
