// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Handler} from "./Handler.sol";
import {Finality} from "src/TaskTypes.sol";

/// @notice A contract, and which of its functions forge calls at random (forge knows the type by its shape).
struct Target {
    address addr;
    bytes4[] selectors;
}

/// @title The laws of the contracts, whatever anybody does in whatever order.
/// @dev Forge throws away what an invariant changes: each looks at what the calls made, not at what another did.
abstract contract Invariants {
    Handler internal immutable PLAY;

    constructor(Finality finality) {
        PLAY = new Handler(finality);
    }

    /// @notice Whom forge calls.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(PLAY);
    }

    /// @notice What forge calls there, at random.
    function targetSelectors() external view returns (Target[] memory targets) {
        targets = new Target[](1);
        targets[0] = Target(address(PLAY), PLAY.moves());
    }

    /// @notice All laws, after every call; and after one in forty, whether time alone leads everybody out.
    function invariant_laws() external {
        _requireNoFault();
        PLAY.requireBooksBalance();
        PLAY.payNow();
        PLAY.requireBooksBalance();
        if (!PLAY.isSampled(40)) return;
        PLAY.leaveByTime();
        PLAY.requireBooksBalance();
        _requireNoFault();
    }

    function _requireNoFault() private view {
        string memory fault = PLAY.fault();
        require(bytes(fault).length == 0, fault);
    }
}

contract FastTest is Invariants(Finality.FAST) {}

contract OptimisticTest is Invariants(Finality.OPTIMISTIC) {}
