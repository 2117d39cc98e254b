// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CloneSettings} from "./CloneSettings.sol";
import {Enrolment} from "./Enrolment.sol";
import {Merkle} from "./Merkle.sol";
import {Rewards} from "./Rewards.sol";
import {Rounds} from "./Rounds.sol";
import {Slot} from "./Slot.sol";
import {StakeVault} from "./StakeVault.sol";
import {TaskState} from "./TaskState.sol";
import {AbortReason, EndReason, Outcome, Phase, Settings} from "./TaskTypes.sol";

/// @title A task: one federated training, from enrolment to payment.
/// @notice Clones of this contract carry their settings in their code. A timeout moves a task forward or ends it; it
/// never waits for anyone.
contract Task is Enrolment, Rounds, Rewards {
    constructor(address factory, StakeVault vault) TaskState(factory, vault) {
        Slot memory state;
        state.phase = Phase.ENDED;
        _slot = state.pack(); // the implementation itself is no task
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
        _outcomes[0].modelRoot = terms.baseRoot;
        // Words that every round reuses: the sponsor pays for their first use, so that being first costs nobody more.
        _outcomes[1] = Outcome(terms.baseRoot, Merkle.EMPTY_ROOT);
        _book.proposer = type(uint16).max;
        emit EnrolmentOpened(state.deadline, terms.params.maxParticipants);
    }

    /// @notice Moves the task past a deadline, or past the block that a draw waits for. Anyone may call.
    function poke() external {
        Slot memory state = _slot.unpack();
        if (state.phase == Phase.ENDED) revert TaskIsOver();
        Settings memory terms = CloneSettings.fetch();
        if (state.phase == Phase.DRAW) {
            _draw(state, terms);
        } else {
            if (block.timestamp < state.deadline) revert NothingToDo(state.phase, state.deadline);
            if (state.phase == Phase.ENROL) {
                if (state.ready + state.waiting >= terms.params.minParticipants) _scheduleDraw(state);
                else _end(state, EndReason.STARVED);
            } else if (state.phase == Phase.COMMIT) {
                _closeCommits(state, terms.params);
            } else if (state.phase == Phase.FREEZE) {
                _abort(state, terms.params, AbortReason.NOT_FROZEN);
            } else if (state.phase == Phase.AGGREGATE) {
                _end(state, EndReason.STALLED);
            } else {
                _dropProposal(state);
            }
        }
        _slot = state.pack();
    }
}
