// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAccused} from "./Accused.sol";
import {AggregatorDemands} from "./AggregatorDemands.sol";
import {Commitments} from "./Commitments.sol";
import {Demand, Tree} from "./DemandTypes.sol";
import {Case, Committed} from "./Judge.sol";
import {Merkle} from "./Merkle.sol";
import {Roll} from "./Roll.sol";
import {Seating} from "./Seating.sol";
import {Shape, SumPath} from "./SumPath.sol";
import {Aggregate, Position} from "./TaskTypes.sol";

/// @title Asking for leaves: chunks, published seeds, payouts.
abstract contract ChunkDemands is AggregatorDemands {
    uint256 private constant CHUNK_BYTES = 1024;
    uint256 private constant SEED_BYTES = 32;
    uint256 private constant PAYEE_BYTES = 52;
    uint256 private constant PAYEES = 1 << 16;

    /// @notice Asks for a leaf under one of the claim's roots: a chunk of the new model or of the server's new state, a
    /// published seed, or a payout. The value sent is the bond.
    /// @param case_ the claim.
    /// @param tree MODEL, STATE, UNMASK or PAYOUT.
    /// @param index of the leaf.
    /// @return demand its name.
    function demandChunk(Case calldata case_, Tree tree, uint64 index) external payable returns (bytes32 demand) {
        (bytes32 root, uint256 count) = _rooted(case_, tree);
        Demand memory asked = Demand(case_.task, _nameOf(case_), tree, root, index, uint64(count), 0);
        return _demand(case_, asked, _leafBytes(tree));
    }

    /// @notice Asks for a chunk of a survivor's update, as it was committed, of a group that the claim opens. The value
    /// sent is the bond.
    /// @param case_ the claim.
    /// @param committed the survivor's commitment of the opening that the claim sums.
    /// @param frozen the bitmaps of survivors and of the freeze's signers, one after the other.
    /// @param index of the chunk; the last one holds weight and metrics.
    /// @return demand its name.
    function demandUpdate(Case calldata case_, Committed calldata committed, bytes calldata frozen, uint64 index)
        external
        payable
        returns (bytes32 demand)
    {
        SumPath.requireUpdates(case_.law.mode);
        Position position = committed.made.position;
        Commitments.requireMade(case_, committed, position);
        Roll.requireFrozen(case_, frozen);
        if (!Roll.survived(frozen, position)) revert NotSurvivor(position);
        Shape memory tree = SumPath.shape(case_);
        (uint256 group,) = Seating.place(case_.claim.epochSeed, position, case_.claim.domain, tree.count);
        SumPath.requireOpened(case_, tree, group);

        uint64 count = uint64(case_.law.chunks) + 1;
        Demand memory asked =
            Demand(case_.task, _nameOf(case_), Tree.UPDATE, committed.made.updateRoot, index, count, 0);
        return _demand(case_, asked, CHUNK_BYTES);
    }

    /// @notice Shows the leaf that was asked for; the bond is the caller's. Anyone may answer.
    /// @param asked as the demand's event tells it.
    /// @param data the leaf.
    /// @param siblings the hashes beside it, from the leaf up.
    function answerChunk(Demand calldata asked, bytes calldata data, bytes32[] calldata siblings) external {
        uint256 size = _leafBytes(asked.tree);
        bool isNobody = asked.tree == Tree.PAYOUT && data.length == 0;
        if (data.length != size && !isNobody) revert WrongLength(data.length, size);
        if (!Merkle.verify(asked.root, Merkle.leaf(data), asked.index, asked.count, siblings)) {
            revert NotUnderRoot(asked.root, asked.index);
        }
        bytes32 demand = demandId(asked.task, keccak256(abi.encode(asked)));
        emit ChunkShown(demand, asked.task, data, siblings);
        _answer(IAccused(asked.task), demand);
    }

    /// @dev The root of one of the claim's own trees, and how many leaves are under it.
    function _rooted(Case calldata case_, Tree tree) private pure returns (bytes32, uint256 count) {
        Aggregate calldata made = case_.claim.aggregate;
        uint256 chunks = case_.law.chunks;
        if (tree == Tree.MODEL) return (made.modelRoot, chunks);
        if (tree == Tree.STATE) return (made.stateRoot, chunks * _stateLanes(case_.law.rule));
        if (tree == Tree.UNMASK) {
            SumPath.requireSeeds(case_.law.mode);
            Shape memory shape = SumPath.shape(case_);
            return (made.unmaskRoot, shape.count << (2 * shape.rows));
        }
        if (tree == Tree.PAYOUT) return (made.payoutRoot, PAYEES);
        revert WrongTree(tree);
    }

    /// @dev State lanes a model lane: FedAvg keeps none, FedAvgM one, the adaptive rules two.
    function _stateLanes(uint8 rule) private pure returns (uint256) {
        return rule < 2 ? rule : 2;
    }

    function _leafBytes(Tree tree) private pure returns (uint256) {
        if (tree == Tree.UNMASK) return SEED_BYTES;
        if (tree == Tree.PAYOUT) return PAYEE_BYTES;
        if (tree == Tree.SUM) revert WrongTree(tree);
        return CHUNK_BYTES;
    }
}
