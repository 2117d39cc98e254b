// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Case, Judge} from "./Judge.sol";
import {Shape, SumPath, Way} from "./SumPath.sol";
import {SumTree} from "./SumTree.sol";

/// @notice The node of a group that is not opened, or that only pads their number to a power of two.
struct ClosedProof {
    Way way;
    uint16 group;
    bytes32 node; // the hash that the claim's tree has there
}

/// @title Shows that a group which is not opened holds something in a claim's sum tree.
contract ClosedJudge is Judge {
    /// @notice The group holds nothing.
    error GroupIsEmpty(uint256 group);

    /// @inheritdoc Judge
    function judge(Case calldata case_, bytes calldata proof) external view {
        ClosedProof calldata shown = _read(proof);
        Shape memory tree = SumPath.shape(case_);
        (bool opened, bool quarantined) = SumPath.standing(case_, tree, shown.group);
        if (opened) revert SumPath.WrongStanding(shown.group, opened, quarantined);
        SumPath.requireStands(case_, shown.way, SumPath.groupNode(tree, shown.group), shown.node);
        if (shown.node == SumTree.zeroGroup(tree.rows)) revert GroupIsEmpty(shown.group);
    }

    /// @dev The proof where it lies in the calldata.
    function _read(bytes calldata proof) private pure returns (ClosedProof calldata shown) {
        assembly ("memory-safe") {
            shown := add(proof.offset, calldataload(proof.offset))
        }
    }
}
