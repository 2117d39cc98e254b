// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {GroupSum, GroupSums} from "./GroupSums.sol";
import {Case, Judge} from "./Judge.sol";
import {Roll} from "./Roll.sol";
import {Shape, SumPath} from "./SumPath.sol";
import {Position} from "./TaskTypes.sol";

/// @notice An opened group's seats, and its weight. Where none of them survived the weight is not read.
struct WeightProof {
    uint16 group;
    Position[] seats; // all of the group's, in row order
    bytes frozen; // the bitmaps of survivors and of the freeze's signers
    GroupSum weight; // the last chunk of the group's sum
}

/// @title Shows that a claim opens a group without survivors, or counts one whose weight its survivors cannot have.
contract WeightJudge is Judge {
    /// @notice The weight is one that the survivors can have.
    error WeightIsHonest(uint256 group, int256 weight, uint256 survivors);

    /// @inheritdoc Judge
    function judge(Case calldata case_, bytes calldata proof) external view {
        WeightProof calldata shown = _read(proof);
        Shape memory tree = SumPath.shape(case_);
        SumPath.requireOpened(case_, tree, shown.group);
        uint256 members = Roll.survivors(case_, tree, shown.group, shown.seats, shown.frozen);
        if (members == 0) return;

        SumPath.requireCounted(case_, tree, shown.group);
        int256 weight = GroupSums.weight(case_, tree, shown.group, shown.weight);
        if (GroupSums.isWeightOf(case_, weight, members)) revert WeightIsHonest(shown.group, weight, members);
    }

    /// @dev The proof where it lies in the calldata.
    function _read(bytes calldata proof) private pure returns (WeightProof calldata shown) {
        assembly ("memory-safe") {
            shown := add(proof.offset, calldataload(proof.offset))
        }
    }
}
