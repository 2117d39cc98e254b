// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AbortReason, Aggregate, EndReason, Fault, Position} from "./TaskTypes.sol";

/// @title What a task says: the whole of its state can be folded from these.
interface TaskEvents {
    /// @notice Participants are awaited until `until`, or until `target` are ready.
    event EnrolmentOpened(uint32 until, uint16 target);

    /// @notice A participant took a seat; `payee` is its leaf in payout trees, for ever. The keys serve the first opening
    /// of `readyEpoch`.
    event ParticipantJoined(
        address indexed participant,
        Position position,
        uint16 payee,
        uint32 readyEpoch,
        bytes32 maskKey,
        bytes32 boxKey,
        bytes32 consent
    );

    /// @notice The sponsor of a task that is not open admitted a participant, or no longer does.
    event ParticipantAdmitted(address indexed participant, bool allowed);

    /// @notice A participant gave up its seat; its stake can be collected from `thawAt`, in seconds without pauses.
    event ParticipantLeft(address indexed participant, Position position, uint32 thawAt);

    /// @notice The stake of a participant that left was released.
    event StakeCollected(address indexed participant, uint256 amount);

    /// @notice An aggregator's bond was locked beside its stake.
    event BondPosted(address indexed participant, uint256 amount);

    /// @notice A participant was convicted: it lost `amount`, of which the challenger receives `share`, and its seat
    /// where it was `seated`.
    event ParticipantSlashed(
        address indexed participant,
        Position position,
        bool seated,
        Fault fault,
        uint256 amount,
        address challenger,
        uint256 share
    );

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
        address indexed participant,
        uint32 round,
        uint16 attempt,
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

    /// @notice An aggregator proposed the round's outcome under the name `proposal`: until `attestBy` the committee
    /// attests it (FAST), or anybody may refute it (OPTIMISTIC).
    event AggregateProposed(
        address indexed aggregator,
        uint32 round,
        uint16 attempt,
        Position position,
        uint16 rank,
        bytes32 proposal,
        Aggregate aggregate,
        uint32 attestBy
    );

    /// @notice No quorum attested in time; ranks from `nextRank` may propose, the first from `aggregateFrom`.
    event ProposalDropped(uint32 round, uint16 attempt, uint16 nextRank, uint32 aggregateFrom);

    /// @notice A proposal that awaited finality was refuted. Its round is aggregated again, from the same frozen set;
    /// what was proposed after it falls with it. Ranks from `nextRank` may propose, by the hash of `beaconBlock`.
    event ProposalRefuted(
        address indexed aggregator,
        uint32 round,
        uint16 attempt,
        bytes32 proposal,
        uint16 nextRank,
        uint32 beaconBlock,
        uint32 aggregateFrom,
        uint32 stallAt
    );

    /// @notice The round's proposal is final, and with it all before it. `attesters` is the bitmap of the seats that
    /// signed; empty where its window passed.
    event RoundFinalized(uint32 round, uint16 attempt, bytes32 proposal, bytes attesters);

    /// @notice An attempt was given up before its survivors were frozen.
    event AttemptAborted(uint32 round, uint16 attempt, AbortReason reason);

    /// @notice The task is over after `rounds` rounds.
    event TaskEnded(EndReason reason, uint32 rounds);

    /// @notice The clocks stand still since `since`.
    event TaskPaused(uint32 since);

    /// @notice The clocks run again; every deadline moved by `spent` seconds.
    event TaskResumed(uint32 spent);

    /// @notice `account` was paid `amount` as `payee`, in all `cumulative`.
    event RewardClaimed(address indexed account, uint256 payee, uint256 amount, uint256 cumulative);

    /// @notice What the task did not pay out went back to its sponsor.
    event RemainderReturned(address indexed sponsor, uint256 amount);
}
