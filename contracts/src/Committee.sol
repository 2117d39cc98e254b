// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Bitmap} from "./Bitmap.sol";
import {Shuffle} from "./Shuffle.sol";
import {Signatures} from "./Signatures.sol";
import {Slot} from "./Slot.sol";
import {TaskState} from "./TaskState.sol";

/// @title The committee: all who are eligible up to 32, else about 32 of them by the epoch's draw.
abstract contract Committee is TaskState {
    using Bitmap for bytes;

    uint16 internal constant COMMITTEE_MAX = 32;

    bytes32 private constant SURVIVORS_TYPE =
        keccak256("Survivors(uint32 round,uint16 attempt,uint32 opening,bytes survivors,bytes disputes)");
    bytes32 private constant ATTESTATION_TYPE = keccak256("Attestation(uint32 round,uint16 attempt,bytes32 proposal)");

    /// @dev What committee members sign (EIP-712) to freeze a round's survivors.
    function _survivorsDigest(Slot memory state, bytes calldata survivors, bytes calldata disputes)
        internal
        view
        returns (bytes32)
    {
        return _hashTypedDataV4(
            keccak256(
                abi.encode(
                    SURVIVORS_TYPE, state.round, state.attempt, state.opening, keccak256(survivors), keccak256(disputes)
                )
            )
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

    /// @dev Reverts unless a quorum of committee members signed `digest`, in ascending order of their seats; the loop is
    /// over the signers, whom the caller pays for.
    /// @return signers the bitmap of their seats.
    function _requireQuorum(Slot memory state, bytes32 digest, bytes calldata signatures)
        internal
        view
        returns (bytes memory signers)
    {
        uint256 count = signatures.length / 65;
        if (signatures.length % 65 != 0) revert SignaturesMismatch(count, signatures.length);
        uint256 need = _threshold(state.eligible);
        if (count < need) revert TooFewSignatures(count, need);
        signers = Bitmap.empty(state.domain);
        (uint32 opening, uint32 fresh) = (state.opening, state.freshEpoch());
        bool everybody = state.eligible <= COMMITTEE_MAX;
        uint256 next = 0;
        unchecked {
            for (uint256 i = 0; i < count; ++i) {
                address signer = Signatures.recover(digest, signatures, i);
                (bool eligible, uint256 seat) = _eligible(signer, opening, fresh);
                if (!eligible || !(everybody || _isDrawn(seat, state))) revert NotCommitteeMember(signer, i);
                if (seat < next) revert SignersNotAscending(seat);
                signers.add(seat);
                next = seat + 1;
            }
        }
    }

    /// @dev Whether the epoch's draw puts an eligible seat on the committee: all up to 32, else about 32 of them, however
    /// many of the seats that were ever given are empty.
    function _isDrawn(uint256 seat, Slot memory state) private view returns (bool) {
        return Shuffle.place(_epochSeed, seat, state.domain) * state.eligible < COMMITTEE_MAX * uint256(state.domain);
    }
}
