// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {TaskErrors} from "./TaskErrors.sol";

/// @title Sets of seats and of pairs of seats, in the one encoding the chain accepts.
/// @dev Seat p is bit p % 8, lowest first, of byte p / 8; ceil(domain / 8) bytes.
library Bitmap {
    uint256 internal constant MAX_PAIRS = 64;

    /// @notice How many seats are in `bitmap`. Reverts with MalformedBitmap unless it is canonical for `domain`.
    function count(bytes calldata bitmap, uint16 domain) internal pure returns (uint256 members) {
        uint256 length = (uint256(domain) + 7) / 8;
        if (bitmap.length != length) revert TaskErrors.MalformedBitmap(bitmap.length, domain);
        if (domain % 8 != 0 && uint8(bitmap[length - 1]) >> (domain % 8) != 0) {
            revert TaskErrors.MalformedBitmap(bitmap.length, domain);
        }
        for (uint256 offset = 0; offset < length; offset += 32) {
            uint256 word;
            assembly ("memory-safe") {
                word := calldataload(add(bitmap.offset, offset))
            }
            if (length - offset < 32) word >>= 8 * (32 - (length - offset));
            members += _ones(word);
        }
    }

    /// @notice An empty set.
    function empty(uint16 domain) internal pure returns (bytes memory) {
        return new bytes((uint256(domain) + 7) / 8);
    }

    /// @notice Puts a seat below the bitmap's domain into it.
    function add(bytes memory bitmap, uint256 seat) internal pure {
        assert(seat / 8 < bitmap.length);
        assembly ("memory-safe") {
            let at := add(add(bitmap, 0x20), shr(3, seat))
            mstore8(at, or(byte(0, mload(at)), shl(and(seat, 7), 1)))
        }
    }

    /// @notice Reverts with MalformedPairs unless `pairs` are sorted, distinct, lower seat first, offset most 64:
    /// two big-endian uint16 each.
    function requirePairs(bytes calldata pairs) internal pure {
        uint256 length = pairs.length;
        if (length % 4 != 0 || length > 4 * MAX_PAIRS) revert TaskErrors.MalformedPairs(length);
        uint256 last = 0; // no pair is (0, 0)
        for (uint256 offset = 0; offset < length; offset += 4) {
            uint256 pair = uint32(bytes4(pairs[offset:offset + 4]));
            if (pair <= last || pair >> 16 >= pair & 0xffff) revert TaskErrors.MalformedPairs(length);
            last = pair;
        }
    }

    /// @dev The bits set in a word, summed in parallel (Knuth, TAOCP 4A, 7.1.3).
    function _ones(uint256 word) private pure returns (uint256) {
        unchecked {
            uint256 max = type(uint256).max;
            word -= (word >> 1) & (max / 3);
            word = (word & (max / 5)) + ((word >> 2) & (max / 5));
            word = (word + (word >> 4)) & (max / 17);
            // 32 byte counts of offset most 8 add up to offset most 256: fold once, then sum 16-bit lanes.
            word = (word & (max / 257)) + ((word >> 8) & (max / 257));
            return (word * (max / 65535)) >> 240;
        }
    }
}
