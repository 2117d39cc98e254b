// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Case} from "./Judge.sol";
import {Lanes} from "./Lanes.sol";
import {Merkle} from "./Merkle.sol";
import {SumTree} from "./SumTree.sol";

/// @notice The top of a chunk's sum tree. Not read where the claim's total weight is 0: the sum then counts for nothing.
struct Total {
    bytes value;
    bytes32 left; // the hashes below the top
    bytes32 right;
    bytes32[] beside; // the hashes beside the top's, among the chunks, from the leaf up
}

/// @title What the judges of the server's rule read alike: chunks before and after, and the sum.
abstract contract StepEvidence {
    /// @notice The model has fewer chunks.
    error NoSuchChunk(uint256 chunk, uint256 chunks);
    /// @notice What is shown does not stand at the chunk's place under this root.
    error NotUnderRoot(bytes32 root, uint256 chunk);

    /// @dev The leaf hash of a chunk.
    function _leaf(bytes calldata chunk) internal pure returns (bytes32) {
        Lanes.requireWhole(chunk);
        return Merkle.leaf(chunk);
    }

    function _requireUnder(bytes32 root, bytes32 leaf, uint256 index, uint256 count, bytes32[] calldata beside)
        internal
        view
    {
        if (!Merkle.stands(root, leaf, 0, index, count, beside)) revert NotUnderRoot(root, index);
    }

    /// @dev The sum's chunk, shown to be the claim's; nothing where the total weight is 0.
    function _sum(Case calldata case_, uint256 chunk, Total calldata total) internal view returns (bytes calldata) {
        if (case_.claim.aggregate.totalWeight == 0) return total.value[:0];
        Lanes.requireWhole(total.value);
        bytes32 top = SumTree.node(sha256(total.value), total.left, total.right);
        bytes32 leaf = Merkle.leaf(bytes.concat(top));
        _requireUnder(case_.claim.aggregate.sumRoot, leaf, chunk, uint256(case_.law.chunks) + 1, total.beside);
        return total.value;
    }
}
