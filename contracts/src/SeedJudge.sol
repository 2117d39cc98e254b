// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Commitments} from "./Commitments.sol";
import {Case, Committed, Judge} from "./Judge.sol";
import {Base, Lineage} from "./Lineage.sol";
import {Merkle} from "./Merkle.sol";
import {Roll} from "./Roll.sol";
import {Shape, SumPath} from "./SumPath.sol";
import {Commitment, Position} from "./TaskTypes.sol";
import {Unmasked} from "./Unmasked.sol";

/// @notice A slot of the published seeds. What is not needed to decide is not read: of a group that is not opened only
/// the slot; of a row without a survivor no commitment; of a seed that is missing or was never committed no more than its
/// hash.
struct SeedProof {
    uint16 group;
    uint16 row; // the owner's
    uint16 other; // the row that the mask is shared with; the owner's for its own mask
    bytes32 seed; // what the claim publishes; zero for nothing
    bytes32[] path; // its siblings under `unmaskRoot`
    Position position; // the owner's seat
    Position otherPosition;
    bytes frozen; // the bitmaps of survivors and of the freeze's signers
    Committed committed; // what the owner committed
    bytes32 seedHash; // the hash that it committed to; zero where it has no mask with that row
    bytes32[] hashPath; // its siblings under `seedsRoot`
    Base base; // what the claim builds on
    address peer; // of a pair: the other account that the commitment names
    bytes32 committedSeed; // of a pair: the seed that it was made with
}

/// @title Shows that a published seed is not the committed one, is missing, or must not be published.
contract SeedJudge is Judge {
    /// @notice The hash of the chain's first block, which every commitment to a seed names.
    bytes32 public immutable GENESIS;

    /// @notice The hash shown is not what the owner committed to for that row.
    error NotTheSeedHash(bytes32 seedHash, uint256 row);
    /// @notice The commitment is not to the seed shown.
    error NotTheSeed(bytes32 made, bytes32 seedHash);
    /// @notice The slot holds what it must.
    error SeedIsDue(uint256 group, uint256 row, uint256 other, bytes32 seed);

    /// @param genesis the hash of the chain's first block.
    constructor(bytes32 genesis) {
        GENESIS = genesis;
    }

    /// @inheritdoc Judge
    function judge(Case calldata case_, bytes calldata proof) external view {
        SeedProof calldata shown = _read(proof);
        SumPath.requireSeeds(case_.law.mode);
        Shape memory tree = SumPath.shape(case_);
        Unmasked.requirePublished(case_, tree, shown.group, shown.row, shown.other, shown.seed, shown.path);
        (bool published, bool due) = (shown.seed != 0, _isDue(case_, tree, shown));
        if (published && due) _requireAnother(case_, shown);
        else if (published == due) revert SeedIsDue(shown.group, shown.row, shown.other, shown.seed);
    }

    /// @dev The proof where it lies in the calldata.
    function _read(bytes calldata proof) private pure returns (SeedProof calldata shown) {
        assembly ("memory-safe") {
            shown := add(proof.offset, calldataload(proof.offset))
        }
    }

    /// @dev Whether the slot's seed becomes public: its group is opened, its owner survived, the other row's seat did
    /// not (or is the owner's own), and the owner has a mask with it.
    function _isDue(Case calldata case_, Shape memory tree, SeedProof calldata shown) private view returns (bool) {
        (bool opened,) = SumPath.standing(case_, tree, shown.group);
        if (!opened) return false;
        if (!Roll.survivesAt(case_, tree, shown.group, shown.row, shown.position, shown.frozen)) return false;
        if (shown.other != shown.row) {
            if (shown.other >= Roll.size(case_, tree, shown.group)) return false;
            if (Roll.survivesAt(case_, tree, shown.group, shown.other, shown.otherPosition, shown.frozen)) {
                return false;
            }
        }
        Commitments.requireMade(case_, shown.committed, shown.position);
        bytes32 leaf = Merkle.leaf(bytes.concat(shown.seedHash));
        bytes32 root = shown.committed.made.seedsRoot;
        if (!Merkle.verify(root, leaf, shown.other, 1 << tree.rows, shown.hashPath)) {
            revert NotTheSeedHash(shown.seedHash, shown.other);
        }
        return shown.seedHash != 0;
    }

    /// @dev Reverts unless the committed seed is another than the published one. Of a self mask both parties are the
    /// owner, so the published seed's hash decides. Who sat where nobody committed, the chain does not keep: of a pair
    /// the commitment's own preimage decides, of which there is one.
    function _requireAnother(Case calldata case_, SeedProof calldata shown) private view {
        Commitment calldata made = shown.committed.made;
        bytes32 root = Lineage.modelRoot(case_, shown.base);
        bool same;
        if (shown.row == shown.other) {
            same = _hash(made, root, made.participant, shown.seed, case_.task) == shown.seedHash;
        } else {
            bytes32 hash = _hash(made, root, shown.peer, shown.committedSeed, case_.task);
            if (hash != shown.seedHash) revert NotTheSeed(hash, shown.seedHash);
            same = shown.seed == shown.committedSeed;
        }
        if (same) revert SeedIsDue(shown.group, shown.row, shown.other, shown.seed);
    }

    /// @dev The commitment to a seed: `seed_hash` of protocol/commitments.py, parts framed by their lengths.
    function _hash(Commitment calldata made, bytes32 base, address peer, bytes32 seed, address task)
        private
        view
        returns (bytes32)
    {
        address owner = made.participant;
        (address low, address high) = owner < peer ? (owner, peer) : (peer, owner);
        bytes memory context =
            abi.encodePacked(GENESIS, uint64(block.chainid), task, made.round, uint32(made.attempt), base, bytes28(0));
        return sha256(
            abi.encodePacked(
                uint32(14), "foedus/seed/v1", uint32(128), context, uint32(20), low, uint32(20), high, uint32(32), seed
            )
        );
    }
}
