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

    /// @notice Whether `hash` stands `depth` levels above the leaves, at `index` among its like, in the tree of `count`
    /// leaves with this root. With depth 0 it answers as `verify`, for half the gas.
    function stands(
        bytes32 root,
        bytes32 hash,
        uint256 depth,
        uint256 index,
        uint256 count,
        bytes32[] calldata siblings
    ) internal view returns (bool) {
        if (index << depth >= count || count > type(uint64).max || siblings.length + depth != height(count)) {
            return false;
        }
        bytes32 found;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore8(free, 0x01)
            let left := add(free, 0x01)
            let right := add(free, 0x21)
            let end := add(siblings.offset, shl(5, siblings.length))
            for { let at := siblings.offset } lt(at, end) { at := add(at, 0x20) } {
                let side := shl(5, and(index, 1)) // 0 where the node is a left one
                mstore(add(left, side), hash)
                mstore(sub(right, side), calldataload(at))
                if iszero(staticcall(gas(), 0x02, free, 0x41, 0x00, 0x20)) { revert(0x00, 0x00) }
                hash := mload(0x00)
                index := shr(1, index)
            }
            mstore8(free, 0x02)
            mstore(add(free, 0x01), shl(192, count))
            mstore(add(free, 0x09), hash)
            if iszero(staticcall(gas(), 0x02, free, 0x29, 0x00, 0x20)) { revert(0x00, 0x00) }
            found := mload(0x00)
        }
        return found == root;
    }

    /// @notice The hash of the node above two.
    function node(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return _node(left, right);
    }

    function _node(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return sha256(abi.encodePacked(hex"01", left, right));
    }
}
