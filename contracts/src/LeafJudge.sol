// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Commitments} from "./Commitments.sol";
import {Case, Committed, Judge} from "./Judge.sol";
import {Merkle} from "./Merkle.sol";
import {Roll} from "./Roll.sol";
import {Shape, SumPath, Way} from "./SumPath.sol";
import {SumTree} from "./SumTree.sol";
import {Position} from "./TaskTypes.sol";

/// @notice The leaf of a row's update in an opened group. Where the row has no seat only `way`, `group`, `row` and
/// `leaf` are read; where nobody there survived, not the commitment.
struct LeafProof {
    Way way;
    uint16 group;
    uint16 row;
    bytes32 leaf; // the hash that the claim's tree has there
    Position position; // the row's seat
    bytes frozen; // the bitmaps of survivors and of the freeze's signers
    Committed committed; // what whoever sat there committed
    bytes chunk; // of it
    bytes32[] path; // its siblings under `updateRoot`
}

/// @title Shows that an update's leaf is not what its survivor committed, or not zero where nobody survived.
contract LeafJudge is Judge {
    /// @notice The chunk shown is not of the committed update.
    error NotOfTheUpdate(uint256 chunk, bytes32 updateRoot);
    /// @notice The leaf is the one due.
    error LeafIsDue(uint256 group, uint256 row, bytes32 leaf);

    /// @inheritdoc Judge
    function judge(Case calldata case_, bytes calldata proof) external view {
        LeafProof calldata shown = _read(proof);
        SumPath.requireUpdates(case_.law.mode);
        Shape memory tree = SumPath.shape(case_);
        SumPath.requireOpened(case_, tree, shown.group);
        SumPath.requireStands(case_, shown.way, SumPath.updateLeaf(tree, shown.group, shown.row), shown.leaf);
        if (shown.leaf == _due(case_, tree, shown)) revert LeafIsDue(shown.group, shown.row, shown.leaf);
    }

    /// @dev The proof where it lies in the calldata.
    function _read(bytes calldata proof) private pure returns (LeafProof calldata shown) {
        assembly ("memory-safe") {
            shown := add(proof.offset, calldataload(proof.offset))
        }
    }

    function _due(Case calldata case_, Shape memory tree, LeafProof calldata shown) private view returns (bytes32) {
        if (!Roll.survivesAt(case_, tree, shown.group, shown.row, shown.position, shown.frozen)) {
            return SumTree.ZERO_LEAF;
        }
        Commitments.requireMade(case_, shown.committed, shown.position);
        bytes32 root = shown.committed.made.updateRoot;
        uint256 chunks = uint256(case_.law.chunks) + 1;
        if (!Merkle.verify(root, Merkle.leaf(shown.chunk), shown.way.chunk, chunks, shown.path)) {
            revert NotOfTheUpdate(shown.way.chunk, root);
        }
        return SumTree.leaf(shown.chunk);
    }
}
