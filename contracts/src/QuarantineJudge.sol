// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Causes} from "./Causes.sol";
import {GroupSum, GroupSums} from "./GroupSums.sol";
import {Case, Judge} from "./Judge.sol";
import {Roll} from "./Roll.sol";
import {Shape, SumPath} from "./SumPath.sol";
import {Position} from "./TaskTypes.sol";

/// @notice A quarantined group, and the chunk that the claim names for it. Where it names none, or none that an update
/// has, only `group` and `manifest` are read; where it names the last one, not `lanes`.
struct QuarantineProof {
    uint16 group;
    bytes manifest; // the block under the claim's `manifest`
    Position[] seats; // all of the group's, in row order
    bytes frozen; // the bitmaps of survivors and of the freeze's signers
    GroupSum weight; // the last chunk of the group's sum
    GroupSum lanes; // the chunk that the claim names
}

/// @title Shows that a claim leaves a group out whose sum, in the very chunk that it names, honest updates can make.
contract QuarantineJudge is Judge {
    /// @notice The claim counts the group, or does not open it.
    error NotQuarantined(uint256 group);
    /// @notice The sum shown is not of the chunk that the claim names.
    error NotTheCause(uint256 chunk, uint256 named);
    /// @notice No honest updates make the sum.
    error QuarantineIsDue(uint256 group, uint256 chunk, int256 weight);

    /// @inheritdoc Judge
    function judge(Case calldata case_, bytes calldata proof) external view {
        QuarantineProof calldata shown = _read(proof);
        Shape memory tree = SumPath.shape(case_);
        (, bool quarantined) = SumPath.standing(case_, tree, shown.group);
        if (!quarantined) revert NotQuarantined(shown.group);
        (bool found, uint256 chunk) = Causes.named(case_, shown.manifest, shown.group);
        if (!found || chunk > case_.law.chunks) return;

        uint256 members = Roll.survivors(case_, tree, shown.group, shown.seats, shown.frozen);
        int256 weight = GroupSums.weight(case_, tree, shown.group, shown.weight);
        if (!GroupSums.isWeightOf(case_, weight, members)) revert QuarantineIsDue(shown.group, chunk, weight);
        if (chunk == case_.law.chunks) return;
        if (shown.lanes.way.chunk != chunk) revert NotTheCause(shown.lanes.way.chunk, chunk);
        GroupSums.requireStands(case_, tree, shown.group, shown.lanes);
        if (!GroupSums.isSumOf(case_, weight, shown.lanes)) revert QuarantineIsDue(shown.group, chunk, weight);
    }

    /// @dev The proof where it lies in the calldata.
    function _read(bytes calldata proof) private pure returns (QuarantineProof calldata shown) {
        assembly ("memory-safe") {
            shown := add(proof.offset, calldataload(proof.offset))
        }
    }
}
