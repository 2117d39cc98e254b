// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CloneSettings} from "./CloneSettings.sol";
import {History} from "./History.sol";
import {CommittingWord, Record} from "./Participant.sol";
import {Slot, SlotWord} from "./Slot.sol";
import {StakeVault} from "./StakeVault.sol";
import {TaskErrors} from "./TaskErrors.sol";
import {TaskEvents} from "./TaskEvents.sol";
import {Book, Claim, Finality, Frozen, Phase, Position, Seat} from "./TaskTypes.sol";
import {ERC2771Context} from "@openzeppelin/contracts/metatx/ERC2771Context.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

/// @notice Who made the task, and whose word it asks beyond its own state.
interface TaskMaker {
    /// @notice Who may pause tasks.
    function guardian() external view returns (address);
}

/// @notice Who judges fraud proofs.
interface TaskCourt {
    /// @notice Until when, in the task's own time, demands keep its proposals from being final.
    function busyUntil(address task) external view returns (uint32);
}

/// @title What a task stores, and what its parts ask of it.
/// @dev The task and its annex have this one layout.
abstract contract TaskState is EIP712, ERC2771Context, TaskEvents, TaskErrors {
    /// @notice Who makes tasks.
    address public immutable FACTORY;
    /// @notice Who holds the stakes.
    StakeVault public immutable VAULT;
    /// @notice Who alone convicts.
    address public immutable COURT;

    SlotWord internal _slot;
    Frozen internal _frozen;
    Book internal _book;
    bytes32 internal _epochSeed;
    bytes32[2] internal _heads; // of round r at r % 2: the chain of proposals up to it
    mapping(address account => Record) internal _records;
    mapping(Position => Seat) internal _seats;
    mapping(address account => bool) internal _admitted;
    mapping(uint256 payee => uint256) internal _claimed;
    mapping(bytes32 proposal => bool) internal _convicted;

    constructor(address factory, StakeVault vault, address court, address forwarder)
        EIP712("Foedus", "1")
        ERC2771Context(forwarder)
    {
        FACTORY = factory;
        VAULT = vault;
        COURT = court;
    }

    /// @dev Whether `account` may act in `opening`, and its seat. One load for who committed in the opening before.
    function _eligible(address account, uint32 opening, uint32 fresh) internal view returns (bool, uint16 seat) {
        Record storage record = _records[account];
        CommittingWord made = record.committing;
        if (made.keepsUp(opening)) return (true, made.seat() - 1);
        return (record.participant.hasKeys(opening, fresh), Position.unwrap(record.participant.position()));
    }

    /// @dev Where the head of the chain of standing proposals is kept.
    function _standing(Slot memory state) internal pure returns (uint256) {
        return (state.round - 1) & 1;
    }

    function _isOptimistic() internal view returns (bool) {
        return CloneSettings.finality() == Finality.OPTIMISTIC;
    }

    /// @dev Reverts unless the chain of standing proposals holds this one.
    function _requireStanding(SlotWord state, bytes32 before, Claim calldata claim, bytes32[] calldata later)
        internal
        view
        returns (bytes32 name)
    {
        name = History.proposal(before, History.hashOf(claim));
        bytes32 head = History.head(name, later);
        bytes32 need = _heads[(state.round() - 1) & 1];
        if (head != need) revert NotStanding(head, need);
    }

    function _requirePhase(Slot memory state, Phase need) internal pure {
        if (state.phase != need) revert WrongPhase(state.phase, need);
    }

    /// @dev What every task but one that is over or paused allows.
    function _requireRunning(Slot memory state) internal pure {
        if (state.phase == Phase.ENDED) revert TaskIsOver();
        if (state.phase == Phase.PAUSED) revert TaskIsPaused();
    }

    /// @dev Seconds of block time that the task was not paused.
    function _clock() internal view returns (uint32) {
        Book storage book = _book;
        uint32 running = book.pausedAt == 0 ? _now() : book.pausedAt;
        return running - book.pausedSeconds;
    }

    /// @dev Blocks count seconds in 32 bits until 2106; a sum past that reverts.
    function _now() internal view returns (uint32) {
        return uint32(block.timestamp);
    }
}
