// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {History} from "src/History.sol";
import {Claim, Commitment, Law} from "src/TaskTypes.sol";

/// @title The names of claims, commitments and laws, callable, so that tests can hold them against their Python twins.
contract Names {
    function law(Law calldata law_) external pure returns (bytes32) {
        return keccak256(abi.encode(law_));
    }

    function claim(Claim calldata claim_) external pure returns (bytes32) {
        return keccak256(abi.encode(claim_));
    }

    function commitment(address task, Commitment calldata made) external view returns (bytes32) {
        return History.inner(task, made);
    }

    function genesis(bytes32 baseRoot) external pure returns (bytes32) {
        return History.genesis(baseRoot);
    }

    function head(bytes32 before, bytes32 claim_, bytes32[] calldata later) external pure returns (bytes32) {
        return History.head(History.proposal(before, claim_), later);
    }

    function latest(bytes24 before, bytes32 made, bytes32[] calldata later) external pure returns (bytes24) {
        return History.latest(History.digest(before, made), later);
    }
}
