// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CloneSettings} from "./CloneSettings.sol";
import {Merkle} from "./Merkle.sol";
import {Slot} from "./Slot.sol";
import {TaskState} from "./TaskState.sol";
import {Phase, Settings} from "./TaskTypes.sol";

/// @title Payment by pull, from a cumulative Merkle root. The task holds its pool and nothing else.
abstract contract Rewards is TaskState {
    /// @notice Pays `account` what the final payout root owes it and has not been paid. Anyone may call.
    /// @param account who is paid.
    /// @param cumulative wei owed since the task began.
    /// @param index the leaf's place.
    /// @param count leaves under the root.
    /// @param proof sibling hashes, from the leaf up. The leaf is account (20 bytes), cumulative (32 bytes).
    function claim(address account, uint256 cumulative, uint256 index, uint256 count, bytes32[] calldata proof)
        external
    {
        bytes32 root = _outcomes[_final(_slot.unpack())].payoutRoot;
        bytes32 leaf = Merkle.leaf(abi.encodePacked(account, cumulative));
        if (!Merkle.verify(root, leaf, index, count, proof)) revert BadProof(account, root);
        uint256 paid = _claimed[account];
        if (cumulative <= paid) revert NothingToClaim(account, paid);

        _claimed[account] = cumulative;
        emit RewardClaimed(account, cumulative - paid, cumulative);
        _pay(account, cumulative - paid);
    }

    /// @notice Returns to the sponsor what an ended task does not pay, once.
    function withdrawRemainder() external {
        Slot memory state = _slot.unpack();
        _requirePhase(state, Phase.ENDED);
        Settings memory terms = CloneSettings.fetch();
        if (msg.sender != terms.sponsor) revert NotSponsor(msg.sender, terms.sponsor);
        if (_book.returned) revert RemainderTaken();
        uint256 amount = terms.pool - _total(_final(state));

        _book.returned = true;
        emit RemainderReturned(terms.sponsor, amount);
        _pay(terms.sponsor, amount);
    }

    function _pay(address account, uint256 amount) private {
        (bool paid,) = account.call{value: amount}("");
        if (!paid) revert TransferFailed(account, amount);
    }
}
