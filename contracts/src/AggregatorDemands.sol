// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAccused} from "./Accused.sol";
import {Bonds} from "./Bonds.sol";
import {Demand} from "./DemandTypes.sol";
import {Docket} from "./Docket.sol";
import {History} from "./History.sol";
import {Case} from "./Judge.sol";
import {Merkle} from "./Merkle.sol";
import {Claim, Fault, Finality, Params, Settings} from "./TaskTypes.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title Asking an aggregator for what its claim's roots stand for, and what follows when nobody answers.
/// @notice Whoever holds the true data and sees a root that is not its own asks its way down to the first hash that
/// differs: what a judge needs. An honest aggregator can answer every demand that is taken.
abstract contract AggregatorDemands is Docket, Bonds {
    /// @notice Demands put a claim's finality off if they are made no later than this many spans of `answerSeconds`
    /// after its window: enough to go down the trees of chunks and of sums level by level. It is a limit of time and
    /// not of number [else an aggregator could use it up by asking itself].
    uint256 public constant SPANS = 40;

    /// @notice Until when, in a task's time, demands keep its proposals from being final by time.
    mapping(address task => uint32) public busyUntil;

    /// @notice Whether a demand, or the time to follow one up, keeps the task's proposals from being final by time.
    function isBusy(address task) external view returns (bool) {
        return IAccused(task).clock() < busyUntil[task];
    }

    /// @notice Convicts the aggregator of a proposal that stands, or awaits a quorum, and about which a demand was not
    /// answered. Anyone may call; the demander has its bond back, and is the challenger.
    /// @param asked as the demand's event tells it.
    /// @param before the name of the proposal before.
    /// @param claim what was proposed.
    /// @param later hashes of the claims after it.
    function lapse(Demand calldata asked, bytes32 before, Claim calldata claim, bytes32[] calldata later) external {
        bytes32 name = History.proposal(before, History.hashOf(claim));
        if (name != asked.proposal) revert WrongProposal(name, asked.proposal);
        IAccused task = IAccused(asked.task);
        _requireStanding(task, name, later);
        bytes32 demand = demandId(asked.task, keccak256(abi.encode(asked)));
        address demander = _lapse(task, demand, 0);
        _withheld[asked.task][name] = true;
        emit ChunkWithheld(asked.task, name, demand, demander);
        task.convictAggregator(name, before, claim, Fault.WITHHELD_CHUNK, demander);
    }

    /// @dev Opens a demand about a claim that stands or awaits a quorum, for the value sent.
    /// @param size bytes of the answer, beside the hashes that lead to the root.
    function _demand(Case calldata case_, Demand memory asked, uint256 size) internal returns (bytes32 demand) {
        if (asked.index >= asked.count) revert NoSuchLeaf(asked.index, asked.count);
        IAccused task = IAccused(asked.task);
        Settings memory terms = task.settings();
        _requireLaw(case_.law, terms.law);
        bytes32 proposed = _requireStanding(task, asked.proposal, case_.later);
        bool isSettled = terms.params.finality == Finality.FAST
            ? asked.proposal != proposed
            : case_.claim.round <= task.book().finalRounds;
        uint256 clock = task.clock();

        uint32 deadline = SafeCast.toUint32(clock + terms.params.answerSeconds);
        demand = demandId(asked.task, keccak256(abi.encode(asked)));
        _ask(demand, size + 32 * Merkle.height(asked.count), deadline);
        if (!isSettled) _defer(asked.task, case_.claim, terms.params, clock);
        emit ChunkDemanded(demand, asked.task, msg.sender, asked, deadline, msg.value);
    }

    /// @dev Puts finality off for a span to answer, and one to follow the answer up, to refute, or to let the demand
    /// lapse.
    function _defer(address task, Claim calldata claim, Params memory params, uint256 clock) private {
        uint256 window = uint256(claim.proposedAt) - claim.pausedBefore + params.attestSeconds;
        if (clock > window + SPANS * params.answerSeconds) return;
        uint32 until = SafeCast.toUint32(clock + 2 * uint256(params.answerSeconds));
        if (until > busyUntil[task]) busyUntil[task] = until;
    }
}
