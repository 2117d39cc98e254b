// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Slot} from "./Slot.sol";
import {TaskState} from "./TaskState.sol";
import {AbortReason, EndReason, Finality, Params, Phase, Settings} from "./TaskTypes.sol";

/// @title A task's transitions. Callers load the slot once, pass it along, and store it once.
abstract contract TaskFlow is TaskState {
    /// @dev Where a task goes when no round is open: the next opening, a new epoch, or a recess until enough are ready.
    /// After a recess the epoch is always new, so that those who joined meanwhile take part.
    function _proceed(Slot memory state, Params memory params, bool redraw) internal {
        if (state.opening == type(uint24).max) {
            _end(state, EndReason.EXHAUSTED);
        } else if (!redraw && state.ready >= params.minParticipants) {
            state.first = false;
            _open(state, params);
        } else if (redraw && state.ready + state.waiting >= params.minParticipants) {
            _scheduleDraw(state);
        } else {
            state.phase = Phase.ENROL;
            state.deadline = _now() + params.enrolSeconds;
            emit EnrolmentOpened(state.deadline, params.minParticipants);
            _endEnrolmentWhenFull(state, params);
        }
    }

    /// @dev Enrolment ends as soon as enough are there: all seats at first, the minimum after a recess.
    function _endEnrolmentWhenFull(Slot memory state, Params memory params) internal {
        if (state.phase != Phase.ENROL) return;
        uint16 target = state.epoch == 0 ? params.maxParticipants : params.minParticipants;
        if (state.ready + state.waiting >= target) _scheduleDraw(state);
    }

    /// @dev Fixes who takes part in the epoch, and how many seats its draws permute, before the beacon's hash is known:
    /// whoever joins from here on waits for the epoch after.
    function _scheduleDraw(Slot memory state) internal {
        state.phase = Phase.DRAW;
        ++state.epoch;
        state.domain = _book.seats;
        state.ready += state.waiting;
        state.committed = state.waiting; // kept until the opening, should a refuted proposal call the draw off
        state.waiting = 0;
        _book.redraw = false;
        _scheduleBeacon(state);
    }

    function _scheduleBeacon(Slot memory state) internal {
        state.deadline = uint32(block.number) + 1;
        emit DrawScheduled(state.epoch, state.deadline);
    }

    /// @dev Draws the epoch once its beacon's block is past; where its hash is out of reach (256 blocks) there is a new
    /// beacon.
    function _draw(Slot memory state, Settings memory terms) internal {
        uint32 beaconBlock = state.deadline;
        if (block.number <= beaconBlock) revert NothingToDo(state.phase, beaconBlock);
        bytes32 beacon = blockhash(beaconBlock);
        if (beacon == 0) {
            _scheduleBeacon(state);
            return;
        }
        bytes32 head = _heads[_standing(state)];
        bytes32 seed = sha256(abi.encodePacked("foedus/epoch/v1", beacon, _epochSeed, head, terms.terms));
        _epochSeed = seed;
        _frozen.beaconBlock = beaconBlock;
        emit EpochDrawn(state.epoch, state.domain, seed);
        state.first = true;
        _open(state, terms.params);
    }

    function _open(Slot memory state, Params memory params) internal {
        state.phase = Phase.COMMIT;
        state.deadline = _now() + params.commitSeconds;
        ++state.opening;
        state.eligible = state.ready;
        state.ready = 0;
        state.committed = 0;
        emit RoundOpened(state.round, state.attempt, state.opening, state.eligible, state.deadline);
    }

    function _closeCommits(Slot memory state, Params memory params) internal {
        if (state.committed < params.minParticipants) {
            _abort(state, params, AbortReason.TOO_FEW_COMMITS);
            return;
        }
        state.phase = Phase.FREEZE;
        state.deadline = _now() + params.freezeSeconds;
        emit CommitClosed(state.round, state.attempt, state.committed, state.deadline);
    }

    /// @dev Only before the freeze: a round whose survivors are frozen is finalised or the task ends, so that no base
    /// model ever has two frozen sets.
    function _abort(Slot memory state, Params memory params, AbortReason reason) internal {
        emit AttemptAborted(state.round, state.attempt, reason);
        if (state.attempt == params.maxAttempts) {
            _end(state, EndReason.EXHAUSTED);
        } else {
            ++state.attempt;
            _proceed(state, params, false);
        }
    }

    /// @dev What follows a round that stands, or whose proposal awaits its window.
    function _advance(Slot memory state, Params memory params) internal {
        uint32 done = state.round - 1;
        if (done == params.rounds) {
            _end(state, EndReason.COMPLETED);
        } else {
            state.attempt = 1;
            bool redraw = done % params.epochRounds == 0;
            if (params.finality == Finality.OPTIMISTIC) redraw = redraw || _book.redraw;
            _proceed(state, params, redraw);
        }
    }

    /// @dev Back to aggregating: the same frozen set, the next aggregator, and no more time than there was.
    function _reopen(Slot memory state) internal {
        state.phase = Phase.AGGREGATE;
        state.deadline = _frozen.stallAt;
        _frozen.aggregateFrom = _now();
    }

    function _end(Slot memory state, EndReason reason) internal {
        state.phase = Phase.ENDED;
        state.deadline = 0;
        emit TaskEnded(reason, state.round - 1);
    }
}
