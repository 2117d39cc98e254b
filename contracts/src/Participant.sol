// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Position} from "./TaskTypes.sol";

/// @notice A participant: one word (low to high). Openings and epochs count from 1, so 0 is never.
struct Participant {
    bool enrolled; //         8
    bool bonded; //           8  whether an aggregator's bond is locked beside the stake
    Position position; //    16
    uint16 payee; //         16  its leaf in payout trees, kept for ever; 0 for who never joined
    uint16 joins; //         16  seats taken so far: the nonce of `joinBySig`
    uint32 readyEpoch; //    32  joined for the first opening of this epoch
    uint32 readyOpening; //  32  sent keys for this opening by themselves
    uint32 keptOpening; //   32  was eligible in this one when it sent keys for the next
    uint32 thawAt; //        32  when the stake of who left can be collected, by `clock`; 0 where none is thawing
}

/// @notice A participant as it is stored.
type ParticipantWord is uint256;

/// @notice What an account committed: one word, all that a commit reads and writes of an account that keeps up.
struct Committing {
    uint24 opening; //     24  committed last in this one, and so has keys for the next
    uint24 generation; //  24  commits so far, kept for ever: a node restored from an old backup notices
    uint16 seat; //        16  position plus one; 0 where it left or joined since
    bytes24 digest; //    192  the head of its chain of commitments (History)
}

/// @notice A committing as it is stored.
type CommittingWord is uint256;

/// @notice What is kept of an account: two words.
struct Record {
    ParticipantWord participant;
    CommittingWord committing;
}

using ParticipantCodec for Participant global;
using ParticipantCodec for ParticipantWord global;
using ParticipantCodec for Committing global;
using ParticipantCodec for CommittingWord global;

/// @title Between the fields and the words: one load, one store.
library ParticipantCodec {
    /// @notice The fields of a stored word.
    function unpack(ParticipantWord word) internal pure returns (Participant memory who) {
        uint256 bits = ParticipantWord.unwrap(word);
        who.enrolled = uint8(bits) != 0;
        who.bonded = uint8(bits >> 8) != 0;
        who.position = Position.wrap(uint16(bits >> 16));
        who.payee = uint16(bits >> 32);
        who.joins = uint16(bits >> 48);
        who.readyEpoch = uint32(bits >> 64);
        who.readyOpening = uint32(bits >> 96);
        who.keptOpening = uint32(bits >> 128);
        who.thawAt = uint32(bits >> 160);
    }

    /// @notice The word that holds the fields.
    function pack(Participant memory who) internal pure returns (ParticipantWord) {
        uint256 bits = (who.enrolled ? 1 : 0) | (who.bonded ? 1 << 8 : 0);
        bits |= (uint256(Position.unwrap(who.position)) << 16) | (uint256(who.payee) << 32);
        bits |= (uint256(who.joins) << 48) | (uint256(who.readyEpoch) << 64) | (uint256(who.readyOpening) << 96);
        return ParticipantWord.wrap(bits | (uint256(who.keptOpening) << 128) | (uint256(who.thawAt) << 160));
    }

    /// @notice The fields of a stored word.
    function unpack(CommittingWord word) internal pure returns (Committing memory made) {
        uint256 bits = CommittingWord.unwrap(word);
        made.opening = uint24(bits);
        made.generation = uint24(bits >> 24);
        made.seat = uint16(bits >> 48);
        made.digest = bytes24(bytes32(bits));
    }

    /// @notice The word of an account that committed in `opening`: the fields from low to high.
    function committed(uint256 opening, uint256 count, uint256 place, bytes24 head)
        internal
        pure
        returns (CommittingWord)
    {
        return CommittingWord.wrap(opening | (count << 24) | (place << 48) | uint256(bytes32(head)));
    }

    /// @notice Whether the last commit carried keys for `opening`, or was made in it.
    function keepsUp(CommittingWord word, uint32 opening) internal pure returns (bool) {
        unchecked {
            uint256 behind = uint256(opening) - uint24(CommittingWord.unwrap(word));
            return behind < 2 && seat(word) != 0;
        }
    }

    /// @notice As the field of the same name.
    function lastOpening(CommittingWord word) internal pure returns (uint256) {
        return uint24(CommittingWord.unwrap(word));
    }

    /// @notice As the field of the same name.
    function generation(CommittingWord word) internal pure returns (uint256) {
        return uint24(CommittingWord.unwrap(word) >> 24);
    }

    /// @notice As the field of the same name.
    function seat(CommittingWord word) internal pure returns (uint16) {
        return uint16(CommittingWord.unwrap(word) >> 48);
    }

    /// @notice As the field of the same name.
    function digest(CommittingWord word) internal pure returns (bytes24) {
        return bytes24(bytes32(CommittingWord.unwrap(word)));
    }

    /// @notice Whether the account has keys for `opening` beside what it committed: sent by themselves, or at join for
    /// the epoch that this opening begins.
    /// @param fresh the epoch that `opening` begins, 0 where it begins none.
    function hasKeys(ParticipantWord word, uint32 opening, uint32 fresh) internal pure returns (bool) {
        uint256 bits = ParticipantWord.unwrap(word);
        if (uint8(bits) == 0 || opening == 0) return false;
        if (uint32(bits >> 96) == opening || uint32(bits >> 128) == opening) return true;
        return fresh != 0 && uint32(bits >> 64) == fresh;
    }

    /// @notice As the field of the same name.
    function position(ParticipantWord word) internal pure returns (Position) {
        return Position.wrap(uint16(ParticipantWord.unwrap(word) >> 16));
    }

    /// @notice Without a seat: its account left.
    function unseated(CommittingWord word) internal pure returns (CommittingWord) {
        return CommittingWord.wrap(CommittingWord.unwrap(word) & ~(uint256(type(uint16).max) << 48));
    }
}
