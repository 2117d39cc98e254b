// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {VM} from "./Cheats.sol";
import {Lie} from "./Chronicle.sol";
import {Outcome} from "./Outcome.sol";
import {Questions} from "./Questions.sol";
import {Participant} from "src/Participant.sol";
import {Slot} from "src/Slot.sol";
import {Book, Claim, Phase} from "src/TaskTypes.sol";

/// @title How a task goes on when nobody but the clock does anything, and how everybody gets out of it.
abstract contract Ways is Questions {
    address private constant PASSER = address(0x9a55);

    uint256 internal returned; // wei of the pool that the sponsor had back

    /// @dev The next step that time alone allows, by anybody.
    function _pass() internal {
        (Slot memory state, Book memory book) = (task.slot(), task.book());
        if (state.phase == Phase.PAUSED) {
            _until(uint256(book.pausedAt) + MAX_PAUSE - book.pausedSeconds);
            VM.prank(PASSER);
            task.resume();
        } else if (state.phase == Phase.DRAW) {
            _wait(4);
            VM.prank(PASSER);
            task.poke();
        } else if (state.phase == Phase.ATTEST && _isOptimistic()) {
            return _settleLast();
        } else {
            _until(state.deadline);
            VM.prank(PASSER);
            task.poke();
        }
        _watch(false);
    }

    /// @dev Ends the task, and takes out of it whatever anybody has there. Each step must be open to whom it is for.
    function _leave() internal {
        for (uint256 steps = 0; task.slot().phase != Phase.ENDED; ++steps) {
            require(steps < 64, "time alone ends every task");
            _pass();
        }
        if (_pending()) _settleLast();
        _wait(2 * uint256(_params().answerSeconds));
        while (questions.length != 0) {
            _abandon(questions.length - 1);
        }
        _collectAll();
        if (!task.book().returned) _return();
        if (!_hasLied()) {
            for (uint256 payee = 0; payee < Outcome.PAYEES && chain.length != 0; ++payee) {
                if (chain[chain.length - 1].owed[payee] > task.claimed(payee)) _claim(chain.length - 1, payee);
            }
            require(address(task).balance == 0, "an honest task pays out all that it had");
        }
    }

    /// @dev Whatever awaits finality is final when its window is over.
    function _settleLast() internal {
        _until(_windowEnd(chain.length - 1));
        _settle(chain.length - 1);
    }

    /// @dev The sponsor has back what the last claim does not pay.
    function _return() internal {
        Claim memory last;
        bytes32 before;
        uint256 due = POOL;
        if (chain.length != 0) {
            (before, last) = (chain[chain.length - 1].before, abi.decode(chain[chain.length - 1].claim, (Claim)));
            due -= last.aggregate.payoutTotal;
        }
        task.withdrawRemainder(before, last, new bytes32[](0));
        returned = due;
    }

    function _claim(uint256 index, uint256 payee) internal {
        (, bytes32[] memory path) = Outcome.payout(_payees(), chain[index].owed, payee);
        Claim memory claim = abi.decode(chain[index].claim, (Claim));
        uint256 owed = chain[index].owed[payee];
        task.claim(_payees()[payee], owed, payee, path, chain[index].before, claim, _later(index));
    }

    /// @dev Whether the last claim is not final.
    function _pending() internal view returns (bool) {
        if (chain.length == 0 || !_isOptimistic()) return false;
        return abi.decode(chain[chain.length - 1].claim, (Claim)).round > task.book().finalRounds;
    }

    /// @dev Whether a false claim stands.
    function _hasLied() internal view returns (bool) {
        for (uint256 i = 0; i < chain.length; ++i) {
            if (chain[i].lie != Lie.NONE) return true;
        }
        return false;
    }

    function _collectAll() private {
        for (uint256 who = 0; who < MEMBERS; ++who) {
            if (!task.participant(_account(who)).enrolled) continue;
            VM.prank(_account(who));
            task.leaveTask();
        }
        _wait(_params().unbondSeconds);
        for (uint256 who = 0; who < MEMBERS; ++who) {
            Participant memory record = task.participant(_account(who));
            if (record.thawAt != 0 || record.bonded) task.collectStake(_account(who));
            (, uint128 locked) = VAULT.stakeOf(_account(who));
            require(locked == 0, "whoever leaves has its stake back");
        }
    }

    function _until(uint256 time) internal {
        uint256 now_ = VM.getBlockTimestamp();
        _wait(time > now_ ? time - now_ : 0);
    }
}
