// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Case} from "./Judge.sol";
import {Merkle} from "./Merkle.sol";
import {Shape, SumPath} from "./SumPath.sol";

/// @title The seeds that a claim publishes: a fixed slot for every two rows of a group, zero for none.
library Unmasked {
    /// @notice What is shown does not stand in the slot under the claim's root.
    error NotPublished(uint256 slot, bytes32 seed);

    /// @notice Reverts unless the claim has `seed` in the slot of the mask that `row` shares with `other`, or of its own
    /// where they are one.
    function requirePublished(
        Case calldata case_,
        Shape memory tree,
        uint256 group,
        uint256 row,
        uint256 other,
        bytes32 seed,
        bytes32[] calldata path
    ) internal pure {
        SumPath.requireRow(tree, row);
        SumPath.requireRow(tree, other);
        uint256 slot = (((group << tree.rows) | row) << tree.rows) | other;
        uint256 slots = tree.count << (2 * tree.rows);
        bytes32 leaf = Merkle.leaf(bytes.concat(seed));
        if (!Merkle.verify(case_.claim.aggregate.unmaskRoot, leaf, slot, slots, path)) revert NotPublished(slot, seed);
    }
}
