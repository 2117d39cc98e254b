// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AbortReason, Aggregate, EndReason, Position} from "./TaskTypes.sol";

/// @title What a task says: the whole of its state can be folded from these.
interface TaskEvents {
    /// @notice Participants are awaited until `until`, or until `target` are ready.
    event EnrolmentOpened(uint32 until, uint16 target);

    /// @notice A participant took a seat; the keys serve the first opening of `readyEpoch`.
    event ParticipantJoined(
        address indexed participant,
        Position position,
        uint32 readyEpoch,
        bytes32 maskKey,
        bytes32 boxKey,
        bytes32 consent
    );

    /// @notice A participant gave up its seat.
    event ParticipantLeft(address indexed participant, Position position);

    /// @notice A late-comer's keys for `opening`.
    event KeysAdvertised(
        address indexed participant, Position position, uint32 opening, bytes32 maskKey, bytes32 boxKey
    );

    /// @notice The hash of `beaconBlock` will seed `epoch`.
    event DrawScheduled(uint32 epoch, uint32 beaconBlock);

    /// @notice `seed` permutes the seats 0..domain-1 into groups and committee.
    event EpochDrawn(uint32 epoch, uint16 domain, bytes32 seed);

    /// @notice Commits are taken until `commitBy`.
    event RoundOpened(uint32 round, uint16 attempt, uint32 opening, uint16 eligible, uint32 commitBy);

    /// @notice A participant committed; `bundle` is the digest of its bundle's block, the keys serve the next opening.
    event UpdateCommitted(
        uint32 round,
        uint16 attempt,
        address indexed participant,
        Position position,
        uint32 generation,
        bytes32 updateRoot,
        bytes32 seedsRoot,
        bytes32 bundle,
        bytes32 dataRoot,
        bytes32 maskKey,
        bytes32 boxKey
    );

    /// @notice No more commits; the committee freezes the survivors before `freezeBy`.
    event CommitClosed(uint32 round, uint16 attempt, uint16 committed, uint32 freezeBy);

    /// @notice The round's survivors, for ever: `survivors` and `signers` are bitmaps of seats, `disputes` packed
    /// pairs.
    event SurvivorsFrozen(
        uint32 round,
        uint16 attempt,
        bytes survivors,
        bytes disputes,
        bytes signers,
        uint32 beaconBlock,
        uint32 aggregateFrom,
        uint32 stallAt
    );

    /// @notice An aggregator proposed the round's outcome; the committee attests it before `attestBy`.
    event AggregateProposed(
        uint32 round,
        uint16 attempt,
        address indexed aggregator,
        Position position,
        uint16 rank,
        bytes32 proposal,
        Aggregate aggregate,
        uint32 attestBy
    );

    /// @notice No quorum attested in time; ranks from `nextRank` may propose, the first from `aggregateFrom`.
    event ProposalDropped(
        uint32 round, uint16 attempt, address indexed aggregator, uint16 nextRank, uint32 aggregateFrom
    );

    /// @notice The round's model stands. `attesters` is the bitmap of the seats that signed.
    event RoundFinalized(
        uint32 round, uint16 attempt, bytes32 baseRoot, bytes32 modelRoot, bytes32 stateRoot, bytes attesters
    );

    /// @notice An attempt was given up before its survivors were frozen.
    event AttemptAborted(uint32 round, uint16 attempt, AbortReason reason);

    /// @notice The task is over after `rounds` rounds.
    event TaskEnded(EndReason reason, uint32 rounds, bytes32 modelRoot, bytes32 payoutRoot, uint256 payoutTotal);

    /// @notice `account` was paid `amount`, in all `cumulative` wei.
    event RewardClaimed(address indexed account, uint256 amount, uint256 cumulative);

    /// @notice What the task did not pay out went back to its sponsor.
    event RemainderReturned(address indexed sponsor, uint256 amount);
}
