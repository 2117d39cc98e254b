// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The mask that a seed stands for: ChaCha20's keystream (RFC 8439, section 2.4) under nonce zero.
/// @dev Two blocks at a time: a word holds one row of the state, four 32-bit lanes of the even block, then of the odd
/// one, so that one quarter round on words is eight on lanes, and the state stays on the stack.
library ChaCha20 {
    uint256 private constant HALVES = 0x0000000000000000000000000000000100000000000000000000000000000001;
    uint256 private constant CONSTANTS = 0x617078653320646e79622d326b206574617078653320646e79622d326b206574;
    uint256 private constant ONES = 0x0000000100000001000000010000000100000001000000010000000100000001;

    /// @notice 1 KiB of keystream: blocks 16 * chunk to 16 * chunk + 15, as 256 big-endian lanes.
    /// @param key the seed.
    /// @param chunk below 2^28.
    /// @param negated whether each lane is subtracted from 2^32.
    function keystream(bytes32 key, uint256 chunk, bool negated) internal pure returns (bytes memory stream) {
        stream = new bytes(1024);
        assembly ("memory-safe") {
            // Lanewise x + y modulo 2^32: the low 31 bits cannot carry into the next lane, the top bits add by xor.
            function plus(x, y) -> z {
                let low := 0x7fffffff7fffffff7fffffff7fffffff7fffffff7fffffff7fffffff7fffffff
                z := xor(add(and(x, low), and(y, low)), and(xor(x, y), not(low)))
            }
            // Each lane's bytes in reverse: words are little-endian in the stream.
            function swap(x) -> z {
                let even := 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff
                z := or(shl(8, and(x, even)), and(shr(8, x), even))
                let low := 0x0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff
                z := or(shl(16, and(z, low)), and(shr(16, z), low))
            }
            // Rows a, b, c, d of four quarter rounds (RFC 8439, section 2.1), lane by lane.
            function quarter(a, b, c, d) -> w, x, y, z {
                w := plus(a, b)
                z := xor(d, w)
                let mask := 0x0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff
                z := or(shl(16, and(z, mask)), and(shr(16, z), mask))
                y := plus(c, z)
                x := xor(b, y)
                mask := 0x00000fff00000fff00000fff00000fff00000fff00000fff00000fff00000fff
                x := or(and(shl(12, x), not(mask)), and(shr(20, x), mask))
                w := plus(w, x)
                z := xor(z, w)
                mask := 0x000000ff000000ff000000ff000000ff000000ff000000ff000000ff000000ff
                z := or(and(shl(8, z), not(mask)), and(shr(24, z), mask))
                y := plus(y, z)
                x := xor(x, y)
                mask := 0x0000007f0000007f0000007f0000007f0000007f0000007f0000007f0000007f
                x := or(and(shl(7, x), not(mask)), and(shr(25, x), mask))
            }
            // Each half's lanes one, two or three places up, round the half.
            function up1(x) -> z {
                let last := 0x000000000000000000000000ffffffff000000000000000000000000ffffffff
                z := or(and(shl(32, x), not(last)), and(shr(96, x), last))
            }
            function up2(x) -> z {
                let last := 0x0000000000000000ffffffffffffffff0000000000000000ffffffffffffffff
                z := or(shl(64, and(x, last)), and(shr(64, x), last))
            }
            function up3(x) -> z {
                let last := 0x00000000ffffffffffffffffffffffff00000000ffffffffffffffffffffffff
                z := or(and(shl(96, x), not(last)), and(shr(32, x), last))
            }

            let upper := swap(key)
            let lower := and(upper, sub(shl(128, 1), 1))
            upper := mul(shr(128, upper), HALVES)
            lower := mul(lower, HALVES)
            // The block counter is the first lane of the last row; the other three are the nonce.
            let counter := add(mul(shl(100, chunk), HALVES), shl(96, 1))
            let end := add(stream, 1056)
            for { let at := add(stream, 32) } lt(at, end) { at := add(at, 128) } {
                let a := CONSTANTS
                let b := upper
                let c := lower
                let d := counter
                for { let turn := 0 } lt(turn, 10) { turn := add(turn, 1) } {
                    a, b, c, d := quarter(a, b, c, d)
                    a, b, c, d := quarter(a, up1(b), up2(c), up3(d))
                    b := up3(b)
                    c := up2(c)
                    d := up1(d)
                }
                a := swap(plus(a, CONSTANTS))
                b := swap(plus(b, upper))
                c := swap(plus(c, lower))
                d := swap(plus(d, counter))
                mstore(at, or(shl(128, shr(128, a)), shr(128, b)))
                mstore(add(at, 32), or(shl(128, shr(128, c)), shr(128, d)))
                mstore(add(at, 64), or(shl(128, a), and(b, sub(shl(128, 1), 1))))
                mstore(add(at, 96), or(shl(128, c), and(d, sub(shl(128, 1), 1))))
                counter := add(counter, mul(shl(97, 1), HALVES))
            }
            if negated {
                for { let at := add(stream, 32) } lt(at, end) { at := add(at, 32) } {
                    mstore(at, plus(not(mload(at)), ONES))
                }
            }
        }
    }
}
