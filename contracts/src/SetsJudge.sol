// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Case, Judge} from "./Judge.sol";
import {SumPath} from "./SumPath.sol";

/// @title Shows that a claim's `groups` or `quarantined` is no set of its groups, or the second is not within the first.
/// @dev The claim says it all: the proof is empty, or anything.
contract SetsJudge is Judge {
    /// @notice Both are sets of the claim's groups, one within the other.
    error SetsAreGood(uint256 groups);

    /// @inheritdoc Judge
    function judge(Case calldata case_, bytes calldata) external pure {
        uint256 count = SumPath.shape(case_).count;
        bytes calldata groups = case_.claim.aggregate.groups;
        bytes calldata quarantined = case_.claim.aggregate.quarantined;
        uint256 length = (count + 7) / 8;
        if (groups.length != length || quarantined.length != length) return;
        for (uint256 i = 0; i < length; ++i) {
            if (quarantined[i] & ~groups[i] != 0) return;
        }
        if (count % 8 != 0 && uint8(groups[length - 1]) >> (count % 8) != 0) return;
        revert SetsAreGood(count);
    }
}
