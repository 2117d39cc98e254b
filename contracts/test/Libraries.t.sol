// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Bitmap} from "src/Bitmap.sol";
import {ChaCha20} from "src/ChaCha20.sol";
import {Lanes} from "src/Lanes.sol";
import {Merkle} from "src/Merkle.sol";
import {Seating} from "src/Seating.sol";
import {Shuffle} from "src/Shuffle.sol";
import {SumTree} from "src/SumTree.sol";
import {Position} from "src/TaskTypes.sol";

/// @title Laws of the libraries, for whatever arguments.
contract LibrariesTest {
    using Bitmap for bytes;

    function testFuzz_a_shuffle_is_a_permutation(bytes32 seed, uint256 domain) external view {
        domain = 1 + domain % 96;
        bool[] memory taken = new bool[](domain);
        for (uint256 i = 0; i < domain; ++i) {
            uint256 place = Shuffle.place(seed, i, domain);
            require(place < domain && !taken[place], "two seats in one place");
            taken[place] = true;
        }
    }

    function testFuzz_no_two_seats_share_group_and_row(bytes32 seed, uint256 domain, uint256 size) external view {
        (domain, size) = (1 + domain % 96, 1 + size % 96);
        uint256 groups = Seating.groups(domain, size);
        uint256 rows = 1 << Seating.rowLevels(domain, groups);
        bool[] memory taken = new bool[](groups * rows);
        uint256[] memory members = new uint256[](groups);
        for (uint16 seat = 0; seat < domain; ++seat) {
            (uint256 group, uint256 row) = Seating.place(seed, Position.wrap(seat), domain, groups);
            require(group < groups && row < rows && !taken[group * rows + row], "two seats in one row");
            taken[group * rows + row] = true;
            ++members[group];
        }
        for (uint256 group = 0; group < groups; ++group) {
            require(
                members[group] == domain / groups || members[group] == domain / groups + 1, "groups of unequal size"
            );
        }
    }

    function testFuzz_a_bitmap_counts_its_members(uint256 bits, uint16 domain) external view {
        domain = 1 + domain % 256;
        bytes memory bitmap = Bitmap.empty(domain);
        uint256 members = 0;
        for (uint256 seat = 0; seat < domain; ++seat) {
            if ((bits >> seat) & 1 == 0) continue;
            bitmap.add(seat);
            ++members;
        }
        require(this.count(bitmap, domain) == members, "miscounted");
    }

    function testFuzz_a_bit_beyond_the_domain_is_refused(uint16 domain, uint256 seat) external view {
        domain = 1 + domain % 1_024;
        if (domain % 8 == 0) --domain;
        bytes memory bitmap = Bitmap.empty(domain);
        bitmap.add(domain + seat % (8 - domain % 8));
        try this.count(bitmap, domain) {
            revert("taken");
        } catch {}
    }

    function testFuzz_a_leaf_stands_in_its_place_and_no_other(
        uint256 salt,
        uint256 leaves,
        uint256 index,
        uint256 other
    ) external view {
        leaves = 1 + leaves % 40;
        (index, other) = (index % leaves, other % leaves);
        bytes32[] memory level = new bytes32[](1 << Merkle.height(leaves));
        for (uint256 i = 0; i < level.length; ++i) {
            level[i] = i < leaves ? Merkle.leaf(abi.encode(salt, i)) : Merkle.leaf("");
        }
        bytes32[] memory siblings = new bytes32[](Merkle.height(leaves));
        uint256 width = level.length;
        for (uint256 depth = 0; depth < siblings.length; ++depth) {
            siblings[depth] = level[(index >> depth) ^ 1];
            width /= 2;
            for (uint256 i = 0; i < width; ++i) {
                level[i] = Merkle.node(level[2 * i], level[2 * i + 1]);
            }
        }
        bytes32 root = sha256(abi.encodePacked(hex"02", uint64(leaves), level[0]));
        bytes32 leaf = Merkle.leaf(abi.encode(salt, index));
        require(this.verify(root, leaf, index, leaves, siblings), "not found");
        require(this.stands(root, leaf, 0, index, leaves, siblings), "not found by the other way");
        require(other == index || !this.verify(root, leaf, other, leaves, siblings), "found elsewhere");
        require(!this.verify(root, leaf, index, leaves + 1, siblings), "found under another count");
    }

    function testFuzz_both_ways_up_a_tree_agree(
        bytes32 root,
        bytes32 leaf,
        uint256 index,
        uint256 leaves,
        bytes32[] calldata siblings
    ) external view {
        leaves %= 64;
        index %= 64;
        bool found = this.verify(root, leaf, index, leaves, siblings);
        require(found == this.stands(root, leaf, 0, index, leaves, siblings), "they differ");
    }

    function testFuzz_a_sum_is_that_of_every_lane(uint256 seed, bool countsOne, bool countsOther) external view {
        (bytes memory one, bytes memory other, bytes memory sum) = (new bytes(1024), new bytes(1024), new bytes(1024));
        for (uint256 lane = 0; lane < 256; ++lane) {
            uint32 x = uint32(uint256(keccak256(abi.encode(seed, lane))));
            uint32 y = uint32(uint256(keccak256(abi.encode(lane, seed))));
            unchecked {
                _set(sum, lane, (countsOne ? x : 0) + (countsOther ? y : 0));
            }
            _set(one, lane, x);
            _set(other, lane, y);
        }
        require(this.sumDigest(one, countsOne, other, countsOther) == sha256(sum), "another sum");
    }

    function testFuzz_a_climb_ends_at_the_top(bytes32 leaf, uint256 node, uint256 salt) external view {
        node = 1 + node % 512;
        bytes32 hash = leaf;
        bytes32[] memory steps = new bytes32[](20);
        uint256 words = 0;
        for (uint256 below = node; below > 1; below /= 2) {
            (steps[words], steps[words + 1]) = (keccak256(abi.encode(salt, below)), keccak256(abi.encode(below, salt)));
            hash = below % 2 == 1
                ? sha256(abi.encodePacked(hex"11", steps[words], steps[words + 1], hash))
                : sha256(abi.encodePacked(hex"11", steps[words], hash, steps[words + 1]));
            words += 2;
        }
        assembly ("memory-safe") {
            mstore(steps, words)
        }
        require(this.climb(leaf, node, steps) == hash, "another top");
    }

    function testFuzz_a_mask_and_its_negation_cancel(bytes32 key, uint256 chunk) external pure {
        chunk %= 1 << 28;
        bytes memory one = ChaCha20.keystream(key, chunk, false);
        bytes memory other = ChaCha20.keystream(key, chunk, true);
        for (uint256 lane = 0; lane < 256; ++lane) {
            unchecked {
                require(_lane(one, lane) + _lane(other, lane) == 0, "they do not cancel");
            }
        }
    }

    // Libraries that read calldata.

    function count(bytes calldata bitmap, uint16 domain) external pure returns (uint256) {
        return bitmap.count(domain);
    }

    function verify(bytes32 root, bytes32 leaf, uint256 index, uint256 leaves, bytes32[] calldata siblings)
        external
        pure
        returns (bool)
    {
        return Merkle.verify(root, leaf, index, leaves, siblings);
    }

    function stands(
        bytes32 root,
        bytes32 hash,
        uint256 depth,
        uint256 index,
        uint256 leaves,
        bytes32[] calldata siblings
    ) external view returns (bool) {
        return Merkle.stands(root, hash, depth, index, leaves, siblings);
    }

    function sumDigest(bytes calldata one, bool countsOne, bytes calldata other, bool countsOther)
        external
        view
        returns (bytes32)
    {
        return Lanes.sumDigest(one, countsOne, other, countsOther);
    }

    function climb(bytes32 hash, uint256 number, bytes32[] calldata steps) external view returns (bytes32) {
        return SumTree.climb(hash, number, steps);
    }

    function _set(bytes memory chunk, uint256 lane, uint32 value) private pure {
        for (uint256 i = 0; i < 4; ++i) {
            chunk[4 * lane + i] = bytes1(uint8(value >> (24 - 8 * i)));
        }
    }

    function _lane(bytes memory chunk, uint256 lane) private pure returns (uint32 value) {
        for (uint256 i = 0; i < 4; ++i) {
            value = (value << 8) | uint8(chunk[4 * lane + i]);
        }
    }
}
