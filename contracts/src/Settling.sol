// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CloneSettings} from "./CloneSettings.sol";
import {Committee} from "./Committee.sol";
import {Slot, SlotWord} from "./Slot.sol";
import {TaskFlow} from "./TaskFlow.sol";
import {TaskCourt} from "./TaskState.sol";
import {Claim, Finality, Params, Phase} from "./TaskTypes.sol";

/// @title Making proposals final: by a quorum's signatures, or by a window in which nobody refuted them.
abstract contract Settling is TaskFlow, Committee {
    /// @notice FAST: makes the proposal final with a quorum's signatures, and opens what follows.
    /// @param signatures 65 bytes a signer (r, s, v), in ascending order of the signers' seats.
    function finalize(bytes calldata signatures) external {
        Slot memory state = _slot.unpack();
        _requirePhase(state, Phase.ATTEST);
        if (block.timestamp >= state.deadline) revert TooLate(state.phase, state.deadline);
        Params memory params = CloneSettings.params();
        if (params.finality != Finality.FAST) revert WrongFinality(params.finality);
        bytes32 name = _heads[state.round & 1];
        bytes memory signers = _requireQuorum(state, _attestationDigest(state, name), signatures);

        emit RoundFinalized(state.round, state.attempt, name, signers);
        ++state.round; // from here the proposal stands
        _advance(state, params);
        _slot = state.pack();
    }

    /// @notice OPTIMISTIC: makes a proposal and all before it final, its window having passed with no demand open.
    /// Anyone may call.
    /// @param before the name of the proposal before it.
    /// @param claim the proposal.
    /// @param later hashes of the claims after it.
    function settle(bytes32 before, Claim calldata claim, bytes32[] calldata later) external {
        SlotWord word = _slot;
        if (word.phase() == Phase.PAUSED) revert TaskIsPaused();
        Params memory params = CloneSettings.params();
        if (params.finality != Finality.OPTIMISTIC) revert WrongFinality(params.finality);
        if (claim.round <= _book.finalRounds) revert AlreadyFinal(claim.round);
        bytes32 name = _requireStanding(word, before, claim, later);
        uint256 pausedSeconds = _book.pausedSeconds;
        uint256 from = uint256(claim.proposedAt) + params.attestSeconds + pausedSeconds - claim.pausedBefore;
        if (block.timestamp < from) revert WindowIsOpen(claim.round, from);
        uint32 busyUntil = TaskCourt(COURT).busyUntil(address(this));
        if (block.timestamp - pausedSeconds < busyUntil) revert DemandIsOpen(claim.round);

        _book.finalRounds = claim.round;
        emit RoundFinalized(claim.round, claim.attempt, name, "");
        if (word.phase() == Phase.ATTEST && (word.round() <= params.rounds || claim.round == params.rounds)) {
            Slot memory state = word.unpack();
            _advance(state, params);
            _slot = state.pack();
        }
    }
}
