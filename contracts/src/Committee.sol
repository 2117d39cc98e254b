// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Bitmap} from "./Bitmap.sol";
import {ParticipantWord} from "./Participant.sol";
import {Shuffle} from "./Shuffle.sol";
import {Slot} from "./Slot.sol";
import {TaskState} from "./TaskState.sol";
import {Position} from "./TaskTypes.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @title The committee: all who are eligible up to 32, else about 32 of them by the epoch's draw.
abstract contract Committee is TaskState {
    using Bitmap for bytes;

    uint16 internal constant COMMITTEE_MAX = 32;

    bytes32 private constant SURVIVORS_TYPE =
        keccak256("Survivors(uint32 round,uint16 attempt,bytes survivors,bytes disputes)");
    bytes32 private constant ATTESTATION_TYPE = keccak256("Attestation(uint32 round,uint16 attempt,bytes32 proposal)");

    /// @dev What committee members sign (EIP-712) to freeze a round's survivors.
    function _survivorsDigest(Slot memory state, bytes calldata survivors, bytes calldata disputes)
        internal
        view
        returns (bytes32)
    {
        return _hashTypedDataV4(
            keccak256(abi.encode(SURVIVORS_TYPE, state.round, state.attempt, keccak256(survivors), keccak256(disputes)))
        );
    }

    /// @dev What committee members sign (EIP-712) to attest a proposal.
    function _attestationDigest(Slot memory state, bytes32 hash) internal view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(ATTESTATION_TYPE, state.round, state.attempt, hash)));
    }

    /// @dev floor(2 L / 3) + 1 of a committee of L.
    function _threshold(uint16 eligible) internal pure returns (uint256) {
        uint256 members = eligible < COMMITTEE_MAX ? eligible : COMMITTEE_MAX;
        return (2 * members) / 3 + 1;
    }

    /// @dev Reverts unless a quorum of committee members signed `digest`; the loop is over the signers, whom the caller pays for.
    /// @return signers the bitmap of their seats.
    function _requireQuorum(Slot memory state, bytes32 digest, Position[] calldata positions, bytes calldata signatures)
        internal
        view
        returns (bytes memory signers)
    {
        uint256 need = _threshold(state.eligible);
        if (positions.length < need) revert TooFewSignatures(positions.length, need);
        if (signatures.length != 65 * positions.length) revert SignaturesMismatch(positions.length, signatures.length);
        signers = Bitmap.empty(state.domain);
        (uint32 opening, uint32 fresh) = (state.opening, state.freshEpoch());
        uint256 next = 0;
        for (uint256 i = 0; i < positions.length; ++i) {
            uint256 seat = Position.unwrap(positions[i]);
            if (seat < next) revert SignersNotAscending(positions[i]);
            address signer = _recover(digest, signatures, i);
            ParticipantWord word = _records[signer].participant;
            bool isMember = Position.unwrap(word.position()) == seat && word.isEligible(opening, fresh);
            if (!isMember || !_isDrawn(seat, state)) revert NotCommitteeMember(positions[i], signer);
            signers.add(seat);
            next = seat + 1;
        }
    }

    /// @dev Who made the i-th signature; zero, which is no participant, where it is malformed.
    function _recover(bytes32 digest, bytes calldata signatures, uint256 i) private pure returns (address signer) {
        bytes32 r;
        bytes32 s;
        uint8 v;
        assembly ("memory-safe") {
            let start := add(signatures.offset, mul(65, i)) // inside: the caller checked the length
            r := calldataload(start)
            s := calldataload(add(start, 32))
            v := byte(0, calldataload(add(start, 64)))
        }
        (signer,,) = ECDSA.tryRecover(digest, v, r, s);
    }

    /// @dev Whether the epoch's draw puts an eligible seat on the committee: all up to 32, else about 32 of them, however
    /// many of the seats that were ever given are empty.
    function _isDrawn(uint256 seat, Slot memory state) private view returns (bool) {
        if (state.eligible <= COMMITTEE_MAX) return true;
        return Shuffle.place(_epochSeed, seat, state.domain) * state.eligible < COMMITTEE_MAX * uint256(state.domain);
    }
}
