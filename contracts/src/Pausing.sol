// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Slot} from "./Slot.sol";
import {TaskMaker, TaskState} from "./TaskState.sol";
import {Book, Phase} from "./TaskTypes.sol";

/// @title Stopping a task's clocks: no deadline passes, the time that was left is given back, and money still flows.
abstract contract Pausing is TaskState {
    /// @notice Seconds for which a task can be paused in all.
    uint32 public constant MAX_PAUSE = 30 days;

    /// @notice Pauses the task. Only the guardian, and only while some of the 30 days are left.
    function pause() external {
        address guardian = TaskMaker(FACTORY).guardian();
        if (msg.sender != guardian) revert NotGuardian(msg.sender, guardian);
        Slot memory state = _slot.unpack();
        _requireRunning(state);
        if (_book.pausedSeconds >= MAX_PAUSE) revert PauseIsSpent(_book.pausedSeconds);
        _book.pausedPhase = state.phase;
        _book.pausedAt = _now();
        state.phase = Phase.PAUSED;
        _slot = state.pack();
        emit TaskPaused(_now());
    }

    /// @notice Ends a pause; every deadline moves by its length. The guardian at any time; anyone once the 30 days are
    /// spent.
    function resume() external {
        Slot memory state = _slot.unpack();
        if (state.phase != Phase.PAUSED) revert WrongPhase(state.phase, Phase.PAUSED);
        Book memory book = _book;
        uint32 spent = _now() - book.pausedAt;
        address guardian = TaskMaker(FACTORY).guardian();
        if (msg.sender != guardian && book.pausedSeconds + spent < MAX_PAUSE) revert NotGuardian(msg.sender, guardian);

        state.phase = book.pausedPhase;
        if (state.phase != Phase.DRAW) state.deadline += spent; // a draw waits for a block, not for a time
        if (state.phase == Phase.AGGREGATE || state.phase == Phase.ATTEST) {
            _frozen.aggregateFrom += spent;
            _frozen.stallAt += spent;
        }
        book.pausedSeconds += spent;
        book.pausedAt = 0;
        _book = book;
        _slot = state.pack();
        emit TaskResumed(spent);
    }
}
