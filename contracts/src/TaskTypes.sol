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
    ENDED,
    PAUSED
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

/// @notice What makes a proposal final: a quorum's signatures at once, or a window in which nobody refuted it.
enum Finality {
    FAST,
    OPTIMISTIC
}

/// @notice What stake is lost for: objective faults, each with its proof, and nothing else.
enum Fault {
    WRONG_AGGREGATE,
    WITHHELD_CHUNK,
    WRONG_ATTESTATION,
    CONFLICTING_SIGNATURES,
    WITHHELD_REVEAL
}

/// @notice The part of a task's terms that the contract enforces by itself. Seconds are of block time; stake and bond
/// are in wei.
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
    uint32 attestSeconds; // FAST: for the quorum to sign; OPTIMISTIC: for anybody to refute
    uint32 answerSeconds; // to answer a demand
    uint32 unbondSeconds; // from leaving to the stake's release
    uint96 stake; // of every participant
    uint96 bond; // of an aggregator, beyond its stake
    uint16 challengerShare; // of a slash, in basis points; the rest is the treasury's
    Finality finality;
    uint8 ahead; // OPTIMISTIC: how many rounds may await finality at a time
    bool open; // whether anybody may join; else only whom the sponsor admitted
}

/// @notice How a task hides single updates, in the order of `Mode` in protocol/terms.py.
/// @dev Up to PLAIN sums are opened by seeds that a claim publishes; up to RLWE a group's updates are its leaves.
enum Mode {
    MASKED,
    PLAIN,
    LIGHTSECAGG,
    RLWE,
    BFV,
    CKKS
}

/// @notice The part of a task's terms that fraud proofs judge by. The clone holds its hash; a proof brings it along.
struct Law {
    uint32 chunks; // of the model, 256 lanes each; an update has one more
    uint16 groupSize;
    Mode mode; // how updates are hidden, and so what a claim's leaves are
    uint8 rule; // 0 FedAvg, 1 FedAvgM, 2 FedAdam, 3 FedYogi, 4 FedAdagrad
    uint8 scaleBits; // fractional bits of the model's lanes
    uint8 updateBits; // and of an update's
    uint32 serverLr; // 65,536 is 1
    uint32 beta1; // 65,536 is 1
    uint32 beta2;
    uint32 tau; // the adaptive rules' epsilon, in the state's lanes
    uint32 maxValue; // of an update's lane, by weight 1
    uint32 maxWeight;
    uint16 survivorsShare; // of a round's worth, in basis points
    uint16 aggregatorShare;
    uint16 attestersShare;
}

/// @notice What is fixed when a task is created: it lives in the clone's code, not in its storage.
struct Settings {
    bytes32 terms; // sha256 of the canonical terms
    bytes32 law; // keccak256 of the encoded Law
    bytes32 baseRoot; // Merkle root of the initial model
    address sponsor;
    address token; // the rewards' ERC-20; zero for ether
    uint96 pool; // wei or token units, all that the task can ever pay
    Params params;
}

/// @notice What an aggregator claims of a round. The roots count; `manifest` is the digest of the block to look in.
/// @dev `groups` and `quarantined` are bitmaps over groups; `payoutTotal` is what `payoutRoot` pays since the task
/// began.
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

/// @notice A proposal with all that it can be judged by. Storage holds only the head of a chain of hashes:
/// proposal = keccak256(proposal before it, keccak256 of the encoded claim); the first follows `genesis`.
struct Claim {
    uint32 round;
    uint16 attempt;
    uint32 opening; // the commit phase that it sums
    uint16 domain; // seats that the epoch's draw permutes
    uint16 eligible;
    uint16 rank;
    Position position; // the aggregator's
    address aggregator;
    uint32 proposedAt;
    uint32 pausedBefore; // seconds that the task had been paused until then
    bytes32 epochSeed;
    bytes32 frozen; // sha256 of the survivors' bitmap and the freeze's signers', one after the other
    Aggregate aggregate;
}

/// @notice What a participant committed in one opening. Storage holds the head of a chain of hashes a participant.
struct Commitment {
    uint32 opening;
    uint32 round;
    uint16 attempt;
    Position position;
    address participant;
    bytes32 updateRoot;
    bytes32 seedsRoot;
    bytes32 bundle;
    bytes32 dataRoot;
}

/// @notice The frozen set, the beacon and the aggregators' clock: one word.
struct Frozen {
    bytes20 digest; //       160  the first 20 bytes of the sha256 of survivors and signers
    uint32 beaconBlock; //    32  whose hash draws the aggregators; before the freeze, the one that drew the epoch
    uint32 aggregateFrom; //  32  since when `nextRank` may propose
    uint32 stallAt; //        32  when the task ends without a proposal that stands
}

/// @notice Seats, payees, and what is out of the ordinary: one word.
struct Book {
    uint16 seats; //        seats ever given
    uint16 freeSeat; //     the seat freed last, plus one; 0 where none is free
    uint16 payees; //       accounts that ever joined; the treasury is payee 0
    uint32 finalRounds; //  OPTIMISTIC: rounds whose window has passed
    uint32 resumed; //      the opening of the round that a refuted proposal brought back; 0 for none
    bool redraw; //         whether the next opening begins a new epoch, a round having been brought back
    Phase pausedPhase; //   where a pause began
    uint32 pausedAt; //     when it began; 0 for never, or no more
    uint32 pausedSeconds; // of all pauses that ended
    bool returned; //       whether the sponsor took the remainder
}

/// @notice A seat: one word. Free seats are a linked stack, so that giving one never searches.
struct Seat {
    address member;
    uint16 nextFree; // the seat freed before this one, plus one
}
