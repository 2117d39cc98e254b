// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CloneSettings} from "./CloneSettings.sol";
import {Merkle} from "./Merkle.sol";
import {SlotWord} from "./Slot.sol";
import {TaskState} from "./TaskState.sol";
import {Claim, Phase, Settings} from "./TaskTypes.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

/// @title Payment by pull, from a cumulative Merkle root. The task holds its pool and nothing else.
/// @notice Never paused.
abstract contract Rewards is TaskState {
    using SafeERC20 for IERC20;

    uint256 private constant PAYEES = 1 << 16; // leaves of a payout tree

    /// @notice Pays `account` what a final proposal's payout root owes it and has not been paid. Anyone may call.
    /// @param account who is paid.
    /// @param cumulative what it is owed since the task began.
    /// @param payee its leaf's place.
    /// @param proof the 16 sibling hashes, from the leaf up. The leaf is account (20 bytes), cumulative (32 bytes).
    /// @param before the name of the proposal before.
    /// @param claimed_ the final proposal: the last one is the cheapest.
    /// @param later hashes of the claims after it.
    function claim(
        address account,
        uint256 cumulative,
        uint256 payee,
        bytes32[] calldata proof,
        bytes32 before,
        Claim calldata claimed_,
        bytes32[] calldata later
    ) external {
        _requireFinal(_slot, before, claimed_, later);
        bytes32 root = claimed_.aggregate.payoutRoot;
        bytes32 leaf = sha256(abi.encodePacked(hex"00", account, cumulative)); // as Merkle.leaf
        if (!Merkle.stands(root, leaf, 0, payee, PAYEES, proof)) revert BadProof(account, root);
        uint256 paid = _claimed[payee];
        if (cumulative <= paid) revert NothingToClaim(account, paid);

        _claimed[payee] = cumulative;
        emit RewardClaimed(account, payee, cumulative - paid, cumulative);
        _pay(CloneSettings.token(), account, cumulative - paid);
    }

    /// @notice Returns to the sponsor what an ended task does not pay, once. Anyone may call.
    /// @param before the name of the proposal before the last.
    /// @param last the last proposal; anything where the task has none.
    /// @param later no claims: none follows the last.
    function withdrawRemainder(bytes32 before, Claim calldata last, bytes32[] calldata later) external {
        SlotWord state = _slot;
        if (state.phase() != Phase.ENDED) revert WrongPhase(state.phase(), Phase.ENDED);
        if (_book.returned) revert RemainderTaken();
        Settings memory terms = CloneSettings.fetch();
        uint256 amount = terms.pool;
        if (state.round() > 1) {
            if (later.length != 0) revert NotLast(last.round);
            _requireFinal(state, before, last, later);
            amount -= last.aggregate.payoutTotal;
        }
        _book.returned = true;
        emit RemainderReturned(terms.sponsor, amount);
        _pay(terms.token, terms.sponsor, amount);
    }

    function _requireFinal(SlotWord state, bytes32 before, Claim calldata claim_, bytes32[] calldata later)
        private
        view
    {
        _requireStanding(state, before, claim_, later);
        if (_isOptimistic() && claim_.round > _book.finalRounds) revert NotFinal(claim_.round, _book.finalRounds);
    }

    function _pay(address token, address account, uint256 amount) private {
        if (token != address(0)) {
            IERC20(token).safeTransfer(account, amount);
        } else {
            (bool paid,) = account.call{value: amount}("");
            if (!paid) revert TransferFailed(account, amount);
        }
    }
}
