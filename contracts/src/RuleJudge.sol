// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Case, Judge} from "./Judge.sol";
import {Base, Lineage} from "./Lineage.sol";
import {Merkle} from "./Merkle.sol";
import {Rules} from "./Rules.sol";
import {StepEvidence, Total} from "./StepEvidence.sol";

/// @notice A chunk of the claim's new model, and what it follows from.
struct RuleProof {
    Base base;
    uint32 chunk;
    bytes32 leaf; // the hash of the chunk's leaf under the claim's `modelRoot`
    bytes32[] leafBeside;
    bytes old; // the chunk of the model before
    bytes32[] oldBeside;
    Total total; // FedAvg; not read for other rules
    bytes state; // the new state's chunks of this one, one after the other; not read for FedAvg, or of weight 0
    bytes32[] stateBeside; // the hashes beside them, from the leaf up, or from the node above both
}

/// @title Shows that a chunk of a claim's new model is not what the task's rule makes.
/// @dev The new state is taken as the claim has it: StateJudge tells whether it is right.
contract RuleJudge is Judge, StepEvidence {
    /// @notice The chunk is the rule's.
    error ChunkIsTheRules(uint256 chunk, bytes32 leaf);

    /// @inheritdoc Judge
    function judge(Case calldata case_, bytes calldata proof) external view {
        RuleProof calldata shown = _read(proof);
        (uint256 chunk, uint256 chunks) = (shown.chunk, case_.law.chunks);
        if (chunk >= chunks) revert NoSuchChunk(chunk, chunks);
        _requireUnder(Lineage.modelRoot(case_, shown.base), _leaf(shown.old), chunk, chunks, shown.oldBeside);
        _requireUnder(case_.claim.aggregate.modelRoot, shown.leaf, chunk, chunks, shown.leafBeside);

        uint256 weight = case_.claim.aggregate.totalWeight;
        bytes calldata from =
            Rules.stateLanes(case_.law.rule) == 0 ? _sum(case_, chunk, shown.total) : _state(case_, shown, weight);
        bytes32 leaf = Merkle.leaf(Rules.model(case_.law, weight, shown.old, from));
        if (leaf == shown.leaf) revert ChunkIsTheRules(chunk, leaf);
    }

    /// @dev The proof where it lies in the calldata.
    function _read(bytes calldata proof) private pure returns (RuleProof calldata shown) {
        assembly ("memory-safe") {
            shown := add(proof.offset, calldataload(proof.offset))
        }
    }

    /// @dev The new state's chunks, shown to be the claim's; nothing where the total weight is 0.
    function _state(Case calldata case_, RuleProof calldata shown, uint256 weight)
        private
        view
        returns (bytes calldata)
    {
        if (weight == 0) return shown.state[:0];
        (bytes32 root, uint256 chunk, uint256 chunks) = (case_.claim.aggregate.stateRoot, shown.chunk, case_.law.chunks);
        if (Rules.stateLanes(case_.law.rule) == 1) {
            _requireUnder(root, _leaf(shown.state), chunk, chunks, shown.stateBeside);
        } else {
            bytes32 pair = Merkle.node(_leaf(shown.state[:Rules.CHUNK]), _leaf(shown.state[Rules.CHUNK:]));
            if (!Merkle.stands(root, pair, 1, chunk, 2 * chunks, shown.stateBeside)) revert NotUnderRoot(root, chunk);
        }
        return shown.state;
    }
}
