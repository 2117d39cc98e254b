// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {History} from "./History.sol";
import {Case} from "./Judge.sol";
import {Base} from "./Lineage.sol";
import {Participant} from "./Participant.sol";
import {Seating} from "./Seating.sol";
import {Shuffle} from "./Shuffle.sol";
import {Aggregate, Book, Claim, Settings} from "./TaskTypes.sol";

/// @notice What payouts are judged by: the part of a task that its judges read.
interface PayingTask {
    /// @notice Who made the task.
    function FACTORY() external view returns (TreasuryOwner);
    /// @notice What was fixed at creation.
    function settings() external view returns (Settings memory);
    /// @notice How many payees there are, among other things.
    function book() external view returns (Book memory);
    /// @notice A participant's record, its payee number in it.
    /// @param account who joined, ever.
    function participant(address account) external view returns (Participant memory);
    /// @notice The opening that an account committed in last, and the head of its chain of commitments.
    /// @param account a participant's, ever.
    function commitmentOf(address account) external view returns (uint32 opening, uint32 generation, bytes24 digest);
}

/// @notice Who knows the treasury.
interface TreasuryOwner {
    /// @notice Who receives what is left of every round.
    function TREASURY() external view returns (address);
}

/// @notice What a round's payouts follow from, beside the claim itself.
struct Basis {
    Base base;
    bytes survivors; // the bitmaps that `Claim.frozen` is the hash of
    bytes signers;
}

/// @notice What a round pays, by role.
struct Parts {
    bytes32 root; // the payout tree before the round
    uint256 total; // the payout total after the round
    uint256 survivor; // to each survivor whose group counts
    uint256 attester; // to each survivor who signed the freeze
    uint256 aggregator;
    uint256 treasury; // what is left
    bytes counted; // bitmap of the survivors whose group counts
    bytes attesting; // bitmap of the survivors who signed the freeze
}

