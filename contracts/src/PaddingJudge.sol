// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Tree} from "./DemandTypes.sol";
import {Case, Judge} from "./Judge.sol";
import {Merkle} from "./Merkle.sol";
import {Shape, SumPath} from "./SumPath.sol";

/// @notice The last leaf of one of the claim's trees.
struct PaddingProof {
    Tree tree; // MODEL, STATE, UNMASK or SUM
    bytes32 leaf; // its hash
    bytes32[] siblings; // from the leaf up: those to the right are of padding alone
}

/// @title Shows that what fills one of a claim's trees up to a power of two is not empty.
/// @dev Every leaf may be right then, and the root is wrong all the same: nothing that it stands for could be checked.
contract PaddingJudge is Judge {
    /// @dev The hash of a leaf that only fills a tree up: sha256(0x00).
    bytes32 private constant EMPTY_LEAF = 0x6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d;

    /// @notice The tree has no padding that a claim could fill.
    error NoPadding(Tree tree);
    /// @notice The leaf shown is not the last one under the claim's root.
    error NotTheLastLeaf(Tree tree, bytes32 root);
    /// @notice All of the padding is empty.
    error PaddingIsEmpty(Tree tree);

    /// @inheritdoc Judge
    function judge(Case calldata case_, bytes calldata proof) external pure {
        PaddingProof calldata shown = _read(proof);
        (bytes32 root, uint256 count) = _rooted(case_, shown.tree);
        if (count == 0) revert NoPadding(shown.tree);
        uint256 last = count - 1;
        if (!Merkle.verify(root, shown.leaf, last, count, shown.siblings)) revert NotTheLastLeaf(shown.tree, root);
        bytes32 empty = EMPTY_LEAF;
        for (uint256 i = 0; i < shown.siblings.length; ++i) {
            if ((last >> i) & 1 == 0 && shown.siblings[i] != empty) return;
            empty = sha256(abi.encodePacked(hex"01", empty, empty));
        }
        revert PaddingIsEmpty(shown.tree);
    }

    /// @dev The proof where it lies in the calldata.
    function _read(bytes calldata proof) private pure returns (PaddingProof calldata shown) {
        assembly ("memory-safe") {
            shown := add(proof.offset, calldataload(proof.offset))
        }
    }

    function _rooted(Case calldata case_, Tree tree) private pure returns (bytes32 root, uint256 count) {
        uint256 chunks = case_.law.chunks;
        if (tree == Tree.MODEL) return (case_.claim.aggregate.modelRoot, chunks);
        if (tree == Tree.SUM) return (case_.claim.aggregate.sumRoot, chunks + 1);
        if (tree == Tree.STATE) {
            uint256 lanes = case_.law.rule < 2 ? case_.law.rule : 2; // FedAvg keeps none, FedAvgM one, the others two
            return (case_.claim.aggregate.stateRoot, lanes * chunks);
        }
        if (tree == Tree.UNMASK) {
            SumPath.requireSeeds(case_.law.mode);
            Shape memory shape = SumPath.shape(case_);
            return (case_.claim.aggregate.unmaskRoot, shape.count << (2 * shape.rows));
        }
        revert NoPadding(tree);
    }
}
