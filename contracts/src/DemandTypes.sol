// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Position} from "./TaskTypes.sol";

/// @notice The trees that an aggregator can be asked about. Those of chunks have 1 KiB leaves.
enum Tree {
    MODEL, //  chunks of the new model
    STATE, //  chunks of the server's new state
    UPDATE, // chunks of an update that the claim sums
    UNMASK, // seeds, 32 bytes
    PAYOUT, // account and amount, 52 bytes, or nothing
    SUM //     inner nodes of a chunk's sum tree
}

/// @notice What an aggregator is asked to show: a leaf under a root, or the way to a node of a sum tree.
struct Demand {
    address task;
    bytes32 proposal;
    Tree tree;
    bytes32 root;
    uint64 index; // of the leaf; in a SUM tree the chunk's
    uint64 count; // leaves under the root
    uint64 node; // SUM: 1 is the top, 2 n and 2 n + 1 are below n; else 0
}

/// @notice An inner node of a sum tree: what its hash is made of.
struct SumNode {
    bytes32 value; // sha256 of the value
    bytes32 left;
    bytes32 right;
}

/// @notice Which seed a survivor is asked to show.
struct Reveal {
    address task;
    uint32 opening;
    uint32 round;
    uint16 attempt;
    bytes32 onto; // name of the proposal that the round builds on
    bytes32 base; // root of that proposal's model
    address owner;
    Position position; // the owner's
    Position other; // whom it shares the mask with; itself for its own mask
    bytes32 seedsRoot; // the owner's commitment to its seeds
    uint32 row; // the leaf of `other`
    uint32 width; // leaves under the root
}

/// @notice An open demand: one word.
struct OpenDemand {
    address demander; // 160
    uint32 deadline; //   32  in the task's time
    uint64 bond; //       64  wei
}
