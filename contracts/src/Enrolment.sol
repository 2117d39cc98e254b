// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CloneSettings} from "./CloneSettings.sol";
import {Participant, ParticipantWord} from "./Participant.sol";
import {Slot} from "./Slot.sol";
import {TaskFlow} from "./TaskFlow.sol";
import {Book, Phase, Position, Seat, Settings} from "./TaskTypes.sol";

/// @title Joining, leaving, and sending keys for the next opening.
abstract contract Enrolment is TaskFlow {
    /// @notice Takes a seat and locks the terms' stake. The keys serve the first opening of the next epoch to be drawn.
    /// @param consent the terms' digest: the caller read and accepts them.
    /// @param maskKey X25519 public key for mask seeds.
    /// @param boxKey X25519 public key for sealed shares.
    function join(bytes32 consent, bytes32 maskKey, bytes32 boxKey) external {
        Slot memory state = _slot.unpack();
        if (state.phase == Phase.ENDED) revert TaskIsOver();
        Settings memory terms = CloneSettings.fetch();
        if (consent != terms.terms) revert WrongConsent(consent, terms.terms);
        Participant memory who = _records[msg.sender].participant.unpack();
        if (who.enrolled) revert AlreadyJoined(msg.sender, who.position);

        who.enrolled = true;
        who.position = _takeSeat(terms.params.maxParticipants);
        who.readyEpoch = state.epoch + 1;
        _records[msg.sender].participant = who.pack();
        ++state.waiting;
        emit ParticipantJoined(msg.sender, who.position, who.readyEpoch, maskKey, boxKey, consent);
        _endEnrolmentWhenFull(state, terms.params);
        _slot = state.pack();

        VAULT.lock(msg.sender, terms.params.stake);
    }

    /// @notice Gives up the seat and releases the stake: at any time outside a round, and within one unless the caller
    /// committed or proposed in it.
    function leaveTask() external {
        Slot memory state = _slot.unpack();
        Participant memory who = _records[msg.sender].participant.unpack();
        if (!who.enrolled) revert NotEnrolled(msg.sender);
        if (_isBound(who, state)) revert StillBound(msg.sender, state.opening);

        if (who.readyEpoch == state.epoch + 1) --state.waiting;
        else if (_isReady(who, state)) --state.ready;
        _slot = state.pack();
        _records[msg.sender].participant = Participant(false, Position.wrap(0), who.generation, 0, 0, 0, 0).pack();
        _freeSeat(who.position);
        emit ParticipantLeft(msg.sender, who.position);

        VAULT.release(msg.sender, CloneSettings.fetch().params.stake);
    }

    /// @notice Sends keys for the next opening: for a participant that did not commit in this one.
    /// @param maskKey X25519 public key for mask seeds.
    /// @param boxKey X25519 public key for sealed shares.
    function advertise(bytes32 maskKey, bytes32 boxKey) external {
        Slot memory state = _slot.unpack();
        if (state.phase == Phase.ENDED) revert TaskIsOver();
        ParticipantWord word = _records[msg.sender].participant;
        Participant memory who = word.unpack();
        if (!who.enrolled) revert NotEnrolled(msg.sender);
        uint32 next = state.opening + 1;
        if (who.readyEpoch == state.epoch + 1 || _isReady(who, state)) revert AlreadyReady(msg.sender, next);

        if (word.isEligible(state.opening, state.freshEpoch())) who.keptOpening = state.opening;
        who.readyOpening = next;
        _records[msg.sender].participant = who.pack();
        ++state.ready;
        emit KeysAdvertised(msg.sender, who.position, next, maskKey, boxKey);
        _endEnrolmentWhenFull(state, CloneSettings.fetch().params);
        _slot = state.pack();
    }

    /// @dev Whether `who` is counted in `ready`.
    function _isReady(Participant memory who, Slot memory state) internal pure returns (bool) {
        return who.readyOpening == state.opening + 1 || (state.phase == Phase.DRAW && who.readyEpoch == state.epoch);
    }

    /// @dev Committers stay until the round is over, and so does the author of a pending proposal.
    function _isBound(Participant memory who, Slot memory state) private view returns (bool) {
        if (state.phase < Phase.COMMIT || state.phase > Phase.ATTEST) return false;
        if (who.committedOpening == state.opening) return true;
        return state.phase == Phase.ATTEST && Position.unwrap(who.position) == _book.proposer;
    }

    /// @dev The seat freed last, else a new one.
    function _takeSeat(uint16 most) private returns (Position position) {
        Book memory book = _book;
        if (book.freeSeat != 0) {
            position = Position.wrap(book.freeSeat - 1);
            book.freeSeat = _seats[position].nextFree;
        } else {
            if (book.seats == most) revert TaskFull(most);
            position = Position.wrap(book.seats);
            ++book.seats;
        }
        _book = book;
        _seats[position] = Seat(msg.sender, 0);
    }

    function _freeSeat(Position position) private {
        _seats[position] = Seat(address(0), _book.freeSeat);
        _book.freeSeat = Position.unwrap(position) + 1;
    }

    function _proposer() internal view override returns (address) {
        return _seats[Position.wrap(_book.proposer)].member;
    }
}
