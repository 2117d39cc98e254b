// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title A court that obeys anybody: what tests of tasks convict with, no proof being asked for.
contract Bench {
    /// @notice Until when, in a task's time, a demand keeps it from being final.
    mapping(address task => uint32) public busyUntil;

    /// @notice Opens or closes a demand.
    function setBusy(address task, bool busy) external {
        busyUntil[task] = busy ? type(uint32).max : 0;
    }

    /// @notice Calls `task` as the court.
    function rule(address task, bytes calldata verdict) external {
        (bool done, bytes memory answer) = task.call(verdict);
        if (!done) {
            assembly ("memory-safe") {
                revert(add(answer, 0x20), mload(answer))
            }
        }
    }
}
