// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAccused} from "src/Accused.sol";
import {CommitWords} from "src/CommitPage.sol";
import {Ballot} from "src/CourtSignatures.sol";
import {Demand, OpenDemand, Reveal, SumNode, Tree} from "src/DemandTypes.sol";
import {Case, Committed} from "src/Judge.sol";
import {Participant} from "src/Participant.sol";
import {StakeVault} from "src/StakeVault.sol";
import {Aggregate, Claim, Params, Position} from "src/TaskTypes.sol";

/// @title A task and its annex, as those who play see them: without their code, which the tests take from the artifacts.
interface PlayedTask is IAccused {
    function join(bytes32 consent, bytes32 maskKey, bytes32 boxKey) external;
    function leaveTask() external;
    function collectStake(address account) external;
    function advertise(bytes32 maskKey, bytes32 boxKey) external;
    function commit(CommitWords calldata words) external;
    function commitBySig(CommitWords[] calldata words, uint32 deadline, bytes calldata signatures) external;
    function freeze(bytes calldata survivors, bytes calldata disputes, bytes calldata signatures) external;
    function propose(Aggregate calldata made, bytes calldata survivors, bytes calldata signers, bytes32 before) external;
    function finalize(bytes calldata signatures) external;
    function settle(bytes32 before, Claim calldata claim, bytes32[] calldata later) external;
    function poke() external;
    function pause() external;
    function resume() external;
    function claim(
        address account,
        uint256 cumulative,
        uint256 payee,
        bytes32[] calldata proof,
        bytes32 before,
        Claim calldata claimed,
        bytes32[] calldata later
    ) external;
    function withdrawRemainder(bytes32 before, Claim calldata last, bytes32[] calldata later) external;
    function participant(address account) external view returns (Participant memory);
    function memberAt(Position position) external view returns (address);
    function isEligible(address account) external view returns (bool);
    function claimed(uint256 payee) external view returns (uint256);
}

/// @title The factory, without its code.
interface PlayedFactory {
    function VAULT() external view returns (StakeVault);
    function setImplementation(address made) external;
    function createTask(bytes32 terms, bytes32 law, bytes32 baseRoot, Params calldata params)
        external
        payable
        returns (address task);
}

/// @title The court, without its code.
interface PlayedCourt {
    function refute(Case calldata case_, address judge, bytes calldata proof) external;
    function refuteAttestation(address task, uint32 round, uint16 attempt, bytes32 proposal, bytes calldata signature)
        external;
    function refuteSurvivors(
        address task,
        uint32 round,
        uint16 attempt,
        uint32 opening,
        Ballot calldata one,
        Ballot calldata other
    ) external;
    function demandChunk(Case calldata case_, Tree tree, uint64 index) external payable returns (bytes32);
    function demandNode(Case calldata case_, uint64 chunk, uint64 node) external payable returns (bytes32);
    function demandReveal(Case calldata last, Committed calldata committed, bytes calldata frozen, Position other)
        external
        payable
        returns (bytes32);
    function answerChunk(Demand calldata asked, bytes calldata data, bytes32[] calldata siblings) external;
    function answerNode(Demand calldata asked, SumNode[] calldata nodes, bytes32[] calldata siblings) external;
    function answerReveal(Reveal calldata asked, address other, bytes32 seed, bytes32[] calldata siblings) external;
    function lapse(Demand calldata asked, bytes32 before, Claim calldata claim, bytes32[] calldata later) external;
    function lapseReveal(Reveal calldata asked, bytes32[] calldata later) external;
    function abandon(address task, bytes32 asked) external;
    function withdraw(address to) external;
    function credit(address account) external view returns (uint256);
    function openDemand(bytes32 demand) external view returns (OpenDemand memory);
    function demandId(address task, bytes32 asked) external pure returns (bytes32);
    function busyUntil(address task) external view returns (uint32);
}
