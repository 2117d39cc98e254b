// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Claim, Commitment} from "./TaskTypes.sol";

/// @title Chains of hashes: storage keeps the head alone, and whoever needs an older link brings what follows it.
/// @dev A link costs its prover 32 bytes of calldata, and the task nothing.
library History {
    /// @notice The name of what stands before a task's first proposal.
    function genesis(bytes32 baseRoot) internal pure returns (bytes32) {
        return keccak256(abi.encode(baseRoot));
    }

    /// @notice The name of a proposal: it binds the proposals before it.
    /// @param before the name of the proposal before it.
    /// @param claim keccak256 of the encoded claim.
    function proposal(bytes32 before, bytes32 claim) internal pure returns (bytes32 name) {
        assembly ("memory-safe") {
            mstore(0x00, before)
            mstore(0x20, claim)
            name := keccak256(0x00, 0x40)
        }
    }

    /// @notice The chain's head, from one of its names and the claims' hashes after it.
    function head(bytes32 name, bytes32[] calldata later) internal pure returns (bytes32) {
        for (uint256 i = 0; i < later.length; ++i) {
            name = proposal(name, later[i]);
        }
        return name;
    }

    /// @notice keccak256 of the encoded claim.
    /// @dev Of the bytes as they came, cheaper than encoding them anew: where they are not the one encoding of a claim,
    /// the hash is that of none.
    function hashOf(Claim calldata claim) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            // 23 words, then the bitmaps of groups: each a length, and its bytes padded to whole words
            let size := 0x2e0
            size := add(size, and(add(calldataload(add(claim, size)), 0x3f), not(0x1f)))
            size := add(size, and(add(calldataload(add(claim, size)), 0x3f), not(0x1f)))
            let free := mload(0x40)
            mstore(free, 0x20) // where the claim begins
            calldatacopy(add(free, 0x20), claim, size)
            hash := keccak256(free, add(size, 0x20))
        }
    }

    /// @notice The hash of a commitment, bound to chain and task: keccak256(abi.encode(chain id, task, made)).
    function inner(address task, Commitment memory made) internal view returns (bytes32 hash) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, chainid())
            mstore(add(free, 0x20), task)
            mcopy(add(free, 0x40), made, 0x120) // nine words, in memory as they are encoded
            hash := keccak256(free, 0x160)
        }
    }

    /// @notice A participant's digest after one more commitment.
    function digest(bytes24 before, bytes32 made) internal pure returns (bytes24 name) {
        assembly ("memory-safe") {
            mstore(0x00, before)
            mstore(0x20, made)
            name := and(keccak256(0x00, 0x40), not(sub(shl(64, 1), 1)))
        }
    }

    /// @notice The digest that follows from an older one and the commitments after it.
    function latest(bytes24 name, bytes32[] calldata later) internal pure returns (bytes24) {
        for (uint256 i = 0; i < later.length; ++i) {
            name = digest(name, later[i]);
        }
        return name;
    }
}
