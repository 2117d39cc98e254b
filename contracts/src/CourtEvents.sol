// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Demand, Reveal, SumNode} from "./DemandTypes.sol";
import {Fault, Position} from "./TaskTypes.sol";

/// @title What the court says. Of a task that no factory of yours made, none of it means anything.
interface CourtEvents {
    /// @notice The court obeys this judge, for ever.
    event JudgeSeated(address indexed judge);

    /// @notice `judge` found the proposal wrong; what `challenger` showed it is in the transaction.
    event ClaimRefuted(address indexed task, bytes32 indexed proposal, address judge, address challenger);

    /// @notice The proposal's aggregator did not answer in time what `challenger` asked.
    event ChunkWithheld(address indexed task, bytes32 indexed proposal, bytes32 indexed demand, address challenger);

    /// @notice An account was convicted for what it signed, or did not reveal.
    /// @param place the proposal that it attested, or the number of the opening.
    event MemberSentenced(
        address indexed task, address indexed account, Fault fault, bytes32 place, address challenger
    );

    /// @notice Whoever shows `asked` before `deadline` (in the task's time) receives `bond`; else the proposal's
    /// aggregator is convicted.
    event ChunkDemanded(
        bytes32 indexed demand,
        address indexed task,
        address indexed demander,
        Demand asked,
        uint32 deadline,
        uint256 bond
    );

    /// @notice Whoever shows the seed before `deadline` (in the task's time) receives `bond`; else `asked.owner` is
    /// convicted.
    event RevealDemanded(
        bytes32 indexed demand,
        address indexed task,
        address indexed demander,
        Reveal asked,
        uint32 deadline,
        uint256 bond
    );

    /// @notice The leaf that was asked for, and the hashes beside it: here, since whoever answers may do so through
    /// another contract, whose calldata tells nobody anything.
    event ChunkShown(bytes32 indexed demand, address indexed task, bytes data, bytes32[] siblings);

    /// @notice The nodes that were asked for, from the chunk's top down, and the hashes beside the top's.
    event NodesShown(bytes32 indexed demand, address indexed task, SumNode[] nodes, bytes32[] siblings);

    /// @notice The demand was answered, and the bond is the answerer's.
    event DemandAnswered(bytes32 indexed demand, address indexed task, address indexed answerer, uint256 bond);

    /// @notice The seed of `owner`'s mask with who sits at `other`, itself for its own mask; zero where it has none.
    event SeedRevealed(address indexed task, address indexed owner, uint32 opening, Position other, bytes32 seed);

    /// @notice Nobody answered: the bond is the demander's again.
    event DemandLapsed(bytes32 indexed demand, address indexed task, address indexed demander, uint256 bond);

    /// @notice An account took what it was owed.
    event CreditWithdrawn(address indexed account, address to, uint256 amount);
}
