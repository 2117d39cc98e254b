// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title Binary sha256 Merkle trees padded to a power of two, with the leaf count bound into the root.
/// @dev Leaves, nodes and roots are domain-separated by a first byte (RFC 6962, section 2.1).
library Merkle {
    /// @notice The root over no leaves.
    bytes32 internal constant EMPTY_ROOT = 0xc0e50f0d90d6e2fea1e6f53d4f758ed5fc9035a399a8eb215c29c6ff3ea05425;

    /// @notice The hash of one leaf's bytes.
    function leaf(bytes memory data) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(hex"00", data));
    }

    /// @notice Levels above the leaves in a tree of `count` leaves: 0 for one, 1 for two, 2 for three or four.
    function height(uint256 count) internal pure returns (uint256) {
        return count < 2 ? 0 : Math.log2(count - 1) + 1;
    }

    /// @notice Whether the leaf hash `top` stands at `index` of the tree of `count` leaves with this root.
    function verify(bytes32 root, bytes32 top, uint256 index, uint256 count, bytes32[] calldata siblings)
        internal
        pure
        returns (bool)
    {
        if (index >= count || count > type(uint64).max || siblings.length != height(count)) return false;
        for (uint256 depth = 0; depth < siblings.length; ++depth) {
            bytes32 beside = siblings[depth];
            top = (index >> depth) & 1 == 1 ? _node(beside, top) : _node(top, beside);
        }
        return sha256(abi.encodePacked(hex"02", uint64(count), top)) == root;
    }

    function _node(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return sha256(abi.encodePacked(hex"01", left, right));
    }
}
