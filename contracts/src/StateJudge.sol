// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Case, Judge} from "./Judge.sol";
import {Base, Lineage} from "./Lineage.sol";
import {Merkle} from "./Merkle.sol";
import {Rules} from "./Rules.sol";
import {StepEvidence, Total} from "./StepEvidence.sol";

/// @notice A chunk of the server's new state, and what it follows from. Not read where the claim's `stateRoot` is zero
/// and must not be, or the other way round.
struct StateProof {
    Base base;
    uint32 chunk; // of the model
    uint8 lane; // which of the rule's state lanes
    bytes32 leaf; // the hash of the chunk's leaf under the claim's `stateRoot`
    bytes32[] leafBeside;
    bytes old; // the chunk of the state before
    bytes32[] oldBeside; // not read where that state is all zero
    Total total;
}

/// @title Shows that a chunk of a claim's new state is not what the task's rule makes, or that there must be no state.
contract StateJudge is Judge, StepEvidence {
    /// @dev The leaf hash of a chunk whose lanes are all zero.
    bytes32 private constant ZERO_LEAF = 0xc55b90509b8cb9bac53fbdddfc93d4e572685c509f1218423c43a5d6013bbd48;

    /// @notice The rule keeps no state, and the claim has none.
    error NoState(uint256 rule);
    /// @notice The rule keeps fewer lanes of state.
    error NoSuchLane(uint256 lane, uint256 lanes);
    /// @notice The task's state began with all lanes zero.
    error NotZero(bytes32 leaf);
    /// @notice The chunk is the rule's.
    error ChunkIsTheRules(uint256 chunk, uint256 lane, bytes32 leaf);

    /// @inheritdoc Judge
    function judge(Case calldata case_, bytes calldata proof) external view {
        uint256 lanes = Rules.stateLanes(case_.law.rule);
        bool isZero = case_.claim.aggregate.stateRoot == 0;
        if (isZero != (lanes == 0)) return;
        if (isZero) revert NoState(case_.law.rule);

        StateProof calldata shown = _read(proof);
        (uint256 chunk, uint256 lane, uint256 chunks) = (shown.chunk, shown.lane, case_.law.chunks);
        if (chunk >= chunks) revert NoSuchChunk(chunk, chunks);
        if (lane >= lanes) revert NoSuchLane(lane, lanes);
        (uint256 place, uint256 places) = (chunk * lanes + lane, chunks * lanes);
        _requireBefore(Lineage.stateRoot(case_, shown.base), _leaf(shown.old), place, places, shown.oldBeside);
        _requireUnder(case_.claim.aggregate.stateRoot, shown.leaf, place, places, shown.leafBeside);

        bytes32 leaf = Merkle.leaf(_step(case_, shown));
        if (leaf == shown.leaf) revert ChunkIsTheRules(chunk, lane, leaf);
    }

    /// @dev The proof where it lies in the calldata.
    function _read(bytes calldata proof) private pure returns (StateProof calldata shown) {
        assembly ("memory-safe") {
            shown := add(proof.offset, calldataload(proof.offset))
        }
    }

    function _requireBefore(bytes32 root, bytes32 leaf, uint256 place, uint256 places, bytes32[] calldata beside)
        private
        view
    {
        if (root != 0) _requireUnder(root, leaf, place, places, beside);
        else if (leaf != ZERO_LEAF) revert NotZero(leaf);
    }

    /// @dev The new chunk that is due.
    function _step(Case calldata case_, StateProof calldata shown) private view returns (bytes memory) {
        bytes calldata sum = _sum(case_, shown.chunk, shown.total);
        uint256 weight = case_.claim.aggregate.totalWeight;
        return shown.lane == 0
            ? Rules.momentum(case_.law, weight, shown.old, sum)
            : Rules.root(case_.law, weight, shown.old, sum);
    }
}
