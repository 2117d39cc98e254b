// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {History} from "./History.sol";
import {Case} from "./Judge.sol";
import {Claim} from "./TaskTypes.sol";

/// @notice The claim before a case's, or that there is none.
struct Base {
    bytes32 before; // the name of the proposal before it; of the task's first claim, the initial model's root
    bytes claim; // its ABI encoding; empty where the case's claim is the task's first
}

/// @title What a claim builds on.
library Lineage {
    /// @notice What is shown is not what the claim builds on.
    error NotTheBase(bytes32 shown, bytes32 before);

    /// @notice The root of the server's state that the claim's round starts from; zero where all its lanes are.
    function stateRoot(Case calldata case_, Base calldata base) internal pure returns (bytes32 root) {
        bytes32 shown = base.claim.length == 0
            ? History.genesis(base.before)
            : History.proposal(base.before, keccak256(base.claim));
        if (shown != case_.before) revert NotTheBase(shown, case_.before);
        if (base.claim.length != 0) root = abi.decode(base.claim, (Claim)).aggregate.stateRoot;
    }

    /// @notice The root of the model that the claim's round trained from.
    function modelRoot(Case calldata case_, Base calldata base) internal pure returns (bytes32 root) {
        bytes32 shown;
        if (base.claim.length == 0) {
            root = base.before;
            shown = History.genesis(root);
        } else {
            root = abi.decode(base.claim, (Claim)).aggregate.modelRoot;
            shown = History.proposal(base.before, keccak256(base.claim));
        }
        if (shown != case_.before) revert NotTheBase(shown, case_.before);
    }
}
