// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Case, Judge} from "./Judge.sol";
import {Lanes} from "./Lanes.sol";
import {Shape, SumPath, Way} from "./SumPath.sol";
import {SumTree} from "./SumTree.sol";

/// @notice The top of the last chunk's sum tree. Not read where the only group is quarantined.
struct TotalProof {
    Way way;
    bytes value;
    bytes32 left; // the hashes below the top
    bytes32 right;
}

/// @title Shows that a claim's total weight is not the weight that its sums add up to.
contract TotalJudge is Judge {
    /// @notice The top shown is of another chunk than the one that holds the weight.
    error NotTheLastChunk(uint256 chunk, uint256 last);
    /// @notice The total is the sum's.
    error TotalIsDue(uint256 weight);

    /// @inheritdoc Judge
    function judge(Case calldata case_, bytes calldata proof) external view {
        int256 due = _due(case_, SumPath.shape(case_), _read(proof));
        uint256 claimed = case_.claim.aggregate.totalWeight;
        if (int256(claimed) == due) revert TotalIsDue(claimed);
    }

    /// @dev The proof where it lies in the calldata.
    function _read(bytes calldata proof) private pure returns (TotalProof calldata shown) {
        assembly ("memory-safe") {
            shown := add(proof.offset, calldataload(proof.offset))
        }
    }

    function _due(Case calldata case_, Shape memory tree, TotalProof calldata shown) private view returns (int256) {
        if (tree.count == 1) {
            // The top is the group itself: there is no node above that could leave it out.
            (, bool quarantined) = SumPath.standing(case_, tree, 0);
            if (quarantined) return 0;
        }
        if (shown.way.chunk != case_.law.chunks) revert NotTheLastChunk(shown.way.chunk, case_.law.chunks);
        Lanes.requireWhole(shown.value);
        bytes32 top = SumTree.node(sha256(shown.value), shown.left, shown.right);
        SumPath.requireStands(case_, shown.way, 1, top);
        return Lanes.first(shown.value);
    }
}
