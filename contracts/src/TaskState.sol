// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CloneSettings} from "./CloneSettings.sol";
import {Participant, Record} from "./Participant.sol";
import {Slot, SlotWord} from "./Slot.sol";
import {StakeVault} from "./StakeVault.sol";
import {TaskErrors} from "./TaskErrors.sol";
import {TaskEvents} from "./TaskEvents.sol";
import {Book, Frozen, Outcome, Phase, Position, Seat, Settings} from "./TaskTypes.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

/// @title What a task stores, and how to look at it.
abstract contract TaskState is EIP712, TaskEvents, TaskErrors {
    /// @notice Who makes tasks.
    address public immutable FACTORY;
    /// @notice Who holds the stakes.
    StakeVault public immutable VAULT;

    SlotWord internal _slot;
    Frozen internal _frozen;
    Book internal _book;
    bytes32 internal _epochSeed;
    bytes32 internal _proposal;
    Outcome[2] internal _outcomes; // of round r at r % 2
    mapping(address account => Record) internal _records;
    mapping(Position => Seat) internal _seats;
    mapping(address account => uint256) internal _claimed;

    constructor(address factory, StakeVault vault) EIP712("Foedus", "1") {
        FACTORY = factory;
        VAULT = vault;
    }

    /// @notice The machine's state.
    function slot() external view returns (Slot memory) {
        return _slot.unpack();
    }

    /// @notice The frozen set's digest, the beacon and the aggregators' clock.
    function frozen() external view returns (Frozen memory) {
        return _frozen;
    }

    /// @notice What was fixed at creation.
    function settings() external view returns (Settings memory) {
        return CloneSettings.fetch();
    }

    /// @notice A participant's record.
    function participant(address account) external view returns (Participant memory) {
        return _records[account].participant.unpack();
    }

    /// @notice Who sits at `position`; zero where the seat is free.
    function memberAt(Position position) external view returns (address) {
        return _seats[position].member;
    }

    /// @notice Seats ever given: positions are below it.
    function seats() external view returns (uint16) {
        return _book.seats;
    }

    /// @notice keccak256 of what `account` committed last, bound to chain, task, round, attempt and account.
    function commitment(address account) external view returns (bytes32) {
        return _records[account].commitment;
    }

    /// @notice Whether `account` may act in the opening under way.
    function isEligible(address account) external view returns (bool) {
        return _records[account].participant.isEligible(_slot.opening(), _slot.freshEpoch());
    }

    /// @notice The seed of the epoch drawn last.
    function epochSeed() external view returns (bytes32) {
        return _epochSeed;
    }

    /// @notice The hash of the proposal made last.
    function proposal() external view returns (bytes32) {
        return _proposal;
    }

    /// @notice The root of the final model: the base of the round under way.
    function currentModelRoot() external view returns (bytes32) {
        return _outcomes[_final(_slot.unpack())].modelRoot;
    }

    /// @notice The final payout root and the wei it pays in all.
    function payout() external view returns (bytes32 root, uint256 total) {
        uint256 last = _final(_slot.unpack());
        return (_outcomes[last].payoutRoot, _total(last));
    }

    /// @notice The wei paid to `account`.
    function claimed(address account) external view returns (uint256) {
        return _claimed[account];
    }

    /// @dev Where the outcome of the last final round is kept.
    function _final(Slot memory state) internal pure returns (uint256) {
        return (state.round - 1) & 1;
    }

    /// @dev The wei paid by an outcome.
    function _total(uint256 outcome) internal view returns (uint96) {
        return outcome == 0 ? _book.evenTotal : _book.oddTotal;
    }

    function _requirePhase(Slot memory state, Phase need) internal pure {
        if (state.phase != need) revert WrongPhase(state.phase, need);
    }

    /// @dev Blocks count seconds in 32 bits until 2106; a sum past that reverts.
    function _now() internal view returns (uint32) {
        return uint32(block.timestamp);
    }
}
