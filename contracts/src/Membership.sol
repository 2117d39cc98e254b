// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CloneSettings} from "./CloneSettings.sol";
import {Committing, Participant} from "./Participant.sol";
import {Slot} from "./Slot.sol";
import {TaskState} from "./TaskState.sol";
import {Params, Phase, Position} from "./TaskTypes.sol";

/// @title Taking a participant out, by its own will or by a conviction.
abstract contract Membership is TaskState {
    /// @dev Takes `who` out of every count, and stores it without a seat; the seat itself is the caller's.
    function _unseat(address account, Participant memory who, Slot memory state) internal {
        if (who.readyEpoch == state.epoch + 1) {
            --state.waiting;
        } else if (_isReady(account, who, state)) {
            --state.ready;
            if (state.phase == Phase.DRAW && who.readyEpoch == state.epoch) --state.committed;
        }
        who.enrolled = false;
        who.position = Position.wrap(0);
        who.readyEpoch = 0;
        who.readyOpening = 0;
        who.keptOpening = 0;
        _records[account].participant = who.pack();
        _records[account].committing = _records[account].committing.unseated();
    }

    /// @dev What the task has locked of an account's stake.
    function _atStake(Participant memory who) internal view returns (uint128) {
        Params memory params = CloneSettings.params();
        uint128 stake = who.enrolled || who.thawAt != 0 ? params.stake : 0;
        return who.bonded ? stake + params.bond : stake;
    }

    /// @dev Whether `who` is counted in `ready`.
    function _isReady(address account, Participant memory who, Slot memory state) internal view returns (bool) {
        if (who.readyOpening == state.opening + 1) return true;
        if (state.phase == Phase.DRAW && who.readyEpoch == state.epoch) return true;
        Committing memory made = _records[account].committing.unpack();
        return made.seat != 0 && made.opening == state.opening;
    }
}
