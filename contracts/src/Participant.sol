// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Position} from "./TaskTypes.sol";

/// @notice A participant: one word (low to high). Openings and epochs count from 1, so 0 is never.
struct Participant {
    bool enrolled; //            8
    Position position; //       16
    uint32 generation; //       32  commits so far, kept for ever: a node restored from an old backup notices
    uint32 readyEpoch; //       32  joined for the first opening of this epoch
    uint32 readyOpening; //     32  has keys for this opening
    uint32 keptOpening; //      32  was eligible in this one when it advertised for the next
    uint32 committedOpening; // 32  committed in this one
}

/// @notice A participant as it is stored.
type ParticipantWord is uint256;

/// @notice What is kept of an account: two words.
struct Record {
    ParticipantWord participant;
    bytes32 commitment; // keccak256 of what it committed last, bound to chain, task, round, attempt and account
}

using ParticipantCodec for Participant global;
using ParticipantCodec for ParticipantWord global;

/// @title Between the fields and the word: one load, one store.
library ParticipantCodec {
    uint256 private constant _FIELD = type(uint32).max;

    /// @notice The fields of a stored word.
    function unpack(ParticipantWord word) internal pure returns (Participant memory who) {
        uint256 bits = ParticipantWord.unwrap(word);
        who.enrolled = uint8(bits) != 0;
        who.position = Position.wrap(uint16(bits >> 8));
        who.generation = uint32(bits >> 24);
        who.readyEpoch = uint32(bits >> 56);
        who.readyOpening = uint32(bits >> 88);
        who.keptOpening = uint32(bits >> 120);
        who.committedOpening = uint32(bits >> 152);
    }

    /// @notice The word that holds the fields.
    function pack(Participant memory who) internal pure returns (ParticipantWord) {
        uint256 bits = (who.enrolled ? 1 : 0) | (uint256(Position.unwrap(who.position)) << 8);
        bits |= (uint256(who.generation) << 24) | (uint256(who.readyEpoch) << 56);
        bits |= (uint256(who.readyOpening) << 88) | (uint256(who.keptOpening) << 120);
        return ParticipantWord.wrap(bits | (uint256(who.committedOpening) << 152));
    }

    /// @notice Whether the participant acts in `opening`: it sent keys for it, or joined for the epoch that it begins.
    /// Having sent the next opening's keys meanwhile changes nothing.
    /// @param fresh the epoch that `opening` begins, 0 where it begins none.
    function isEligible(ParticipantWord word, uint32 opening, uint32 fresh) internal pure returns (bool) {
        uint256 bits = ParticipantWord.unwrap(word);
        if (uint8(bits) == 0 || opening == 0) return false;
        if (uint32(bits >> 88) == opening || uint32(bits >> 120) == opening) return true;
        if (uint32(bits >> 152) == opening) return true;
        return fresh != 0 && uint32(bits >> 56) == fresh;
    }

    /// @notice As the field of the same name.
    function position(ParticipantWord word) internal pure returns (Position) {
        return Position.wrap(uint16(ParticipantWord.unwrap(word) >> 8));
    }

    /// @notice The commit counter that comes next.
    function nextGeneration(ParticipantWord word) internal pure returns (uint256) {
        unchecked {
            return uint256(uint32(ParticipantWord.unwrap(word) >> 24)) + 1;
        }
    }

    /// @notice Whether the participant has keys for the opening after `opening`.
    function isReadyAfter(ParticipantWord word, uint32 opening) internal pure returns (bool) {
        unchecked {
            return uint32(ParticipantWord.unwrap(word) >> 88) == uint256(opening) + 1;
        }
    }

    /// @notice As the field of the same name.
    function committedOpening(ParticipantWord word) internal pure returns (uint32) {
        return uint32(ParticipantWord.unwrap(word) >> 152);
    }

    /// @notice With a commit in `opening`, so with keys for the next one, and this commit counter.
    function plusCommit(ParticipantWord word, uint32 opening, uint32 counter) internal pure returns (ParticipantWord) {
        uint256 changed = (type(uint256).max << 152) | (_FIELD << 88) | (_FIELD << 24);
        uint256 kept = ParticipantWord.unwrap(word) & ~changed;
        unchecked {
            uint256 ready = (uint256(opening) + 1) << 88;
            return ParticipantWord.wrap(kept | (uint256(opening) << 152) | ready | (uint256(counter) << 24));
        }
    }
}
