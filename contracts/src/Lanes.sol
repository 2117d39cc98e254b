// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Values of sum-tree nodes: 1 KiB, 256 big-endian lanes of 32 bits, eight a word.
library Lanes {
    uint256 internal constant BYTES = 1024;

    /// @notice A value of another length.
    error NotALaneChunk(uint256 length);

    /// @notice Reverts unless `value` has 256 lanes.
    function requireWhole(bytes calldata value) internal pure {
        if (value.length != BYTES) revert NotALaneChunk(value.length);
    }

    /// @notice sha256 of the lanewise sum modulo 2^32 of two values; all zero where neither is counted.
    function sumDigest(bytes calldata one, bool countsOne, bytes calldata other, bool countsOther)
        internal
        view
        returns (bytes32 digest)
    {
        requireWhole(one);
        requireWhole(other);
        assembly ("memory-safe") {
            // The low 31 bits of a lane cannot carry into the next one; the top bits add by xor.
            let low := 0x7fffffff7fffffff7fffffff7fffffff7fffffff7fffffff7fffffff7fffffff
            let free := mload(0x40)
            for { let at := 0 } lt(at, 1024) { at := add(at, 32) } {
                let x := mul(calldataload(add(one.offset, at)), countsOne)
                let y := mul(calldataload(add(other.offset, at)), countsOther)
                mstore(add(free, at), xor(add(and(x, low), and(y, low)), and(xor(x, y), not(low))))
            }
            if iszero(staticcall(gas(), 0x02, free, 1024, 0x00, 0x20)) {
                revert(0x00, 0x00)
            }
            digest := mload(0x00)
        }
    }

    /// @notice Lane 0, read as two's complement: in an update's last chunk, the weight.
    function first(bytes calldata value) internal pure returns (int256) {
        requireWhole(value);
        return int32(uint32(bytes4(value[:4])));
    }

    /// @notice Whether every lane, read as two's complement, is within -bound..bound.
    /// @param bound below 2^63 in magnitude; where it is negative, no lane is.
    function within(bytes calldata value, int256 bound) internal pure returns (bool) {
        requireWhole(value);
        for (uint256 offset = 0; offset < BYTES; offset += 32) {
            uint256 word;
            assembly ("memory-safe") {
                word := calldataload(add(value.offset, offset))
            }
            for (uint256 i = 0; i < 8; ++i) {
                int256 lane = int32(uint32(word));
                if (lane > bound || lane < -bound) return false;
                word >>= 32;
            }
        }
        return true;
    }
}
