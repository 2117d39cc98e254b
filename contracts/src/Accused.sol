// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Slot} from "./Slot.sol";
import {Book, Claim, Fault, Frozen, Settings} from "./TaskTypes.sol";

/// @notice A task, as the court sees it. Only what the task itself holds counts against it, so an address that is no task
/// can convict nobody but its own.
interface IAccused {
    /// @notice What was fixed at creation.
    function settings() external view returns (Settings memory);

    /// @notice The machine's state.
    function slot() external view returns (Slot memory);

    /// @notice Seats, payees, and what is out of the ordinary.
    function book() external view returns (Book memory);

    /// @notice The frozen set's digest, the beacon and the aggregators' clock.
    function frozen() external view returns (Frozen memory);

    /// @notice The seed of the epoch drawn last, or of the round that was brought back.
    function epochSeed() external view returns (bytes32);

    /// @notice The name of the last proposal that stands, which names all before it; and of the one in ATTEST that
    /// awaits a quorum, zero where none does.
    function heads() external view returns (bytes32 standing, bytes32 proposed);

    /// @notice The hash of the task's law, and the heads.
    function brief() external view returns (bytes32 law, bytes32 standing, bytes32 proposed);

    /// @notice What an account committed last: in which opening, the how-manieth, and its chain's head.
    function commitmentOf(address account) external view returns (uint32 opening, uint32 generation, bytes24 digest);

    /// @notice Whether the aggregator of a final proposal, or of one that awaited a quorum, was convicted for it.
    function convicted(bytes32 proposal) external view returns (bool);

    /// @notice Seconds of block time that the task was not paused.
    function clock() external view returns (uint32);

    /// @notice The EIP-712 domain's separator.
    function domainSeparator() external view returns (bytes32);

    /// @notice Convicts the author of a proposal that stands or awaits a quorum, once.
    /// @param proposal the proposal's name.
    /// @param before the name of the one before it.
    /// @param claim what it claimed.
    /// @param fault what was proven.
    /// @param challenger who receives the challenger's share.
    function convictAggregator(bytes32 proposal, bytes32 before, Claim calldata claim, Fault fault, address challenger)
        external;

    /// @notice Convicts an account that has something at stake.
    /// @param account who is convicted.
    /// @param fault what was proven.
    /// @param challenger who receives the challenger's share.
    function convictMember(address account, Fault fault, address challenger) external;
}
