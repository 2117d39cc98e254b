// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Case} from "./Judge.sol";
import {Seating} from "./Seating.sol";
import {Shape} from "./SumPath.sol";
import {Position} from "./TaskTypes.sol";

/// @title Who sits at a row of a group, and who of them survived.
library Roll {
    /// @notice The seat is in another place of the epoch's draw.
    error SeatedElsewhere(Position position, uint256 group, uint256 row);
    /// @notice The bitmaps shown are not those that the claim names.
    error NotFrozen(bytes32 shown, bytes32 frozen);
    /// @notice The group has another number of seats.
    error WrongSeats(uint256 have, uint256 need);

    /// @notice Reverts unless `frozen` are the claim's survivors and freeze signers, one bitmap after the other.
    /// @dev Both have a bit for every seat, so there is one way to cut them.
    function requireFrozen(Case calldata case_, bytes calldata frozen) internal pure {
        bytes32 shown = sha256(frozen);
        uint256 length = 2 * ((uint256(case_.claim.domain) + 7) / 8);
        if (shown != case_.claim.frozen || frozen.length != length) revert NotFrozen(shown, case_.claim.frozen);
    }

    /// @notice Whether a seat survived.
    /// @param frozen as `requireFrozen` found it good.
    function survived(bytes calldata frozen, Position position) internal pure returns (bool) {
        return Seating.has(frozen[:frozen.length / 2], Position.unwrap(position));
    }

    /// @notice How many rows of a group have a seat.
    function size(Case calldata case_, Shape memory tree, uint256 group) internal pure returns (uint256) {
        return (case_.claim.domain + tree.count - 1 - group) / tree.count;
    }

    /// @notice Reverts unless the seat is at this row of this group.
    function requireSeat(Case calldata case_, Shape memory tree, Position position, uint256 group, uint256 row)
        internal
        view
    {
        (uint256 inGroup, uint256 inRow) =
            Seating.place(case_.claim.epochSeed, position, case_.claim.domain, tree.count);
        if (inGroup != group || inRow != row) revert SeatedElsewhere(position, group, row);
    }

    /// @notice Whether there is a seat at a row of an opened group, and whoever sat there survived.
    /// @param position the seat; not read where there is none.
    /// @param frozen not read where there is no seat.
    function survivesAt(
        Case calldata case_,
        Shape memory tree,
        uint256 group,
        uint256 row,
        Position position,
        bytes calldata frozen
    ) internal view returns (bool) {
        if (row >= size(case_, tree, group)) return false;
        requireSeat(case_, tree, position, group, row);
        requireFrozen(case_, frozen);
        return survived(frozen, position);
    }

    /// @notice How many of a group survived.
    /// @param seats all of the group's, in row order.
    function survivors(
        Case calldata case_,
        Shape memory tree,
        uint256 group,
        Position[] calldata seats,
        bytes calldata frozen
    ) internal view returns (uint256 members) {
        uint256 need = size(case_, tree, group);
        if (seats.length != need) revert WrongSeats(seats.length, need);
        requireFrozen(case_, frozen);
        for (uint256 row = 0; row < need; ++row) {
            requireSeat(case_, tree, seats[row], group, row);
            if (survived(frozen, seats[row])) ++members;
        }
    }
}
