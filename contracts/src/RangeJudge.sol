// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {GroupSum, GroupSums} from "./GroupSums.sol";
import {Case, Judge} from "./Judge.sol";
import {Shape, SumPath} from "./SumPath.sol";

/// @notice Two chunks of the sum of a group that counts.
struct RangeProof {
    uint16 group;
    GroupSum weight; // the last one
    GroupSum lanes; // one of the model's, with a lane beyond what the weight allows
}

/// @title Shows that a claim counts a group whose sum no honest updates make.
contract RangeJudge is Judge {
    /// @notice No lane of the chunk is beyond what the weight allows.
    error LanesAreHonest(uint256 group, uint256 chunk, int256 weight);

    /// @inheritdoc Judge
    function judge(Case calldata case_, bytes calldata proof) external view {
        RangeProof calldata shown = _read(proof);
        Shape memory tree = SumPath.shape(case_);
        SumPath.requireCounted(case_, tree, shown.group);
        int256 weight = GroupSums.weight(case_, tree, shown.group, shown.weight);
        GroupSums.requireStands(case_, tree, shown.group, shown.lanes);
        if (GroupSums.isSumOf(case_, weight, shown.lanes)) {
            revert LanesAreHonest(shown.group, shown.lanes.way.chunk, weight);
        }
    }

    /// @dev The proof where it lies in the calldata.
    function _read(bytes calldata proof) private pure returns (RangeProof calldata shown) {
        assembly ("memory-safe") {
            shown := add(proof.offset, calldataload(proof.offset))
        }
    }
}
