// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Finality, Params} from "./TaskTypes.sol";

/// @title What a task's parameters may be.
library ParamRanges {
    uint256 private constant MAX_ROUNDS = type(uint16).max;
    uint256 private constant MAX_PARTICIPANTS = 1024;
    uint256 private constant MAX_SECONDS = 1 << 28; // 8 years: sums of a few with the time now fit 32 bits until 2072
    uint256 private constant MAX_AHEAD = 32;
    /// @notice Times the answers' span by which demands can put finality off: the court's limit of demands, and as many
    /// answers.
    uint256 internal constant DEMAND_SPANS = 80;

    /// @notice A parameter must be from `low` to `high`.
    error ParamOutOfRange(string name, uint256 value, uint256 low, uint256 high);

    /// @notice Reverts with ParamOutOfRange unless every parameter is in its range.
    function check(Params memory params) internal pure {
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
        _within("answerSeconds", params.answerSeconds, 1, MAX_SECONDS / (2 * DEMAND_SPANS));
        // Stakes outlast every window in which a fault of theirs can be proven and still undo something.
        uint256 windows = params.attestSeconds + DEMAND_SPANS * params.answerSeconds;
        _within("unbondSeconds", params.unbondSeconds, windows, 2 * MAX_SECONDS);
        _within("challengerShare", params.challengerShare, 0, 9_000); // an accuser of itself loses something
        if (params.finality == Finality.FAST) _within("ahead", params.ahead, 0, 0);
        else _within("ahead", params.ahead, 1, MAX_AHEAD);
    }

    function _within(string memory name, uint256 value, uint256 low, uint256 high) private pure {
        if (value < low || value > high) revert ParamOutOfRange(name, value, low, high);
    }
}
