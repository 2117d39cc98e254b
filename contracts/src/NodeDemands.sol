// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAccused} from "./Accused.sol";
import {AggregatorDemands} from "./AggregatorDemands.sol";
import {Demand, SumNode, Tree} from "./DemandTypes.sol";
import {Case} from "./Judge.sol";
import {Merkle} from "./Merkle.sol";
import {SumPath} from "./SumPath.sol";
import {SumTree} from "./SumTree.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title Asking for the nodes of a chunk's sum tree, from its top down to one of them.
/// @notice Leaves are not asked for: what a leaf must be, its slot demands.
abstract contract NodeDemands is AggregatorDemands {
    uint256 private constant NODE_BYTES = 96;

    /// @notice Asks for what an inner node of a chunk's sum tree, and every node above it, is made of. The value sent is
    /// the bond.
    /// @param case_ the claim.
    /// @param chunk of the update; the last one holds weight and metrics.
    /// @param node 1 is the top, 2 n and 2 n + 1 are left and right below n.
    /// @return demand its name.
    function demandNode(Case calldata case_, uint64 chunk, uint64 node) external payable returns (bytes32 demand) {
        if (SumPath.isLeaf(SumPath.shape(case_), node)) revert NotInner(node);
        uint64 chunks = uint64(case_.law.chunks) + 1;
        bytes32 root = case_.claim.aggregate.sumRoot;
        Demand memory asked = Demand(case_.task, _nameOf(case_), Tree.SUM, root, chunk, chunks, node);
        return _demand(case_, asked, NODE_BYTES * (Math.log2(node) + 1));
    }

    /// @notice Shows the nodes that were asked for; the bond is the caller's. Anyone may answer.
    /// @param asked as the demand's event tells it.
    /// @param nodes from the chunk's top down to the node.
    /// @param siblings the hashes beside the top's, among the chunks, from the leaf up.
    function answerNode(Demand calldata asked, SumNode[] calldata nodes, bytes32[] calldata siblings) external {
        if (asked.tree != Tree.SUM) revert WrongTree(asked.tree);
        uint256 depth = Math.log2(asked.node);
        if (nodes.length != depth + 1) revert WrongLength(nodes.length, depth + 1);
        bytes32 top = SumTree.node(nodes[0].value, nodes[0].left, nodes[0].right);
        for (uint256 above = 0; above < depth; ++above) {
            bool isRight = (asked.node >> (depth - above - 1)) & 1 == 1;
            bytes32 need = isRight ? nodes[above].right : nodes[above].left;
            SumNode calldata child = nodes[above + 1];
            bytes32 have = SumTree.node(child.value, child.left, child.right);
            if (have != need) revert NotOnPath(above + 1, have, need);
        }
        if (!Merkle.verify(asked.root, Merkle.leaf(bytes.concat(top)), asked.index, asked.count, siblings)) {
            revert NotUnderRoot(asked.root, asked.index);
        }
        bytes32 demand = demandId(asked.task, keccak256(abi.encode(asked)));
        emit NodesShown(demand, asked.task, nodes, siblings);
        _answer(IAccused(asked.task), demand);
    }
}
