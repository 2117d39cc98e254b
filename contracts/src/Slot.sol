// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Phase} from "./TaskTypes.sol";

/// @notice The machine's state: one storage word (256 bits, low to high).
struct Slot {
    Phase phase; //        8
    uint32 deadline; //   32  when the phase may be poked on, in seconds; in DRAW the beacon's block
    uint32 round; //      32  the round under way, from 1; round - 1 are final
    uint16 attempt; //    16  the try at it, from 1
    uint32 opening; //    32  commit phases so far
    uint32 epoch; //      32  draws scheduled so far
    bool first; //         8  whether `opening` is the epoch's first
    uint16 domain; //     16  seats ever given when the epoch was scheduled: what the draws permute
    uint16 eligible; //   16  who may commit in this opening
    uint16 committed; //  16  who did; in DRAW, how many of `ready` were waiting
    uint16 ready; //      16  who has keys for the next opening
    uint16 waiting; //    16  who joined since the draw was scheduled, for the epoch after
    uint16 nextRank; //   16  the aggregator whose turn is first
}

/// @notice The state as it is stored.
type SlotWord is uint256;

using SlotCodec for Slot global;
using SlotCodec for SlotWord global;

/// @title Between the fields and the word: one load, one store, however many fields change.
library SlotCodec {
    /// @notice The fields of a stored word.
    function unpack(SlotWord word) internal pure returns (Slot memory slot) {
        uint256 bits = SlotWord.unwrap(word);
        slot.phase = Phase(uint8(bits));
        slot.deadline = uint32(bits >> 8);
        slot.round = uint32(bits >> 40);
        slot.attempt = uint16(bits >> 72);
        slot.opening = uint32(bits >> 88);
        slot.epoch = uint32(bits >> 120);
        slot.first = uint8(bits >> 152) != 0;
        slot.domain = uint16(bits >> 160);
        slot.eligible = uint16(bits >> 176);
        slot.committed = uint16(bits >> 192);
        slot.ready = uint16(bits >> 208);
        slot.waiting = uint16(bits >> 224);
        slot.nextRank = uint16(bits >> 240);
    }

    /// @notice The word that holds the fields.
    function pack(Slot memory slot) internal pure returns (SlotWord) {
        uint256 bits = uint256(uint8(slot.phase)) | (uint256(slot.deadline) << 8) | (uint256(slot.round) << 40);
        bits |= (uint256(slot.attempt) << 72) | (uint256(slot.opening) << 88) | (uint256(slot.epoch) << 120);
        bits |= (slot.first ? 1 << 152 : 0) | (uint256(slot.domain) << 160) | (uint256(slot.eligible) << 176);
        bits |= (uint256(slot.committed) << 192) | (uint256(slot.ready) << 208) | (uint256(slot.waiting) << 224);
        return SlotWord.wrap(bits | (uint256(slot.nextRank) << 240));
    }

    /// @notice The epoch whose joiners are eligible in this opening: it is the epoch's first. Else 0.
    function freshEpoch(Slot memory slot) internal pure returns (uint32) {
        return slot.first ? slot.epoch : 0;
    }

    // Commits are the many: they read and count in the word itself.

    /// @notice As the field of the same name.
    function phase(SlotWord word) internal pure returns (Phase) {
        return Phase(uint8(SlotWord.unwrap(word)));
    }

    /// @notice As the field of the same name.
    function deadline(SlotWord word) internal pure returns (uint32) {
        return uint32(SlotWord.unwrap(word) >> 8);
    }

    /// @notice As the field of the same name.
    function round(SlotWord word) internal pure returns (uint32) {
        return uint32(SlotWord.unwrap(word) >> 40);
    }

    /// @notice As the field of the same name.
    function attempt(SlotWord word) internal pure returns (uint16) {
        return uint16(SlotWord.unwrap(word) >> 72);
    }

    /// @notice As the field of the same name.
    function opening(SlotWord word) internal pure returns (uint32) {
        return uint32(SlotWord.unwrap(word) >> 88);
    }

    /// @notice As for the fields.
    function freshEpoch(SlotWord word) internal pure returns (uint32) {
        uint256 bits = SlotWord.unwrap(word);
        return uint8(bits >> 152) != 0 ? uint32(bits >> 120) : 0;
    }

    /// @notice Whether all who are eligible have committed.
    function isFull(SlotWord word) internal pure returns (bool) {
        uint256 bits = SlotWord.unwrap(word);
        return uint16(bits >> 176) == uint16(bits >> 192);
    }

    /// @notice With `count` more commits, and so as many more participants with keys for the next opening: who may still
    /// commit has sent none by themselves.
    /// @dev Neither sum passes the 1,024 seats, so none carries into the next field.
    function plusCommits(SlotWord word, uint256 count) internal pure returns (SlotWord) {
        unchecked {
            return SlotWord.wrap(SlotWord.unwrap(word) + count * ((1 << 192) + (1 << 208)));
        }
    }
}
