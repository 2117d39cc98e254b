// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CloneSettings} from "./CloneSettings.sol";
import {Commits} from "./Commits.sol";
import {Enrolment} from "./Enrolment.sol";
import {Freezing} from "./Freezing.sol";
import {History} from "./History.sol";
import {Proposing} from "./Proposing.sol";
import {Settling} from "./Settling.sol";
import {Slot} from "./Slot.sol";
import {StakeVault} from "./StakeVault.sol";
import {TaskState} from "./TaskState.sol";
import {AbortReason, EndReason, Params, Phase, Settings} from "./TaskTypes.sol";

/// @title A task: one federated training, from enrolment to payment.
/// @notice Clones of this contract carry their settings in their code. A timeout moves a task forward or ends it; it
/// never waits for anyone.
contract Task is Enrolment, Commits, Freezing, Proposing, Settling {
    /// @notice The rest of every task: what this contract does not know, it asks of the annex, on its own storage.
    address public immutable ANNEX;

    constructor(address factory, StakeVault vault, address court, address forwarder, address annex)
        TaskState(factory, vault, court, forwarder)
    {
        ANNEX = annex;
        Slot memory state;
        state.phase = Phase.ENDED;
        _slot = state.pack(); // the implementation itself is no task
    }

    /// @notice Views, rewards, convictions and pauses: see TaskAnnex.
    fallback() external {
        address annex = ANNEX;
        assembly ("memory-safe") {
            let free := mload(0x40)
            calldatacopy(free, 0, calldatasize())
            let good := delegatecall(gas(), annex, free, calldatasize(), 0, 0)
            returndatacopy(free, 0, returndatasize())
            if iszero(good) { revert(free, returndatasize()) }
            return(free, returndatasize())
        }
    }

    /// @notice Opens enrolment; called by the factory when it has made the clone.
    function start() external {
        if (msg.sender != FACTORY) revert NotFactory(msg.sender);
        Settings memory terms = CloneSettings.fetch();
        Slot memory state;
        state.round = 1;
        state.attempt = 1;
        state.deadline = _now() + terms.params.enrolSeconds;
        _slot = state.pack();
        // Words that every round reuses: the sponsor pays for their first use, so that being first costs nobody more.
        _heads[0] = History.genesis(terms.baseRoot);
        _heads[1] = _heads[0];
        _book.redraw = true;
        emit EnrolmentOpened(state.deadline, terms.params.maxParticipants);
    }

    /// @notice Moves the task past a deadline, or past the block that a draw waits for. Anyone may call.
    function poke() external {
        Slot memory state = _slot.unpack();
        _requireRunning(state);
        if (state.phase == Phase.DRAW) {
            _draw(state, CloneSettings.fetch());
        } else {
            if (block.timestamp < state.deadline) revert NothingToDo(state.phase, state.deadline);
            _pass(state, CloneSettings.params());
        }
        _slot = state.pack();
    }

    /// @dev What a phase's deadline leads to.
    function _pass(Slot memory state, Params memory params) private {
        if (state.phase == Phase.ENROL) {
            if (state.ready + state.waiting >= params.minParticipants) _scheduleDraw(state);
            else _end(state, EndReason.STARVED);
        } else if (state.phase == Phase.COMMIT) {
            _closeCommits(state, params);
        } else if (state.phase == Phase.FREEZE) {
            _abort(state, params, AbortReason.NOT_FROZEN);
        } else if (state.phase == Phase.AGGREGATE) {
            _end(state, EndReason.STALLED);
        } else if (_isOptimistic()) {
            revert NothingToDo(state.phase, state.deadline); // settle() needs the claim
        } else {
            _reopen(state);
            emit ProposalDropped(state.round, state.attempt, state.nextRank, _now());
        }
    }
}
