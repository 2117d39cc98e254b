// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title A keyed permutation of 0..domain-1, evaluated at one index.
/// @dev An eight-round Feistel network over sha256 with cycle walking (Black and Rogaway, CT-RSA 2002).
library Shuffle {
    /// @notice Where the permutation keyed by `seed` sends `index`.
    /// @param index below `domain`.
    /// @param domain at least 1, below 2^31.
    function place(bytes32 seed, uint256 index, uint256 domain) internal view returns (uint256) {
        uint256 half = domain > 2 ? (Math.log2(domain - 1) + 2) / 2 : 1;
        uint256 mask = (1 << half) - 1;
        do {
            uint256 left = index >> half;
            uint256 right = index & mask;
            for (uint256 turn = 0; turn < 8; ++turn) {
                (left, right) = (right, left ^ (_word(seed, turn, right) & mask));
            }
            index = (left << half) | right;
        } while (index >= domain);
        return index;
    }

    /// @dev The first four bytes of sha256(seed || turn as 1 byte || right as 4 bytes).
    function _word(bytes32 seed, uint256 turn, uint256 right) private view returns (uint256 word) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, seed)
            mstore8(add(free, 0x20), turn)
            mstore(add(free, 0x21), shl(224, right))
            if iszero(staticcall(gas(), 0x02, free, 0x25, 0x00, 0x20)) {
                revert(0x00, 0x00)
            }
            word := shr(224, mload(0x00))
        }
    }
}
