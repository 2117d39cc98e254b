// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Case} from "./Judge.sol";
import {Lanes} from "./Lanes.sol";
import {Shape, SumPath, Way} from "./SumPath.sol";
import {SumTree} from "./SumTree.sol";

/// @notice One chunk of a group's sum, as the claim has it.
struct GroupSum {
    Way way; // of the group's node
    bytes value;
    bytes32 left; // the hashes below the node
    bytes32 right;
}

/// @title What a claim says that a group's updates add up to.
library GroupSums {
    /// @notice The sum shown is of another chunk.
    error WrongChunk(uint256 chunk, uint256 need);

    /// @notice Reverts unless the claim's tree has the sum where it says.
    function requireStands(Case calldata case_, Shape memory tree, uint256 group, GroupSum calldata shown)
        internal
        view
    {
        Lanes.requireWhole(shown.value);
        bytes32 hash = SumTree.node(sha256(shown.value), shown.left, shown.right);
        SumPath.requireStands(case_, shown.way, SumPath.groupNode(tree, group), hash);
    }

    /// @notice The group's weight, from the last chunk of its sum.
    function weight(Case calldata case_, Shape memory tree, uint256 group, GroupSum calldata shown)
        internal
        view
        returns (int256)
    {
        if (shown.way.chunk != case_.law.chunks) revert WrongChunk(shown.way.chunk, case_.law.chunks);
        requireStands(case_, tree, group, shown);
        return Lanes.first(shown.value);
    }

    /// @notice Whether a weight is one that so many survivors can have.
    function isWeightOf(Case calldata case_, int256 total, uint256 members) internal pure returns (bool) {
        int256 least = int256(members);
        return total >= least && total <= least * int256(uint256(case_.law.maxWeight));
    }

    /// @notice Whether every lane of a chunk of the model is one that updates of this weight can add up to.
    function isSumOf(Case calldata case_, int256 total, GroupSum calldata shown) internal pure returns (bool) {
        if (shown.way.chunk >= case_.law.chunks) revert WrongChunk(shown.way.chunk, case_.law.chunks - 1);
        return Lanes.within(shown.value, total * int256(uint256(case_.law.maxValue)));
    }
}
