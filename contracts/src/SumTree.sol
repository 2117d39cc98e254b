// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Lanes} from "./Lanes.sol";

/// @title Hashes of a chunk's sum tree.
/// @dev leaf = sha256(0x10 || value), node = sha256(0x11 || sha256(value) || left || right).
library SumTree {
    /// @notice sha256 of a value whose lanes are all zero.
    bytes32 internal constant ZERO_DIGEST = 0x5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef;
    /// @notice The hash of a leaf whose lanes are all zero.
    bytes32 internal constant ZERO_LEAF = 0xf94d5925e771327dd312d69f7a3b35b8fe173e90847bb60800a1421ffd6abb37;

    /// @notice The hash of a leaf.
    function leaf(bytes calldata value) internal pure returns (bytes32) {
        Lanes.requireWhole(value);
        return sha256(abi.encodePacked(hex"10", value));
    }

    /// @notice The hash of a leaf, of a value made here.
    function leafOf(bytes memory value) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(hex"10", value));
    }

    /// @notice The hash of a node, from its value's sha256 and its children's hashes.
    function node(bytes32 digest, bytes32 left, bytes32 right) internal view returns (bytes32 hash) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore8(free, 0x11)
            mstore(add(free, 0x01), digest)
            mstore(add(free, 0x21), left)
            mstore(add(free, 0x41), right)
            if iszero(staticcall(gas(), 0x02, free, 0x61, 0x00, 0x20)) {
                revert(0x00, 0x00)
            }
            hash := mload(0x00)
        }
    }

    /// @notice The hash of the top, from a node's.
    /// @param hash the node's.
    /// @param number the node: 1 is the top, 2 n and 2 n + 1 are left and right below n.
    /// @param steps two words a level, from the node up: the sha256 of the value of the node above, the hash beside.
    function climb(bytes32 hash, uint256 number, bytes32[] calldata steps) internal view returns (bytes32) {
        for (uint256 i = 0; i < steps.length; i += 2) {
            hash = number & 1 == 1 ? node(steps[i], steps[i + 1], hash) : node(steps[i], hash, steps[i + 1]);
            number >>= 1;
        }
        return hash;
    }

    /// @notice The hash of a subtree of `levels` levels whose leaves are all zero.
    function zero(uint256 levels) internal view returns (bytes32 hash) {
        hash = ZERO_LEAF;
        for (uint256 i = 0; i < levels; ++i) {
            hash = node(ZERO_DIGEST, hash, hash);
        }
    }

    /// @notice The hash of a group that holds nothing.
    /// @param rows levels above its rows.
    function zeroGroup(uint256 rows) internal view returns (bytes32) {
        return node(ZERO_DIGEST, zero(rows + 1), zero(2 * rows));
    }
}
