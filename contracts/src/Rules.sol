// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Law} from "./TaskTypes.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title The server rules on one chunk: 256 big-endian int32 lanes, the same bits as Python makes of them.
/// @notice docs/rules.md has the formulas. A rule is two steps, each of which can be judged alone: from the state and the
/// sum to the new state, and from the model and the new state to the new model (FedAvg: from model and sum).
/// @dev Divisions round to nearest, halves up: floor((2 a + b) / (2 b)). The EVM's truncate: 2^72 divisors are added to
/// the dividend, which makes it positive, and 2^72 is taken off the quotient. Nothing comes near 2^256 under a law that
/// follows from valid terms: serverLr <= 2^24, scaleBits and updateBits <= 30, beta1 < 2^16, 2^15 <= beta2 < 2^16,
/// 1 <= tau < 2^31, maxValue >= 1; the results are of no use under any other. Loops go from the last lane to the first,
/// since a lane is written as the low end of a word whose high end falls on lanes that are still to be written.
library Rules {
    uint256 internal constant CHUNK = 1024;

    uint8 internal constant FEDAVG = 0;
    uint8 internal constant FEDAVGM = 1;
    uint8 internal constant FEDADAM = 2;
    uint8 internal constant FEDYOGI = 3;

    /// @notice How many lanes of state the rule keeps of a lane of the model.
    function stateLanes(uint8 rule) internal pure returns (uint256) {
        return rule < FEDADAM ? rule : 2;
    }

    /// @notice The new model's chunk.
    /// @param weight of the sum, below 2^64; 0 changes nothing.
    /// @param old the model's chunk.
    /// @param from the new state's chunks, one after the other; FedAvg: the sum's chunk; nothing where the weight is 0.
    function model(Law memory law, uint256 weight, bytes calldata old, bytes calldata from)
        internal
        pure
        returns (bytes memory)
    {
        if (weight == 0) return old;
        unchecked {
            uint256 over = uint256(law.serverLr) << law.scaleBits;
            if (law.rule >= FEDADAM) return _divided(old, from, over, law.tau);
            uint256 under = law.rule == FEDAVG ? weight << law.updateBits : 1 << (law.updateBits + _shift(law.maxValue));
            return _moved(old, from, over, under << 16);
        }
    }

    /// @notice The chunk of the state's first lane: the momentum.
    /// @param weight of the sum, below 2^64; 0 changes nothing.
    /// @param kept the state's chunk of this lane.
    /// @param sum the sum's chunk; nothing where the weight is 0.
    function momentum(Law memory law, uint256 weight, bytes calldata kept, bytes calldata sum)
        internal
        pure
        returns (bytes memory)
    {
        if (weight == 0) return kept;
        unchecked {
            uint256 takes = law.rule == FEDAVGM ? 65536 : 65536 - law.beta1;
            return _decayed(kept, sum, law.beta1, takes, weight, _shift(law.maxValue));
        }
    }

    /// @notice The chunk of the state's second lane: the root of the second moment, less tau.
    /// @param weight of the sum, below 2^64; 0 changes nothing.
    /// @param kept the state's chunk of this lane.
    /// @param sum the sum's chunk; nothing where the weight is 0.
    function root(Law memory law, uint256 weight, bytes calldata kept, bytes calldata sum)
        internal
        pure
        returns (bytes memory)
    {
        if (weight == 0) return kept;
        unchecked {
            uint256 keeps = law.rule == FEDADAM ? law.beta2 : 65536;
            uint256 takes = law.rule <= FEDYOGI ? 65536 - law.beta2 : 65536;
            bool isSigned = law.rule == FEDYOGI;
            uint256 shift = _shift(law.maxValue);
            Moment memory rule = Moment(keeps, takes, isSigned, law.tau, weight, shift, _guess(keeps), _guess(takes));
            return _rooted(kept, sum, rule);
        }
    }

    /// @dev saturated(old + round_div(by * over, under)) of each lane.
    function _moved(bytes calldata old, bytes calldata by, uint256 over, uint256 under)
        private
        pure
        returns (bytes memory made)
    {
        made = new bytes(CHUNK);
        assembly ("memory-safe") {
            let lift := add(under, shl(73, under))
            over := shl(1, over)
            under := shl(1, under)
            for { let i := 0x400 } i {} {
                i := sub(i, 4)
                let lane := div(add(mul(sar(224, calldataload(add(by.offset, i))), over), lift), under)
                lane := add(sar(224, calldataload(add(old.offset, i))), sub(lane, 0x1000000000000000000))
                if shr(32, add(lane, 0x80000000)) { lane := xor(0x7fffffff, sar(255, lane)) }
                mstore(add(add(made, 4), i), lane)
            }
            mstore(made, 0x400)
        }
    }

    /// @dev saturated(old + round_div(m * over, 65536 * (r + tau))) of each lane; `from` has the chunks of m, and of
    /// r - tau.
    function _divided(bytes calldata old, bytes calldata from, uint256 over, uint256 tau)
        private
        pure
        returns (bytes memory made)
    {
        made = new bytes(CHUNK);
        assembly ("memory-safe") {
            over := shl(1, over)
            for { let i := 0x400 } i {} {
                i := sub(i, 4)
                let at := add(from.offset, i)
                let half := and(add(shr(224, calldataload(add(at, 0x400))), tau), 0x7fffffff)
                half := shl(16, add(half, tau))
                // The dividend's lift is 2^72 divisors and a half.
                let lane := add(mul(sar(224, calldataload(at)), over), mul(half, 0x2000000000000000001))
                lane := sub(div(lane, shl(1, half)), 0x1000000000000000000)
                lane := add(sar(224, calldataload(add(old.offset, i))), lane)
                if shr(32, add(lane, 0x80000000)) { lane := xor(0x7fffffff, sar(255, lane)) }
                mstore(add(add(made, 4), i), lane)
            }
            mstore(made, 0x400)
        }
    }

    /// @dev saturated(round_div(keeps * m + takes * mean, 65536)) of each lane. Where `takes` is 65536 the mean is added
    /// whole; where both are shares of 65536 nothing ever saturates.
    function _decayed(
        bytes calldata kept,
        bytes calldata sum,
        uint256 keeps,
        uint256 takes,
        uint256 weight,
        uint256 shift
    ) private pure returns (bytes memory made) {
        made = new bytes(CHUNK);
        assembly ("memory-safe") {
            let under := shl(1, weight)
            let lift := add(weight, shl(72, under))
            shift := add(shift, 1)
            for { let i := 0x400 } i {} {
                i := sub(i, 4)
                // mean = round_div(sum * 2^shift, weight) modulo 2^32, which 2^72 leaves as it is.
                let lane := div(add(shl(shift, sar(224, calldataload(add(sum.offset, i)))), lift), under)
                lane := mul(signextend(3, lane), takes)
                lane := sar(16, add(add(mul(sar(224, calldataload(add(kept.offset, i))), keeps), 0x8000), lane))
                if shr(32, add(lane, 0x80000000)) { lane := xor(0x7fffffff, sar(255, lane)) }
                mstore(add(add(made, 4), i), lane)
            }
            mstore(made, 0x400)
        }
    }

    /// @dev How a second moment goes on: v' = floor((keeps * v + takes * mean^2) / 65536), the square with the sign of
    /// mean^2 - v where `isSigned`.
    struct Moment {
        uint256 keeps;
        uint256 takes;
        bool isSigned;
        uint256 tau;
        uint256 weight;
        uint256 shift;
        uint256 guessKeeps; // roots of both shares, as a guess takes them, in units of 2^-36
        uint256 guessTakes;
    }

    /// @dev min(round(sqrt(v')), 2^31 - 1) - tau of each lane, where v is the square of (lane + tau) modulo 2^31.
    /// Newton's method starts within 21% of the root, since (a + b) / sqrt(2) <= sqrt(a^2 + b^2) <= a + b: 0.8536 (a + b)
    /// is half-way. Where FedYogi's moment shrinks, by half at most, b is left out. Four steps leave 2^-53 of the root:
    /// the last is the root rounded down or, where that is nearer, one more.
    function _rooted(bytes calldata kept, bytes calldata sum, Moment memory rule)
        private
        pure
        returns (bytes memory made)
    {
        made = new bytes(CHUNK);
        assembly ("memory-safe") {
            let keeps := mload(rule)
            let takes := mload(add(rule, 0x20))
            let isSigned := mload(add(rule, 0x40))
            let tau := mload(add(rule, 0x60))
            let weight := mload(add(rule, 0x80))
            let shift := add(mload(add(rule, 0xa0)), 1)
            let guessKeeps := mload(add(rule, 0xc0))
            let guessTakes := mload(add(rule, 0xe0))
            let lift := mul(weight, 0x2000000000000000001)
            for { let i := 0x400 } i {} {
                i := sub(i, 4)
                let square := div(add(shl(shift, sar(224, calldataload(add(sum.offset, i)))), lift), shl(1, weight))
                square := signextend(3, square)
                let sign := sar(255, square)
                let guess := mul(sub(xor(square, sign), sign), guessTakes)
                square := mul(square, square)
                let r := and(add(shr(224, calldataload(add(kept.offset, i))), tau), 0x7fffffff)
                let v := mul(r, r)
                if isSigned {
                    if iszero(gt(square, v)) {
                        square := mul(sub(0, lt(square, v)), square)
                        guess := 0
                    }
                }
                v := shr(16, add(mul(v, keeps), mul(square, takes)))
                r := shr(36, add(mul(r, guessKeeps), guess))
                r := shr(1, add(div(v, r), r))
                r := shr(1, add(div(v, r), r))
                r := shr(1, add(div(v, r), r))
                r := shr(1, add(div(v, r), r))
                // Below 2^32, since both squares are at most 2^62.
                mstore(add(add(made, 4), i), add(sgt(sub(v, mul(r, r)), r), r))
            }
            mstore(made, 0x400)
            // Eight lanes at a time: those above 2^31 - 1 become that, and tau is taken off. A lane's top bit, set before
            // the subtraction, keeps it from borrowing of the next lane, and is flipped after it.
            let tops := 0x8000000080000000800000008000000080000000800000008000000080000000
            let taus := mul(tau, 0x0000000100000001000000010000000100000001000000010000000100000001)
            for { let at := add(made, 0x400) } gt(at, made) { at := sub(at, 0x20) } {
                let word := mload(at)
                word := or(word, mul(shr(31, and(word, tops)), 0x7fffffff))
                mstore(at, xor(sub(or(word, tops), taus), tops))
            }
        }
    }

    /// @dev Fractional bits of the state beyond those of an update: as many as keep maxValue below 2^28.
    function _shift(uint256 maxValue) private pure returns (uint256 shift) {
        for (shift = 28; maxValue != 0; maxValue >>= 1) {
            --shift;
        }
    }

    /// @dev 0.8536 times the root of a share, which is at most 65536, in units of 2^-36.
    function _guess(uint256 share) private pure returns (uint256) {
        return (Math.sqrt(share << 56) * 55945) >> 16;
    }
}
