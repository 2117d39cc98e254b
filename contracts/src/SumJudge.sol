// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Case, Judge} from "./Judge.sol";
import {Lanes} from "./Lanes.sol";
import {Shape, SumPath, Way} from "./SumPath.sol";
import {SumTree} from "./SumTree.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @notice A node below another: its value, and of an inner node the hashes below it.
struct Summand {
    bytes value;
    bytes32 left;
    bytes32 right;
}

/// @notice An inner node, and both below it.
struct SumProof {
    Way way; // of the node
    uint64 node; // 1 is the top, 2 n and 2 n + 1 are below n
    bytes32 digest; // of the value that the claim gives it
    Summand left;
    Summand right;
}

/// @title Shows that a node of a claim's sum tree is not the sum of the two below it.
contract SumJudge is Judge {
    /// @notice The node is a leaf.
    error NothingBelow(uint256 node);
    /// @notice The node is the sum of the two below it.
    error SumHolds(uint256 node, bytes32 digest);

    /// @inheritdoc Judge
    function judge(Case calldata case_, bytes calldata proof) external view {
        SumProof calldata shown = _read(proof);
        Shape memory tree = SumPath.shape(case_);
        uint256 node = shown.node;
        if (SumPath.isLeaf(tree, node)) revert NothingBelow(node);
        bytes32 hash =
            SumTree.node(shown.digest, _hash(tree, 2 * node, shown.left), _hash(tree, 2 * node + 1, shown.right));
        SumPath.requireStands(case_, shown.way, node, hash);

        bytes32 digest = Lanes.sumDigest(
            shown.left.value, _counts(case_, tree, 2 * node), shown.right.value, _counts(case_, tree, 2 * node + 1)
        );
        if (digest == shown.digest) revert SumHolds(node, digest);
    }

    /// @dev The proof where it lies in the calldata.
    function _read(bytes calldata proof) private pure returns (SumProof calldata shown) {
        assembly ("memory-safe") {
            shown := add(proof.offset, calldataload(proof.offset))
        }
    }

    function _hash(Shape memory tree, uint256 node, Summand calldata part) private view returns (bytes32) {
        if (SumPath.isLeaf(tree, node)) return SumTree.leaf(part.value);
        Lanes.requireWhole(part.value);
        return SumTree.node(sha256(part.value), part.left, part.right);
    }

    /// @dev A quarantined group counts nothing to the sum above it.
    function _counts(Case calldata case_, Shape memory tree, uint256 node) private pure returns (bool) {
        if (Math.log2(node) != tree.top) return true;
        (, bool quarantined) = SumPath.standing(case_, tree, node - (1 << tree.top));
        return !quarantined;
    }
}
