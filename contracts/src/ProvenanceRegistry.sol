// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Commitments} from "./Commitments.sol";
import {History} from "./History.sol";
import {Case, Committed} from "./Judge.sol";
import {Base, Lineage} from "./Lineage.sol";
import {TaskList} from "./StakeVault.sol";
import {Book, Finality, Position, Settings} from "./TaskTypes.sol";

/// @notice What the registry asks of a task.
interface Recorded {
    /// @notice What was fixed at creation.
    function settings() external view returns (Settings memory);

    /// @notice Seats, payees, and what is out of the ordinary.
    function book() external view returns (Book memory);

    /// @notice The name of the last proposal that stands, and of the one that awaits a quorum.
    function heads() external view returns (bytes32 standing, bytes32 proposed);
}

/// @notice A final round: what it came from and what it made.
struct Provenance {
    address task;
    uint32 round;
    uint32 opening; // in which its updates were committed
    bytes32 base; // root of the model that the round trained from
    bytes32 model; // root of the model that it made
    bytes32 survivors; // sha256 of the bitmaps of survivors and of those who signed the freeze
    bytes32 sampler; // the seed that drew groups and committee
    bytes32 proposal; // its name, which names all before it
}

/// @notice What one participant gave to a round.
struct Contribution {
    bytes32 dataRoot; // salted Merkle root of its dataset
    bytes32 updateRoot; // of its masked update
    Position position;
}

/// @title Where models come from, over all tasks: the data-model registry of Lo et al. (IEEE IoT-J 10(4), 2023), with
/// every entry proven against the task's own history.
/// @notice Tasks keep hashes; whoever wants a round to be read by other contracts writes it out here, once, at any time
/// after it is final.
contract ProvenanceRegistry {
    /// @notice Who knows which contracts are tasks.
    TaskList public immutable TASKS;

    mapping(address task => mapping(uint32 round => Provenance)) private _rounds;
    mapping(bytes32 model => Provenance[]) private _models;
    mapping(address task => mapping(uint32 round => mapping(address participant => Contribution))) private
        _contributions;

    /// @notice A final round was written out.
    event RoundRecorded(address indexed task, uint32 indexed round, bytes32 base, bytes32 indexed model);
    /// @notice What a participant gave to a round was written out.
    event ContributionRecorded(
        address indexed task, uint32 indexed round, address indexed participant, bytes32 dataRoot, bytes32 updateRoot
    );

    /// @notice The factory made no such task.
    error NotATask(address task);
    /// @notice The claim is not one of the task's.
    error NotStanding(bytes32 head, bytes32 standing);
    /// @notice The round is not final yet.
    error NotFinal(uint32 round, uint32 finalRounds);
    /// @notice The round was written out before.
    error AlreadyRecorded(address task, uint32 round);
    /// @notice The round was not written out.
    error NotRecorded(address task, uint32 round);

    constructor(TaskList tasks) {
        TASKS = tasks;
    }

    /// @notice Writes out a final round, by its claim and the one before it.
    function recordRound(Case calldata case_, Base calldata base) external {
        Provenance memory made = Provenance({
            task: case_.task,
            round: case_.claim.round,
            opening: case_.claim.opening,
            base: Lineage.modelRoot(case_, base),
            model: case_.claim.aggregate.modelRoot,
            survivors: case_.claim.frozen,
            sampler: case_.claim.epochSeed,
            proposal: _requireFinal(case_)
        });
        if (_rounds[made.task][made.round].proposal != 0) revert AlreadyRecorded(made.task, made.round);
        _rounds[made.task][made.round] = made;
        _models[made.model].push(made);
        emit RoundRecorded(made.task, made.round, made.base, made.model);
    }

    /// @notice Writes out what a participant committed to a round that was written out.
    function recordContribution(Case calldata case_, Committed calldata shown) external {
        uint32 round = case_.claim.round;
        if (_rounds[case_.task][round].proposal != _requireFinal(case_)) revert NotRecorded(case_.task, round);
        Commitments.requireMade(case_, shown, shown.made.position);
        _contributions[case_.task][round][shown.made.participant] =
            Contribution(shown.made.dataRoot, shown.made.updateRoot, shown.made.position);
        emit ContributionRecorded(case_.task, round, shown.made.participant, shown.made.dataRoot, shown.made.updateRoot);
    }

    /// @notice A round as it was written out; all zero where it was not.
    function roundOf(address task, uint32 round) external view returns (Provenance memory) {
        return _rounds[task][round];
    }

    /// @notice The rounds, of whatever tasks, that made the model of this root.
    function roundsByModel(bytes32 model) external view returns (Provenance[] memory) {
        return _models[model];
    }

    /// @notice What a participant gave to a round, as it was written out; all zero where it was not.
    function contributionOf(address task, uint32 round, address participant)
        external
        view
        returns (Contribution memory)
    {
        return _contributions[task][round][participant];
    }

    function _requireFinal(Case calldata case_) private view returns (bytes32 name) {
        if (!TASKS.isTask(case_.task)) revert NotATask(case_.task);
        Recorded task = Recorded(case_.task);
        name = History.proposal(case_.before, keccak256(abi.encode(case_.claim)));
        bytes32 head = History.head(name, case_.later);
        (bytes32 standing,) = task.heads();
        if (head != standing) revert NotStanding(head, standing);
        uint32 finalRounds = task.book().finalRounds;
        bool optimistic = task.settings().params.finality == Finality.OPTIMISTIC;
        if (optimistic && case_.claim.round > finalRounds) revert NotFinal(case_.claim.round, finalRounds);
    }
}
