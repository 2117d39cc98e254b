// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CloneSettings} from "./CloneSettings.sol";
import {CommitPage, CommitWords, Page} from "./CommitPage.sol";
import {History} from "./History.sol";
import {CommittingWord, ParticipantCodec, ParticipantWord, Record} from "./Participant.sol";
import {Signatures} from "./Signatures.sol";
import {Slot, SlotWord} from "./Slot.sol";
import {TaskFlow} from "./TaskFlow.sol";
import {Phase, Position} from "./TaskTypes.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

/// @title Committing to masked updates, one by one or in a relayer's batch.
abstract contract Commits is TaskFlow {
    /// @notice Commits to a masked update, and sends the keys for the next opening.
    function commit(CommitWords calldata words) external {
        SlotWord state = _requireOpen();
        Page page = CommitPage.open(state, 0);
        page.write(words);
        _commit(_msgSender(), state, page);
        _closeWhenFull(state.plusCommits(1));
    }

    /// @notice As `commit`, for those who signed (EIP-712); anyone may send it. All or none.
    /// @param words what each commits; the generation is the nonce.
    /// @param deadline the last second in which these signatures count.
    /// @param signatures 65 bytes each: r, s, v.
    function commitBySig(CommitWords[] calldata words, uint32 deadline, bytes calldata signatures) external {
        if (block.timestamp > deadline) revert SignatureExpired(deadline);
        if (signatures.length != 65 * words.length) revert SignaturesMismatch(words.length, signatures.length);
        SlotWord state = _requireOpen();
        Page page = CommitPage.open(state, deadline);
        bytes32 domain = _domainSeparatorV4();
        uint256 count = words.length;
        unchecked {
            for (uint256 i = 0; i < count; ++i) {
                page.write(words[i]);
                bytes32 digest = MessageHashUtils.toTypedDataHash(domain, page.content());
                address account = Signatures.recover(digest, signatures, i);
                if (account == address(0)) revert WrongSigner(account, account);
                _commit(account, state, page);
            }
        }
        _closeWhenFull(state.plusCommits(count));
    }

    function _requireOpen() private view returns (SlotWord state) {
        state = _slot;
        if (state.phase() != Phase.COMMIT) revert WrongPhase(state.phase(), Phase.COMMIT);
        if (block.timestamp >= state.deadline()) revert CommitIsClosed(state.round(), state.deadline());
    }

    /// @dev Commits to what is on the page.
    function _commit(address account, SlotWord state, Page page) private {
        Record storage record = _records[account];
        CommittingWord last = record.committing;
        uint256 seat = last.seat();
        uint256 opening = state.opening();
        unchecked {
            if (seat == 0 || last.lastOpening() + 1 != opening) seat = _seatWithKeys(account, state) + 1;
            uint256 generation = page.generation();
            if (generation != last.generation() + 1) revert StaleGeneration(generation, last.generation() + 1);

            bytes24 digest = History.digest(last.digest(), page.inner(seat - 1, account));
            record.committing = ParticipantCodec.committed(opening, generation, seat, digest);
            page.tell(UpdateCommitted.selector, seat - 1, account);
        }
    }

    /// @dev The seat of whoever did not commit in the opening before, but has keys for this one.
    function _seatWithKeys(address account, SlotWord state) private view returns (uint256) {
        (uint32 opening, Record storage record) = (state.opening(), _records[account]);
        bool seated = record.committing.seat() != 0;
        if (seated && record.committing.lastOpening() == opening) revert AlreadyCommitted(account, opening);
        ParticipantWord who = record.participant;
        if (!who.hasKeys(opening, state.freshEpoch())) revert NotEligible(account, opening);
        return Position.unwrap(who.position());
    }

    function _closeWhenFull(SlotWord state) private {
        if (state.isFull()) {
            Slot memory full = state.unpack();
            _closeCommits(full, CloneSettings.params());
            state = full.pack();
        }
        _slot = state;
    }
}
