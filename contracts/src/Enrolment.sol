// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CloneSettings} from "./CloneSettings.sol";
import {Membership} from "./Membership.sol";
import {Committing, Participant} from "./Participant.sol";
import {Slot} from "./Slot.sol";
import {TaskFlow} from "./TaskFlow.sol";
import {Book, Phase, Position, Seat, Settings} from "./TaskTypes.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @title Joining, leaving, sending keys for the next opening, and the stake that follows.
abstract contract Enrolment is TaskFlow, Membership {
    bytes32 private constant JOIN_TYPE = keccak256(
        "Join(address participant,bytes32 consent,bytes32 maskKey,bytes32 boxKey,uint16 nonce,uint32 deadline)"
    );

    /// @notice Takes a seat and locks the terms' stake. The keys serve the first opening of the next epoch to be drawn.
    /// @param consent the terms' digest: the caller read and accepts them.
    /// @param maskKey X25519 public key for mask seeds.
    /// @param boxKey X25519 public key for sealed shares.
    function join(bytes32 consent, bytes32 maskKey, bytes32 boxKey) external {
        _join(_msgSender(), consent, maskKey, boxKey);
    }

    /// @notice As `join`, for whoever signed (EIP-712) and whose free stake suffices; anyone may send it.
    /// @param nonce how often the participant joined so far.
    /// @param deadline the last second in which the signature counts.
    /// @param signature 65 bytes: r, s, v.
    function joinBySig(
        address account,
        bytes32 consent,
        bytes32 maskKey,
        bytes32 boxKey,
        uint16 nonce,
        uint32 deadline,
        bytes calldata signature
    ) external {
        if (block.timestamp > deadline) revert SignatureExpired(deadline);
        uint16 joins = _records[account].participant.unpack().joins;
        if (nonce != joins) revert WrongNonce(nonce, joins);
        bytes32 digest =
            _hashTypedDataV4(keccak256(abi.encode(JOIN_TYPE, account, consent, maskKey, boxKey, nonce, deadline)));
        (address signer,,) = ECDSA.tryRecoverCalldata(digest, signature);
        if (signer != account) revert WrongSigner(signer, account);
        _join(account, consent, maskKey, boxKey);
    }

    /// @notice Gives up the seat, at any time but in a round that the caller committed in. The stake thaws: it stays
    /// slashable, and can be collected when `unbondSeconds` have passed.
    function leaveTask() external {
        address account = _msgSender();
        Slot memory state = _slot.unpack();
        if (state.phase == Phase.PAUSED) revert TaskIsPaused();
        Participant memory who = _requireEnrolled(account);
        if (_isBound(account, state)) revert StillBound(account, state.opening);

        who.thawAt = _clock() + CloneSettings.params().unbondSeconds;
        _freeSeat(who.position);
        emit ParticipantLeft(account, who.position, who.thawAt);
        _unseat(account, who, state);
        _slot = state.pack();
    }

    /// @notice Releases the stake of an account that left `unbondSeconds` ago, and its bond. Anyone may call. Pauses do
    /// not count, as they do not in the windows that stakes must outlast.
    function collectStake(address account) external {
        Participant memory who = _records[account].participant.unpack();
        if (who.thawAt == 0) revert NothingToCollect(account);
        if (_clock() < who.thawAt) revert StakeIsThawing(account, who.thawAt);
        uint128 amount = _atStake(who);
        who.thawAt = 0;
        who.bonded = false;
        _records[account].participant = who.pack();
        emit StakeCollected(account, amount);
        VAULT.release(account, amount);
    }

    /// @notice Sends keys for the next opening: the way back for whoever did not commit in this one.
    /// @param maskKey X25519 public key for mask seeds.
    /// @param boxKey X25519 public key for sealed shares.
    function advertise(bytes32 maskKey, bytes32 boxKey) external {
        address account = _msgSender();
        Slot memory state = _slot.unpack();
        _requireRunning(state);
        Participant memory who = _requireEnrolled(account);
        uint32 next = state.opening + 1;
        if (who.readyEpoch == state.epoch + 1 || _isReady(account, who, state)) revert AlreadyReady(account, next);
        (bool eligible,) = _eligible(account, state.opening, state.freshEpoch());
        if (eligible && state.phase == Phase.COMMIT) revert MayStillCommit(account, state.opening);

        if (eligible) who.keptOpening = state.opening;
        who.readyOpening = next;
        _records[account].participant = who.pack();
        ++state.ready;
        emit KeysAdvertised(account, who.position, next, maskKey, boxKey);
        _endEnrolmentWhenFull(state, CloneSettings.params());
        _slot = state.pack();
    }

    function _join(address account, bytes32 consent, bytes32 maskKey, bytes32 boxKey) private {
        Slot memory state = _slot.unpack();
        _requireRunning(state);
        Settings memory terms = CloneSettings.fetch();
        if (consent != terms.terms) revert WrongConsent(consent, terms.terms);
        if (!terms.params.open && !_admitted[account]) revert NotAdmitted(account);
        Participant memory who = _records[account].participant.unpack();
        if (who.enrolled) revert AlreadyJoined(account, who.position);

        bool thawing = who.thawAt != 0;
        _takeSeat(account, who, terms.params.maxParticipants);
        who.enrolled = true;
        who.thawAt = 0;
        who.readyEpoch = state.epoch + 1;
        ++who.joins;
        _records[account].participant = who.pack();
        ++state.waiting;
        emit ParticipantJoined(account, who.position, who.payee, who.readyEpoch, maskKey, boxKey, consent);
        _endEnrolmentWhenFull(state, terms.params);
        _slot = state.pack();

        if (!thawing) VAULT.lock(account, terms.params.stake);
    }

    /// @dev Committers stay until the round is over.
    function _isBound(address account, Slot memory state) private view returns (bool) {
        if (state.phase < Phase.COMMIT || state.phase > Phase.ATTEST) return false;
        Committing memory made = _records[account].committing.unpack();
        return made.seat != 0 && made.opening == state.opening;
    }

    function _requireEnrolled(address account) private view returns (Participant memory who) {
        who = _records[account].participant.unpack();
        if (!who.enrolled) revert NotEnrolled(account);
    }

    /// @dev The seat freed last, else a new one; and a payee's number to whoever has none.
    function _takeSeat(address account, Participant memory who, uint16 most) private {
        Book memory book = _book;
        if (book.freeSeat != 0) {
            who.position = Position.wrap(book.freeSeat - 1);
            book.freeSeat = _seats[who.position].nextFree;
        } else {
            if (book.seats == most) revert TaskFull(most);
            who.position = Position.wrap(book.seats);
            ++book.seats;
        }
        if (who.payee == 0) {
            if (book.payees == type(uint16).max) revert TaskFull(book.payees);
            who.payee = ++book.payees;
        }
        _book = book;
        _seats[who.position] = Seat(account, 0);
    }

    function _freeSeat(Position position) private {
        _seats[position] = Seat(address(0), _book.freeSeat);
        _book.freeSeat = Position.unwrap(position) + 1;
    }
}
