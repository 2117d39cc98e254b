// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Merkle} from "./Merkle.sol";
import {Shuffle} from "./Shuffle.sol";
import {Position} from "./TaskTypes.sol";

/// @title Who sits where in an epoch: groups, and rows in them.
library Seating {
    /// @notice The epoch's draw permutes `domain` seats, and this is none of them.
    error NoSuchSeat(Position position, uint256 domain);

    /// @notice How many groups `domain` seats make, their sizes differing by at most one.
    function groups(uint256 domain, uint256 groupSize) internal pure returns (uint256 count) {
        count = domain / groupSize;
        if (count == 0) count = 1;
    }

    /// @notice Levels above a group's rows, which are padded to a power of two.
    function rowLevels(uint256 domain, uint256 count) internal pure returns (uint256) {
        return Merkle.height((domain + count - 1) / count);
    }

    /// @notice The group and the row of a seat. No two seats share both.
    function place(bytes32 epochSeed, Position position, uint256 domain, uint256 count)
        internal
        view
        returns (uint256 group, uint256 row)
    {
        uint256 seat = Position.unwrap(position);
        if (seat >= domain) revert NoSuchSeat(position, domain);
        uint256 dealt = Shuffle.place(epochSeed, seat, domain);
        return (dealt % count, dealt / count);
    }

    /// @notice Whether a bitmap holds a bit. Those beyond its bytes are not set.
    function has(bytes calldata bitmap, uint256 bit) internal pure returns (bool) {
        return bit / 8 < bitmap.length && (uint8(bitmap[bit / 8]) >> (bit % 8)) & 1 == 1;
    }
}
