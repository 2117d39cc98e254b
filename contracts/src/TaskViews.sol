// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CloneSettings} from "./CloneSettings.sol";
import {Committing, Participant} from "./Participant.sol";
import {Slot} from "./Slot.sol";
import {TaskState} from "./TaskState.sol";
import {Book, Frozen, Phase, Position, Settings} from "./TaskTypes.sol";

/// @title How to look at a task.
abstract contract TaskViews is TaskState {
    /// @notice The machine's state.
    function slot() external view returns (Slot memory) {
        return _slot.unpack();
    }

    /// @notice The frozen set's digest, the beacon and the aggregators' clock.
    function frozen() external view returns (Frozen memory) {
        return _frozen;
    }

    /// @notice Seats, payees, and what is out of the ordinary.
    function book() external view returns (Book memory) {
        return _book;
    }

    /// @notice What was fixed at creation.
    function settings() external view returns (Settings memory) {
        return CloneSettings.fetch();
    }

    /// @notice A participant's record.
    function participant(address account) external view returns (Participant memory) {
        return _records[account].participant.unpack();
    }

    /// @notice What an account committed last: in which opening, the how-manieth, and its chain's head.
    function commitmentOf(address account) external view returns (uint32 opening, uint32 generation, bytes24 digest) {
        Committing memory made = _records[account].committing.unpack();
        return (made.opening, made.generation, made.digest);
    }

    /// @notice Who sits at `position`; zero where the seat is free.
    function memberAt(Position position) external view returns (address) {
        return _seats[position].member;
    }

    /// @notice Whether `account` may act in the opening under way.
    function isEligible(address account) external view returns (bool eligible) {
        Slot memory state = _slot.unpack();
        (eligible,) = _eligible(account, state.opening, state.freshEpoch());
    }

    /// @notice Whether the sponsor admitted `account` to a task that is not open.
    function isAdmitted(address account) external view returns (bool) {
        return _admitted[account];
    }

    /// @notice The seed of the epoch drawn last, or of the round that was brought back.
    function epochSeed() external view returns (bytes32) {
        return _epochSeed;
    }

    /// @notice The name of the last proposal that stands, which names all before it; and of the one in ATTEST that
    /// awaits a quorum, zero where none does.
    function heads() external view returns (bytes32 standing, bytes32 proposed) {
        return _standingAndProposed();
    }

    /// @notice The hash of the law, and the heads: what a refutation asks, in one call.
    function brief() external view returns (bytes32 law, bytes32 standing, bytes32 proposed) {
        law = CloneSettings.law();
        (standing, proposed) = _standingAndProposed();
    }

    function _standingAndProposed() private view returns (bytes32 standing, bytes32 proposed) {
        Slot memory state = _slot.unpack();
        Phase phase = state.phase == Phase.PAUSED ? _book.pausedPhase : state.phase;
        standing = _heads[_standing(state)];
        if (phase == Phase.ATTEST && !_isOptimistic()) proposed = _heads[state.round & 1];
    }

    /// @notice Whether a proposal was refuted that was final, or that awaited a quorum. Others fall, and with them their
    /// names.
    function convicted(bytes32 proposal) external view returns (bool) {
        return _convicted[proposal];
    }

    /// @notice What was paid to a payee.
    function claimed(uint256 payee) external view returns (uint256) {
        return _claimed[payee];
    }

    /// @notice Seconds of block time that the task was not paused.
    function clock() external view returns (uint32) {
        return _clock();
    }

    /// @notice The EIP-712 domain's separator.
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }
}
