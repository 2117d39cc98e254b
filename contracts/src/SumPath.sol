// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Case} from "./Judge.sol";
import {Merkle} from "./Merkle.sol";
import {Seating} from "./Seating.sol";
import {SumTree} from "./SumTree.sol";
import {Mode} from "./TaskTypes.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @notice From a node of a chunk's sum tree up to the claim's `sumRoot`.
struct Way {
    uint32 chunk; // of the update: the last one holds the weight and the metrics
    bytes32[] steps; // two words a level, from the node up: sha256 of the value of the node above, the hash beside
    bytes32[] beside; // the hashes beside the top's, among the chunks, from the leaf up
}

/// @notice The shape of a claim's sum trees.
struct Shape {
    uint256 count; // groups
    uint256 top; // levels above the groups
    uint256 rows; // levels above a group's rows
}

/// @title Where what stands in a chunk's sum tree, and whether a hash does.
/// @notice Under the top are the groups, padded to a power of two; in each, `own` (updates, then self masks, a leaf a
/// row) and `pairs` (a leaf for every row out with every row). Nodes are numbered: 1 is the top, 2 n and 2 n + 1 are left
/// and right below n.
library SumPath {
    /// @notice The tree has no such node.
    error NoSuchNode(uint256 node);
    /// @notice The epoch's groups, padded, are fewer.
    error NoSuchGroup(uint256 group, uint256 slots);
    /// @notice A group's rows, padded, are fewer.
    error NoSuchRow(uint256 row, uint256 width);
    /// @notice The claim has the group in another state than this kind of proof is about.
    error WrongStanding(uint256 group, bool opened, bool quarantined);
    /// @notice The way has another number of words than its node's depth makes.
    error WrongSteps(uint256 words, uint256 need);
    /// @notice Tasks of this mode have no such leaves.
    error NotInThisMode(Mode mode);
    /// @notice The way leads to a top that does not stand at the chunk's place under the claim's root.
    error NotUnderSumRoot(bytes32 top, uint256 chunk);

    /// @notice Reverts unless the task's sums are opened by seeds, which a claim publishes under `unmaskRoot`.
    function requireSeeds(Mode mode) internal pure {
        if (mode > Mode.PLAIN) revert NotInThisMode(mode);
    }

    /// @notice Reverts unless a claim's leaves are the updates as they were committed.
    function requireUpdates(Mode mode) internal pure {
        if (mode > Mode.RLWE) revert NotInThisMode(mode);
    }

    /// @notice The shape of the claim's sum trees.
    function shape(Case calldata case_) internal pure returns (Shape memory) {
        uint256 count = Seating.groups(case_.claim.domain, case_.law.groupSize);
        return Shape(count, Merkle.height(count), Seating.rowLevels(case_.claim.domain, count));
    }

    /// @notice Whether the claim opens the group, and whether it does but leaves its sum out.
    function standing(Case calldata case_, Shape memory tree, uint256 group)
        internal
        pure
        returns (bool opened, bool quarantined)
    {
        if (group >= 1 << tree.top) revert NoSuchGroup(group, 1 << tree.top);
        opened = group < tree.count && Seating.has(case_.claim.aggregate.groups, group);
        quarantined = opened && Seating.has(case_.claim.aggregate.quarantined, group);
    }

    /// @notice Reverts unless the group is opened, quarantined or not.
    function requireOpened(Case calldata case_, Shape memory tree, uint256 group) internal pure {
        (bool opened, bool quarantined) = standing(case_, tree, group);
        if (!opened) revert WrongStanding(group, opened, quarantined);
    }

    /// @notice Reverts unless the group is opened and its sum counts.
    function requireCounted(Case calldata case_, Shape memory tree, uint256 group) internal pure {
        (bool opened, bool quarantined) = standing(case_, tree, group);
        if (!opened || quarantined) revert WrongStanding(group, opened, quarantined);
    }

    /// @notice A group's node.
    function groupNode(Shape memory tree, uint256 group) internal pure returns (uint256) {
        return (1 << tree.top) | group;
    }

    /// @notice The leaf of a row's update.
    function updateLeaf(Shape memory tree, uint256 group, uint256 row) internal pure returns (uint256) {
        requireRow(tree, row);
        return (groupNode(tree, group) << (2 + tree.rows)) | row;
    }

    /// @notice The leaf of a row's self mask.
    function selfLeaf(Shape memory tree, uint256 group, uint256 row) internal pure returns (uint256) {
        requireRow(tree, row);
        return (((groupNode(tree, group) << 2) | 1) << tree.rows) | row;
    }

    /// @notice The leaf of the mask that a row shares with one that is out.
    function pairLeaf(Shape memory tree, uint256 group, uint256 row, uint256 out) internal pure returns (uint256) {
        requireRow(tree, row);
        requireRow(tree, out);
        return (((groupNode(tree, group) << 1) | 1) << (2 * tree.rows)) | (out << tree.rows) | row;
    }

    /// @notice Reverts unless a group has the row, padding included.
    function requireRow(Shape memory tree, uint256 row) internal pure {
        if (row >= 1 << tree.rows) revert NoSuchRow(row, 1 << tree.rows);
    }

    /// @notice Whether a node is a leaf. Reverts where the tree has no such node.
    function isLeaf(Shape memory tree, uint256 node) internal pure returns (bool) {
        if (node == 0) revert NoSuchNode(node);
        uint256 depth = Math.log2(node);
        if (depth <= tree.top) return false;
        bool inPairs = (node >> (depth - tree.top - 1)) & 1 == 1;
        uint256 leaves = tree.top + (inPairs ? 1 + 2 * tree.rows : 2 + tree.rows);
        if (depth > leaves) revert NoSuchNode(node);
        return depth == leaves;
    }

    /// @notice Reverts unless a node of the chunk's tree under the claim's `sumRoot` has this hash.
    function requireStands(Case calldata case_, Way calldata way, uint256 node, bytes32 hash) internal view {
        uint256 words = 2 * Math.log2(node);
        if (way.steps.length != words) revert WrongSteps(way.steps.length, words);
        bytes32 top = SumTree.climb(hash, node, way.steps);
        bytes32 leaf = Merkle.leaf(bytes.concat(top));
        uint256 chunks = uint256(case_.law.chunks) + 1;
        if (!Merkle.verify(case_.claim.aggregate.sumRoot, leaf, way.chunk, chunks, way.beside)) {
            revert NotUnderSumRoot(top, way.chunk);
        }
    }
}
