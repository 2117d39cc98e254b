// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {History} from "./History.sol";
import {Case, Judge} from "./Judge.sol";
import {Basis, Parts, PayingTask, Payouts} from "./Payouts.sol";
import {Claim, Commitment, Position} from "./TaskTypes.sol";

/// @notice All whom a claim's round pays: the treasury, then accounts in ascending order of their payee numbers.
struct PayoutRootProof {
    Basis basis;
    uint256 count; // of rows
    bytes rows; // one after the other:
    //    account 20, owed before 12, seat 2: the position plus one, 0 for who is no survivor; and for a survivor
    //    digest before 24, updateRoot 32, seedsRoot 32, bundle 32, dataRoot 32, commitments since 2
    bytes32[] later; // hashes of the commitments since, of one row after the other
    bytes32[] siblings; // of the tree before, level by level from the leaves: those that the rows do not give
}

/// @title Shows that a claim's payout root is not what follows, without anything of the claim's own tree.
/// @dev Every survivor has a row, so every leaf that changes is known; the rows and the siblings make both the tree
/// before, which must be that of the claim before, and the tree that is due.
contract PayoutRootJudge is Judge {
    uint256 private constant SHORT = 34; // bytes of a row without a commitment
    uint256 private constant LONG = 188; // and with one

    /// @dev How far the rows are read.
    struct Cursor {
        uint256 offset; // in `rows`
        uint256 later; // in `later`
        bytes missing; // bitmap of the survivors without a row so far
        bool rewarded; // whether the aggregator had its row
        address aggregator;
        address task;
        bytes made; // what History.inner hashes, of the last row's commitment: chain, task and opening are all rows'
    }

    /// @notice The first row is the treasury's, and no other is.
    error TreasuryOutOfPlace(uint256 row, address account);
    /// @notice Rows go in ascending order of numbers, each an account's that joined.
    error NotAscending(address account, uint256 number, uint256 last);
    /// @notice Nobody survived at the position, or a row before told of it.
    error NotSurvivor(address account, uint256 position);
    /// @notice The account's chain of commitments has another head.
    error NotCommitted(address account, bytes24 shown, bytes24 head);
    /// @notice Nothing tells who survived at some seats of this byte of the bitmap.
    error SurvivorsMissing(uint256 offset, bytes1 seats);
    /// @notice The aggregator has no row.
    error AggregatorMissing(address aggregator);
    /// @notice The proof has more bytes or hashes than its rows use.
    error Unread(uint256 offset, uint256 later, uint256 siblings);
    /// @notice The rows and siblings make another tree than that of the claim before.
    error NotBefore(bytes32 shown, bytes32 root);
    /// @notice The payout root is the one due.
    error RootIsDue(bytes32 root);

    /// @inheritdoc Judge
    function judge(Case calldata case_, bytes calldata proof) external view {
        PayoutRootProof calldata shown = _read(proof);
        Parts memory due = Payouts.parts(case_, shown.basis, PayingTask(case_.task));
        (uint256[] memory payees, bytes32[] memory before, bytes32[] memory afterwards) = _leaves(case_, shown, due);
        (bytes32 had, bytes32 has) = _roots(payees, before, afterwards, shown.siblings);
        if (had != due.root) revert NotBefore(had, due.root);
        if (has == case_.claim.aggregate.payoutRoot) revert RootIsDue(has);
    }

    /// @dev The proof where it lies in the calldata.
    function _read(bytes calldata proof) private pure returns (PayoutRootProof calldata shown) {
        assembly ("memory-safe") {
            shown := add(proof.offset, calldataload(proof.offset))
        }
    }

    /// @dev The slots that the round changes, and their leaves before it and after.
    function _leaves(Case calldata case_, PayoutRootProof calldata shown, Parts memory due)
        private
        view
        returns (uint256[] memory payees, bytes32[] memory before, bytes32[] memory afterwards)
    {
        payees = new uint256[](shown.count);
        before = new bytes32[](shown.count);
        afterwards = new bytes32[](shown.count);
        Cursor memory cursor = _begin(case_, shown);
        address treasury = PayingTask(case_.task).FACTORY().TREASURY();
        uint256 free;
        assembly ("memory-safe") {
            free := mload(0x40)
        }
        for (uint256 row = 0; row < payees.length; ++row) {
            bytes32 head = _word(shown.rows, cursor.offset);
            address account = address(bytes20(head));
            uint256 owed = uint96(uint256(head));
            if ((account == treasury) != (row == 0)) revert TreasuryOutOfPlace(row, account);
            if (row != 0) payees[row] = _number(cursor.task, account, payees[row - 1]);
            uint256 amount = owed + _due(shown, due, cursor, account);
            if (row == 0) amount += due.treasury;
            before[row] = Payouts.leaf(account, owed);
            afterwards[row] = Payouts.leaf(account, amount);
            // Nothing that a row allocated is used again: without this, memory would cost more than all the rest.
            assembly ("memory-safe") {
                mstore(0x40, free)
            }
        }
        _requireWhole(case_.claim, shown, cursor);
    }

    function _begin(Case calldata case_, PayoutRootProof calldata shown) private view returns (Cursor memory cursor) {
        Claim calldata claim = case_.claim;
        cursor.task = case_.task;
        cursor.aggregator = claim.aggregator;
        cursor.missing = shown.basis.survivors;
        Commitment memory made;
        made.opening = claim.opening;
        made.round = claim.round;
        made.attempt = claim.attempt;
        cursor.made = abi.encode(block.chainid, case_.task, made);
    }

    /// @dev The account's payee number, above the last row's.
    function _number(address task, address account, uint256 last) private view returns (uint256 number) {
        number = PayingTask(task).participant(account).payee;
        if (number <= last) revert NotAscending(account, number, last);
    }

    /// @dev What the row's account is due by its part in the round; the cursor moves to the next row.
    function _due(PayoutRootProof calldata shown, Parts memory due, Cursor memory cursor, address account)
        private
        view
        returns (uint256 amount)
    {
        uint256 seat = uint16(bytes2(_word(shown.rows, cursor.offset + 32)));
        if (seat == 0) {
            cursor.offset += SHORT;
        } else {
            _requireCommitted(shown, cursor, account, seat - 1);
            cursor.offset += LONG;
            amount = Payouts.ofSeat(due, seat - 1);
        }
        if (account == cursor.aggregator) {
            amount += due.aggregator;
            cursor.rewarded = true;
        }
    }

    /// @dev Requires that the row's account committed in the claim's opening, at this position, and survived.
    function _requireCommitted(PayoutRootProof calldata shown, Cursor memory cursor, address account, uint256 position)
        private
        view
    {
        if (position >> 3 >= cursor.missing.length || !Payouts.has(cursor.missing, position)) {
            revert NotSurvivor(account, position);
        }
        cursor.missing[position >> 3] ^= bytes1(uint8(1 << (position & 7)));

        (bytes calldata rows, uint256 offset) = (shown.rows, cursor.offset + SHORT);
        bytes24 digest =
            History.digest(bytes24(_word(rows, offset)), _inner(cursor.made, account, position, rows, offset + 24));
        uint256 later = cursor.later + uint16(bytes2(_word(rows, offset + 152)));
        digest = History.latest(digest, shown.later[cursor.later:later]);
        cursor.later = later;
        (,, bytes24 head) = PayingTask(cursor.task).commitmentOf(account);
        if (digest != head) revert NotCommitted(account, digest, head);
    }

    /// @dev As History.inner, of `made` with other words: position (its sixth), participant and the four roots.
    function _inner(bytes memory made, address account, uint256 position, bytes calldata rows, uint256 roots)
        private
        pure
        returns (bytes32 hash)
    {
        // `made` is 32 bytes of length, then words of 32 bytes; a type shorter than a word may have dirty bits.
        assembly ("memory-safe") {
            mstore(add(made, 0xc0), position)
            mstore(add(made, 0xe0), shr(96, shl(96, account)))
            calldatacopy(add(made, 0x100), add(rows.offset, roots), 0x80)
            hash := keccak256(add(made, 0x20), mload(made))
        }
    }

    /// @dev 32 bytes of the rows. What is beyond their end never counts: they must end where the last row does.
    function _word(bytes calldata rows, uint256 offset) private pure returns (bytes32 word) {
        assembly ("memory-safe") {
            word := calldataload(add(rows.offset, offset))
        }
    }

    /// @dev Requires that nobody whom the round pays is without a row.
    function _requireWhole(Claim calldata claim, PayoutRootProof calldata shown, Cursor memory cursor) private pure {
        for (uint256 i = 0; i < cursor.missing.length; ++i) {
            if (cursor.missing[i] != 0) revert SurvivorsMissing(i, cursor.missing[i]);
        }
        if (!cursor.rewarded) revert AggregatorMissing(claim.aggregator);
        if (shown.count == 0 || cursor.offset != shown.rows.length || cursor.later != shown.later.length) {
            revert Unread(cursor.offset, cursor.later, 0);
        }
    }

    /// @dev The roots over the leaves before and after, with the same siblings. The arrays are used up.
    function _roots(
        uint256[] memory slots,
        bytes32[] memory before,
        bytes32[] memory afterwards,
        bytes32[] calldata siblings
    ) private view returns (bytes32 had, bytes32 has) {
        uint256 known = slots.length;
        uint256 used = 0;
        for (uint256 level = 0; level < Payouts.LEVELS; ++level) {
            uint256 made = 0;
            for (uint256 i = 0; i < known; ++made) {
                uint256 slot = slots[i];
                if (slot & 1 == 1) {
                    bytes32 beside = siblings[used++];
                    before[made] = Payouts.node(beside, before[i]);
                    afterwards[made] = Payouts.node(beside, afterwards[i]);
                    ++i;
                } else if (i + 1 < known && slots[i + 1] == slot + 1) {
                    before[made] = Payouts.node(before[i], before[i + 1]);
                    afterwards[made] = Payouts.node(afterwards[i], afterwards[i + 1]);
                    i += 2;
                } else {
                    bytes32 beside = siblings[used++];
                    before[made] = Payouts.node(before[i], beside);
                    afterwards[made] = Payouts.node(afterwards[i], beside);
                    ++i;
                }
                slots[made] = slot >> 1;
            }
            known = made;
        }
        if (used != siblings.length) revert Unread(0, 0, used);
        return (Payouts.seal(before[0]), Payouts.seal(afterwards[0]));
    }
}
