// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Honest} from "./Honest.sol";
import {Claim} from "src/TaskTypes.sol";

/// @title What the invariants ask of a play. Forge throws away what they change.
abstract contract Books is Honest {
    /// @notice The law that was broken first; empty where none was.
    function fault() external view returns (string memory) {
        return broken;
    }

    /// @notice Whether this state is one of every `rate`, by its hash.
    function isSampled(uint256 rate) external view returns (bool) {
        return uint256(keccak256(abi.encode(task.slot(), address(VAULT).balance))) % rate == 0;
    }

    /// @notice Lets time alone end the task, and everybody take out what is theirs.
    function leaveByTime() external timed {
        _leave();
    }

    /// @notice Whoever is owed a reward, or has a thawed stake, takes it now, whatever the phase.
    function payNow() external timed {
        for (uint256 who = 0; who < MEMBERS; ++who) {
            uint32 thawAt = task.participant(_account(who)).thawAt;
            if (thawAt != 0 && task.clock() >= thawAt) task.collectStake(_account(who));
        }
        if (_hasLied() || task.book().returned) return;
        uint256 standing = _standing();
        uint256 finals = _isOptimistic() ? task.book().finalRounds : standing;
        for (uint256 next = standing; next > 0; --next) {
            uint256 i = next - 1;
            if (abi.decode(chain[i].claim, (Claim)).round > finals) continue;
            for (uint256 payee = 0; payee < 8; ++payee) {
                if (chain[i].owed[payee] > task.claimed(payee)) _claim(i, payee);
            }
            return;
        }
    }

    /// @notice Reverts unless every wei that vault, task and court hold belongs to somebody, and is there.
    function requireBooksBalance() external view {
        uint256 sum = _stakes(TREASURY) + _stakes(GRIEFER);
        uint256 owed = COURT.credit(GRIEFER);
        for (uint256 who = 0; who < MEMBERS; ++who) {
            address account = _account(who);
            (uint128 free, uint128 locked) = VAULT.stakeOf(account);
            sum += uint256(free) + locked;
            owed += COURT.credit(account);
            require(locked == _atStake(account), "what is locked is what is at stake");
            require(who >= HONEST || uint256(free) + locked >= put[account], "the honest lose nothing");
        }
        require(address(VAULT).balance == sum, "the vault holds all stakes");
        for (uint256 i = 0; i < questions.length; ++i) {
            owed += COURT.openDemand(questions[i].id).bond;
        }
        require(address(COURT).balance == owed, "the court holds bonds and credits");
        uint256 paid = returned;
        for (uint256 payee = 0; payee < 8; ++payee) {
            paid += task.claimed(payee);
        }
        require(address(task).balance == POOL - paid, "the task holds what it did not pay");
    }

    function _stakes(address account) private view returns (uint256) {
        (uint128 free, uint128 locked) = VAULT.stakeOf(account);
        return uint256(free) + locked;
    }
}
