// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {History} from "./History.sol";
import {Case, Judge} from "./Judge.sol";
import {Merkle} from "./Merkle.sol";
import {Basis, Parts, PayingTask, Payouts} from "./Payouts.sol";
import {Commitment, Position} from "./TaskTypes.sol";

/// @notice Consecutive commitments of an account around a claim's opening: one made in it; or none, where the last one
/// is older; the first one, where it is younger; or the two that it lies between.
struct Span {
    bytes24 before; // the account's digest before them
    Commitment[] made;
    bytes32[] later; // hashes of the commitments after them, in order
}

/// @notice A slot of the payout tree, before the claim and in it. Where the total is wrong already, only `basis` is read.
struct PayoutProof {
    Basis basis;
    uint256 payee; // the slot
    address account; // whose it is; not read where it is nobody's
    Span span;
    uint256 earlier; // what the account was owed before; 0 for padding
    bytes32[] earlierPath; // siblings of its leaf then
    bytes32 leaf; // the hash that the claim's tree has in the slot
    bytes32[] path; // its siblings
}

/// @title Shows that a claim's payout total, or one leaf of its payout tree, is not what follows.
/// @dev Whose group counts is decided for every survivor, since the parts depend on how many they are. A tree of which
/// nobody knows a path is for PayoutRootJudge.
contract PayoutJudge is Judge {
    /// @notice The leaf shown is not in the slot of the tree under `root`.
    error NotInSlot(uint256 payee, bytes32 leaf, bytes32 root);
    /// @notice The slot is not the account's: its number is `number`.
    error NotPayee(address account, uint256 number, uint256 payee);
    /// @notice The account's chain of commitments has another head.
    error NotCommitted(address account, bytes24 shown, bytes24 head);
    /// @notice The commitments shown do not tell whether the account committed in the opening.
    error OpeningUndecided(address account, uint256 opening);
    /// @notice The leaf, and the total, are those due.
    error PayoutIsDue(uint256 payee, bytes32 leaf, uint256 total);

    /// @inheritdoc Judge
    function judge(Case calldata case_, bytes calldata proof) external view {
        PayoutProof calldata shown = _read(proof);
        PayingTask task = PayingTask(case_.task);
        Parts memory due = Payouts.parts(case_, shown.basis, task);
        if (case_.claim.aggregate.payoutTotal != due.total) return;

        _requireInSlot(shown.payee, shown.leaf, case_.claim.aggregate.payoutRoot, shown.path);
        bytes32 leaf = Payouts.EMPTY_LEAF;
        if (_isSomebodys(shown, task)) {
            bytes32 before = Payouts.leaf(shown.account, shown.earlier);
            _requireInSlot(shown.payee, before, due.root, shown.earlierPath);
            leaf = Payouts.leaf(shown.account, shown.earlier + _due(case_, shown, due));
        }
        if (shown.leaf == leaf) revert PayoutIsDue(shown.payee, leaf, due.total);
    }

    /// @dev The proof where it lies in the calldata.
    function _read(bytes calldata proof) private pure returns (PayoutProof calldata shown) {
        assembly ("memory-safe") {
            shown := add(proof.offset, calldataload(proof.offset))
        }
    }

    /// @dev Whether the slot is the account's. It is nobody's where no account has the number yet, or where the
    /// treasury has it, having joined: whatever the treasury is due stands in its own slot.
    function _isSomebodys(PayoutProof calldata shown, PayingTask task) private view returns (bool) {
        if (shown.payee > task.book().payees) return false;
        bool treasury = shown.account == task.FACTORY().TREASURY();
        uint256 number = task.participant(shown.account).payee;
        if (treasury && shown.payee == Payouts.TREASURY_PAYEE) return true;
        if (number == 0 || number != shown.payee) revert NotPayee(shown.account, number, shown.payee);
        return !treasury;
    }

    function _due(Case calldata case_, PayoutProof calldata shown, Parts memory due)
        private
        view
        returns (uint256 amount)
    {
        if (shown.account == case_.claim.aggregator) amount = due.aggregator;
        if (shown.payee == Payouts.TREASURY_PAYEE) amount += due.treasury;
        (bool seated, uint256 position) = _seat(case_, shown);
        if (seated) amount += Payouts.ofSeat(due, position);
    }

    /// @dev Whether the account committed in the claim's opening, and where it sat then. An account commits once in an
    /// opening, and its openings only grow.
    function _seat(Case calldata case_, PayoutProof calldata shown) private view returns (bool, uint256 position) {
        Span calldata span = shown.span;
        uint256 opening = case_.claim.opening;
        uint256 length = span.made.length;
        (uint256 last,, bytes24 head) = PayingTask(case_.task).commitmentOf(shown.account);
        if (length == 0 && last < opening) return (false, 0);

        bytes24 digest = span.before;
        for (uint256 i = 0; i < length; ++i) {
            digest = History.digest(digest, History.inner(case_.task, span.made[i]));
        }
        digest = History.latest(digest, span.later);
        if (digest != head) revert NotCommitted(shown.account, digest, head);
        if (length == 1) {
            Commitment calldata made = span.made[0];
            if (made.opening == opening) return (true, Position.unwrap(made.position));
            if (made.opening > opening && span.before == 0) return (false, 0);
        }
        if (length == 2 && span.made[0].opening < opening && span.made[1].opening > opening) return (false, 0);
        revert OpeningUndecided(shown.account, opening);
    }

    function _requireInSlot(uint256 payee, bytes32 leaf, bytes32 root, bytes32[] calldata path) private pure {
        if (!Merkle.verify(root, leaf, payee, Payouts.SLOTS, path)) revert NotInSlot(payee, leaf, root);
    }
}
