// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ChaCha20} from "./ChaCha20.sol";
import {Case, Judge} from "./Judge.sol";
import {Roll} from "./Roll.sol";
import {Shape, SumPath, Way} from "./SumPath.sol";
import {SumTree} from "./SumTree.sol";
import {Position} from "./TaskTypes.sol";
import {Unmasked} from "./Unmasked.sol";

/// @notice The leaf of a mask in an opened group: of a row's own, or of the one that it shares with `other`.
struct MaskProof {
    Way way;
    uint16 group;
    uint16 row; // whose mask is cancelled
    uint16 other; // the row that it is shared with; not read of a row's own mask
    bool pair;
    bytes32 leaf; // the hash that the claim's tree has there
    bytes32 seed; // what the claim publishes for it; zero for nothing
    bytes32[] path; // its siblings under `unmaskRoot`
    Position position; // the row's seat; of both, read only where a seed is published for a pair
    Position otherPosition;
}

/// @title Shows that a mask's leaf is not what the published seed makes, or not zero where none is published.
/// @dev Whether that seed is the right one is for SeedJudge.
contract MaskJudge is Judge {
    /// @notice The leaf is the one due.
    error MaskIsDue(uint256 group, uint256 row, bytes32 leaf);

    /// @inheritdoc Judge
    function judge(Case calldata case_, bytes calldata proof) external view {
        MaskProof calldata shown = _read(proof);
        SumPath.requireSeeds(case_.law.mode);
        Shape memory tree = SumPath.shape(case_);
        SumPath.requireOpened(case_, tree, shown.group);
        uint256 node = shown.pair
            ? SumPath.pairLeaf(tree, shown.group, shown.row, shown.other)
            : SumPath.selfLeaf(tree, shown.group, shown.row);
        SumPath.requireStands(case_, shown.way, node, shown.leaf);
        if (shown.leaf == _due(case_, tree, shown)) revert MaskIsDue(shown.group, shown.row, shown.leaf);
    }

    /// @dev The proof where it lies in the calldata.
    function _read(bytes calldata proof) private pure returns (MaskProof calldata shown) {
        assembly ("memory-safe") {
            shown := add(proof.offset, calldataload(proof.offset))
        }
    }

    function _due(Case calldata case_, Shape memory tree, MaskProof calldata shown) private view returns (bytes32) {
        // A row shares no mask with itself: the seed in its own slot is of its self mask.
        if (shown.pair && shown.row == shown.other) return SumTree.ZERO_LEAF;
        uint256 other = shown.pair ? shown.other : shown.row;
        Unmasked.requirePublished(case_, tree, shown.group, shown.row, other, shown.seed, shown.path);
        if (shown.seed == 0) return SumTree.ZERO_LEAF;
        bool negated = !shown.pair || _isLower(case_, tree, shown);
        return SumTree.leafOf(ChaCha20.keystream(shown.seed, shown.way.chunk, negated));
    }

    /// @dev Whether the row's position is the lower of the two: it added the mask, so cancelling it subtracts.
    function _isLower(Case calldata case_, Shape memory tree, MaskProof calldata shown) private view returns (bool) {
        Roll.requireSeat(case_, tree, shown.position, shown.group, shown.row);
        Roll.requireSeat(case_, tree, shown.otherPosition, shown.group, shown.other);
        return Position.unwrap(shown.position) < Position.unwrap(shown.otherPosition);
    }
}
