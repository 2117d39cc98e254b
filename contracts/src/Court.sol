// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAccused} from "./Accused.sol";
import {ChunkDemands} from "./ChunkDemands.sol";
import {CourtSignatures} from "./CourtSignatures.sol";
import {History} from "./History.sol";
import {Case, Judge} from "./Judge.sol";
import {NodeDemands} from "./NodeDemands.sol";
import {RevealDemands} from "./RevealDemands.sol";
import {Fault} from "./TaskTypes.sol";

/// @title Where a task's aggregators and participants are convicted, by proof alone.
/// @notice It has no owner, and its judges are for ever. Whoever brings a proof is the challenger.
contract Court is CourtSignatures, ChunkDemands, NodeDemands, RevealDemands {
    /// @notice Whose word the court takes.
    mapping(address judge => bool) public isJudge;

    /// @param judges one for every kind of proof.
    /// @param genesis the hash of the chain's first block.
    constructor(address[] memory judges, bytes32 genesis) RevealDemands(genesis) {
        for (uint256 i = 0; i < judges.length; ++i) {
            isJudge[judges[i]] = true;
            emit JudgeSeated(judges[i]);
        }
    }

    /// @notice Convicts the aggregator of a claim that a judge finds wrong. A claim that was convicted because its data
    /// was withheld needs not stand any more: its aggregator is not convicted again, but those who attested it can be
    /// from then on.
    /// @param case_ the claim.
    /// @param judge for this kind of proof.
    /// @param proof the ABI encoding of it.
    function refute(Case calldata case_, address judge, bytes calldata proof) external {
        if (!isJudge[judge]) revert UnknownJudge(judge);
        IAccused task = IAccused(case_.task);
        bytes32 name = _nameOf(case_);
        bool isConvicted = _withheld[case_.task][name];
        (bytes32 law, bytes32 standing, bytes32 proposed) = task.brief();
        if (!isConvicted) _requireHead(History.head(name, case_.later), standing, proposed);
        _requireLaw(case_.law, law);
        Judge(judge).judge(case_, proof);

        emit ClaimRefuted(case_.task, name, judge, msg.sender);
        if (isConvicted) _withheld[case_.task][name] = false;
        else task.convictAggregator(name, case_.before, case_.claim, Fault.WRONG_AGGREGATE, msg.sender);
    }
}
