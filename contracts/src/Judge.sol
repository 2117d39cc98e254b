// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Claim, Commitment, Law} from "./TaskTypes.sol";

/// @notice A claim before the court: the task's own, whole, and where it stands among the task's proposals.
struct Case {
    address task;
    Law law; // of the task, by its hash
    bytes32 before; // the name of the proposal before the claim's
    Claim claim;
    bytes32[] later; // hashes of the claims after it, in order
}

/// @notice A commitment, and its place among the participant's.
struct Committed {
    bytes24 before; // the participant's digest before it
    Commitment made;
    bytes32[] later; // hashes of the commitments after it, in order
}

/// @title One kind of fraud proof.
interface Judge {
    /// @notice Returns where `proof` shows the claim to be wrong, and reverts where it does not.
    /// @param case_ the claim: the court has checked that the task holds it, and that the law is the task's.
    /// @param proof the ABI encoding of the judge's own kind of proof.
    function judge(Case calldata case_, bytes calldata proof) external view;
}
