// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CloneSettings} from "./CloneSettings.sol";
import {StakeVault, TaskList} from "./StakeVault.sol";
import {Task} from "./Task.sol";
import {Params, Settings} from "./TaskTypes.sol";
import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title Makes tasks: clones that carry their settings in their code, the reward pool in their balance.
contract TaskFactory is TaskList {
    uint256 private constant MAX_ROUNDS = type(uint16).max;
    uint256 private constant MAX_PARTICIPANTS = 1024;
    uint256 private constant MAX_SECONDS = 1 << 30; // 34 years: with the time now it fits 32 bits until 2072

    /// @notice Who holds the stakes.
    StakeVault public immutable VAULT;
    /// @notice What every task is a clone of.
    Task public immutable IMPLEMENTATION;
    /// @notice Who receives the protocol's share of every pool.
    address public immutable TREASURY;

    /// @inheritdoc TaskList
    mapping(address task => bool) public override isTask;

    /// @notice A task began: `terms` is the digest of its terms, `baseRoot` its initial model, `pool` the wei it holds.
    event TaskCreated(
        address indexed task, address indexed sponsor, bytes32 terms, bytes32 baseRoot, uint256 pool, Params params
    );

    /// @notice A parameter must be from `low` to `high`.
    error ParamOutOfRange(string name, uint256 value, uint256 low, uint256 high);
    /// @notice The protocol's share needs a receiver.
    error NoTreasury();

    /// @param treasury who receives the protocol's share of every pool.
    constructor(address treasury) {
        if (treasury == address(0)) revert NoTreasury();
        TREASURY = treasury;
        VAULT = new StakeVault(this);
        IMPLEMENTATION = new Task(address(this), VAULT);
    }

    /// @notice Creates a task of the caller's; the value sent is its reward pool.
    /// @param terms sha256 of the canonical terms.
    /// @param baseRoot Merkle root of the initial model.
    /// @param params what the task enforces by itself.
    /// @return task the new contract.
    function createTask(bytes32 terms, bytes32 baseRoot, Params calldata params)
        external
        payable
        returns (address task)
    {
        _validate(params);
        Settings memory settings = Settings(terms, baseRoot, msg.sender, SafeCast.toUint96(msg.value), params);
        task = Clones.cloneWithImmutableArgs(address(IMPLEMENTATION), CloneSettings.pack(settings), msg.value);
        isTask[task] = true;
        emit TaskCreated(task, msg.sender, terms, baseRoot, msg.value, params);
        Task(task).start();
    }

    function _validate(Params calldata params) private pure {
        _within("rounds", params.rounds, 1, MAX_ROUNDS);
        _within("maxParticipants", params.maxParticipants, 2, MAX_PARTICIPANTS);
        _within("minParticipants", params.minParticipants, 2, params.maxParticipants);
        _within("minSurvivors", params.minSurvivors, 2, params.maxParticipants);
        _within("epochRounds", params.epochRounds, 1, type(uint16).max);
        _within("maxAttempts", params.maxAttempts, 1, type(uint16).max);
        _within("enrolSeconds", params.enrolSeconds, 1, MAX_SECONDS);
        _within("commitSeconds", params.commitSeconds, 1, MAX_SECONDS);
        _within("freezeSeconds", params.freezeSeconds, 1, MAX_SECONDS);
        _within("rankSeconds", params.rankSeconds, 1, MAX_SECONDS);
        _within("stallSeconds", params.stallSeconds, 1, MAX_SECONDS);
        _within("attestSeconds", params.attestSeconds, 1, MAX_SECONDS);
    }

    function _within(string memory name, uint256 value, uint256 low, uint256 high) private pure {
        if (value < low || value > high) revert ParamOutOfRange(name, value, low, high);
    }
}