/// @title Who is due what of a round, and where it stands in the payout tree.
library Payouts {
    /// @notice Leaf slots of a payout tree: slot p is payee p's.
    uint256 internal constant SLOTS = 1 << LEVELS;
    uint256 internal constant LEVELS = 16;
    /// @notice The slot of who receives what is left.
    uint256 internal constant TREASURY_PAYEE = 0;
    /// @notice The hash in a slot of nobody, or of somebody to whom nothing is owed.
    bytes32 internal constant EMPTY_LEAF = 0x6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d;
    /// @notice The root over SLOTS such leaves: what a task's first claim adds to.
    bytes32 internal constant EMPTY_ROOT = 0x7aa56dda684522661cd11b5357e1bb021f9912493b3cca814bd6878a6dfff122;

    uint256 private constant BASIS_POINTS = 10_000;

    /// @notice What is shown is not what the claim adds to: its name would be `shown`.
    error NotTheBase(bytes32 shown, bytes32 before);
    /// @notice The bitmaps shown are not those frozen.
    error NotFrozen(bytes32 shown, bytes32 frozen);

    /// @notice What the claim's round pays, by role. Reverts unless `basis` is the claim's.
    function parts(Case calldata case_, Basis calldata basis, PayingTask task)
        internal
        view
        returns (Parts memory due)
    {
        Settings memory terms = task.settings();
        (due.root, due.total) = _before(case_, basis.base);
        _requireFrozen(case_.claim, basis);
        due.counted = _counted(case_, basis.survivors);
        due.attesting = _common(basis.survivors, basis.signers);
        uint256 members = _ones(due.counted);
        uint256 attesting = _ones(due.attesting);

        uint256 worth = uint256(terms.pool) / terms.params.rounds;
        uint256 survivors = (worth * case_.law.survivorsShare) / BASIS_POINTS;
        uint256 attesters = (worth * case_.law.attestersShare) / BASIS_POINTS;
        due.aggregator = (worth * case_.law.aggregatorShare) / BASIS_POINTS;
        if (members == 0) worth -= survivors;
        else due.survivor = survivors / members;
        if (attesting != 0) due.attester = attesters / attesting;
        due.total += worth;
        due.treasury = worth - due.survivor * members - due.attester * attesting - due.aggregator;
    }

    /// @notice What whoever sat at `position`, in the claim's domain, is due for its update and its signature.
    function ofSeat(Parts memory due, uint256 position) internal pure returns (uint256 amount) {
        if (has(due.counted, position)) amount = due.survivor;
        if (has(due.attesting, position)) amount += due.attester;
    }

    /// @notice Whether bit `index` of a bitmap, within its bytes, is set.
    function has(bytes memory bitmap, uint256 index) internal pure returns (bool) {
        return uint8(bitmap[index >> 3]) >> (index & 7) & 1 == 1;
    }

    /// @notice The leaf hash of who is owed `amount` since the task began: sha256(0x00 || account || amount).
    function leaf(address account, uint256 amount) internal view returns (bytes32) {
        if (amount == 0) return EMPTY_LEAF;
        return _sha256(uint160(account), 21, bytes32(amount), 0, 53);
    }

    /// @notice The hash of an inner node: sha256(0x01 || left || right).
    function node(bytes32 left, bytes32 right) internal view returns (bytes32) {
        return _sha256(1, 1, left, right, 65);
    }

    /// @notice The root over a tree of SLOTS leaves: sha256(0x02 || SLOTS as 8 bytes || top).
    function seal(bytes32 top) internal view returns (bytes32) {
        return _sha256((2 << 64) | SLOTS, 9, top, 0, 41);
    }

    /// @dev The payout tree and total that the claim adds to.
    function _before(Case calldata case_, Base calldata base) private pure returns (bytes32 root, uint256 total) {
        bytes32 shown;
        if (base.claim.length == 0) {
            root = EMPTY_ROOT;
            shown = History.genesis(base.before);
        } else {
            Aggregate memory previous = abi.decode(base.claim, (Claim)).aggregate;
            (root, total) = (previous.payoutRoot, previous.payoutTotal);
            shown = History.proposal(base.before, keccak256(base.claim));
        }
        if (shown != case_.before) revert NotTheBase(shown, case_.before);
    }

    /// @dev Both bitmaps have a bit for every seat: no other cut of the same bytes passes.
    function _requireFrozen(Claim calldata claim, Basis calldata basis) private pure {
        bytes32 shown = sha256(bytes.concat(basis.survivors, basis.signers));
        uint256 length = (uint256(claim.domain) + 7) / 8;
        if (shown != claim.frozen || basis.survivors.length != length || basis.signers.length != length) {
            revert NotFrozen(shown, claim.frozen);
        }
    }

    /// @dev The survivors whose group is opened and not quarantined. A draw's place is looked up only where some group
    /// does not count.
    function _counted(Case calldata case_, bytes memory survivors) private view returns (bytes memory) {
        (bytes32 seed, uint256 domain) = (case_.claim.epochSeed, case_.claim.domain);
        uint256 groups = Seating.groups(domain, case_.law.groupSize);
        bytes memory open = _opened(case_.claim.aggregate, groups);
        if (_ones(open) == groups) return survivors;
        for (uint256 position = 0; position < domain; ++position) {
            if (has(survivors, position) && !has(open, Shuffle.place(seed, position, domain) % groups)) {
                survivors[position >> 3] ^= bytes1(uint8(1 << (position & 7)));
            }
        }
        return survivors;
    }

    /// @dev The groups that count, whatever else the claim's bitmaps hold: bytes that lack are zero.
    function _opened(Aggregate calldata aggregate, uint256 groups) private pure returns (bytes memory open) {
        open = new bytes((groups + 7) >> 3);
        for (uint256 i = 0; i < open.length && i < aggregate.groups.length; ++i) {
            open[i] = aggregate.groups[i];
            if (i < aggregate.quarantined.length) open[i] &= ~aggregate.quarantined[i];
        }
        if (groups & 7 != 0) open[open.length - 1] &= bytes1(uint8((1 << (groups & 7)) - 1));
    }

    /// @dev What is in both bitmaps, of one length.
    function _common(bytes memory both, bytes calldata other) private pure returns (bytes memory) {
        for (uint256 i = 0; i < both.length; ++i) {
            both[i] &= other[i];
        }
        return both;
    }

    /// @dev How many bits are set.
    function _ones(bytes memory bitmap) private pure returns (uint256 members) {
        for (uint256 i = 0; i < bitmap.length; ++i) {
            for (uint256 bits = uint8(bitmap[i]); bits != 0; bits &= bits - 1) {
                ++members;
            }
        }
    }

    /// @dev sha256 of the first `length` bytes of: the low `width` bytes of `mark`, then two words. It is written out
    /// because a root takes thousands of these, and `abi.encodePacked` takes memory for each.
    function _sha256(uint256 mark, uint256 width, bytes32 one, bytes32 other, uint256 length)
        private
        view
        returns (bytes32 digest)
    {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, shl(mul(8, sub(32, width)), mark))
            mstore(add(free, width), one)
            mstore(add(free, add(width, 32)), other)
            if iszero(staticcall(gas(), 0x02, free, length, 0x00, 0x20)) {
                revert(0x00, 0x00)
            }
            digest := mload(0x00)
        }
    }
}
