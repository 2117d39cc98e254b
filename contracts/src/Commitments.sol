// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {History} from "./History.sol";
import {Case, Committed} from "./Judge.sol";
import {Position} from "./TaskTypes.sol";

/// @notice The part of a task that keeps what participants committed.
interface Committing {
    /// @notice What an account committed last: in which opening, the how-manieth, and its chain's head.
    function commitmentOf(address account) external view returns (uint32 opening, uint32 generation, bytes24 digest);
}

/// @title What a survivor committed in the opening that a claim sums.
library Commitments {
    /// @notice The commitment shown is not in its participant's chain.
    error NotCommitted(address participant, bytes24 shown, bytes24 head);
    /// @notice The commitment shown is of another opening.
    error OfAnotherOpening(uint32 opening, uint32 claimed);
    /// @notice The commitment shown was made from another seat.
    error OfAnotherSeat(Position position, Position asked);

    /// @notice Reverts unless whoever sat at `position` in the claim's opening committed this.
    /// @dev A seat has one holder in an opening, and an account commits once in it.
    function requireMade(Case calldata case_, Committed calldata shown, Position position) internal view {
        bytes24 name = History.digest(shown.before, History.inner(case_.task, shown.made));
        name = History.latest(name, shown.later);
        (,, bytes24 head) = Committing(case_.task).commitmentOf(shown.made.participant);
        if (name != head) revert NotCommitted(shown.made.participant, name, head);
        if (shown.made.opening != case_.claim.opening) {
            revert OfAnotherOpening(shown.made.opening, case_.claim.opening);
        }
        if (Position.unwrap(shown.made.position) != Position.unwrap(position)) {
            revert OfAnotherSeat(shown.made.position, position);
        }
    }
}
