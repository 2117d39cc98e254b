// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {VM} from "./Cheats.sol";
import {Lie} from "./Chronicle.sol";
import {Ways} from "./Ways.sol";
import {Slot} from "src/Slot.sol";
import {Phase} from "src/TaskTypes.sol";

/// @title What honest members do next, whatever the task needs.
abstract contract Honest is Ways {
    modifier timed() {
        _setClock();
        _;
    }

    /// @dev Every second time the honest carry the task on until the phase is reached; else the call takes it as it is.
    modifier reaching(Phase phase, uint256 luck) {
        for (uint256 steps = 0; luck % 2 == 0 && steps < 40 && task.slot().phase != phase; ++steps) {
            _carryOn(luck);
        }
        _;
    }

    /// @dev Everybody leaves, and another task begins.
    function _begin() internal {
        _leave();
        _forget();
        returned = 0;
        _create();
        _watch(false);
    }

    /// @dev A member, or somebody else.
    function _challenger(uint256 by) internal view returns (address) {
        return by % (MEMBERS + 1) == MEMBERS ? GRIEFER : _account(by % (MEMBERS + 1));
    }

    /// @dev What honest members do next.
    function _carryOn(uint256 luck) internal {
        Slot memory state = task.slot();
        if (state.phase == Phase.PAUSED) {
            VM.prank(GUARDIAN);
            task.resume();
            _watch(false);
        } else if (state.phase == Phase.ENROL) {
            _enrol(luck, state);
        } else if (state.phase == Phase.COMMIT) {
            _commitNext(luck, state);
        } else if (state.phase == Phase.FREEZE) {
            if (!_freeze(luck)) _pass();
        } else if (state.phase == Phase.AGGREGATE) {
            if (!_propose(Lie.NONE, luck)) _pass();
        } else if (state.phase == Phase.ATTEST && !_isOptimistic()) {
            if (!_finalize()) _pass();
        } else if (state.phase == Phase.ENDED) {
            _begin();
        } else {
            _pass();
        }
    }

    function _enrol(uint256 luck, Slot memory state) private {
        for (uint256 i = 0; i < MEMBERS; ++i) {
            uint256 who = (i + luck) % MEMBERS;
            if (!task.participant(_account(who)).enrolled) return _join(who);
        }
        for (uint256 who = 0; who < MEMBERS; ++who) {
            VM.prank(_account(who));
            try task.advertise(bytes32(who + 1), bytes32(who + 1)) {
                return _watch(false);
            } catch {}
        }
        if (task.slot().phase == state.phase) _pass();
    }

    function _commitNext(uint256 luck, Slot memory state) private {
        for (uint256 i = 0; i < MEMBERS; ++i) {
            uint256 who = (i + luck) % MEMBERS;
            (uint32 opening,,) = task.commitmentOf(_account(who));
            if (opening != state.opening && task.isEligible(_account(who))) return _commit(who, luck);
        }
        _pass();
    }
}
