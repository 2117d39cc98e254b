// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SumTree} from "src/SumTree.sol";

/// @title The data under a claim's roots, small enough to be made here: one chunk, one group, eight payees.
library Outcome {
    uint256 internal constant PAYEES = 8;
    uint256 private constant PAYOUT_LEVELS = 16;
    /// @dev What the nodes below a top are said to be: nobody proves anything about them here.
    bytes32 internal constant BELOW = keccak256("below");

    /// @notice The chunk of a round's model.
    function model(uint32 round, uint32 opening) internal pure returns (bytes memory chunk) {
        chunk = new bytes(1024);
        assembly ("memory-safe") {
            mstore(add(chunk, 0x20), or(shl(64, round), opening))
        }
    }

    /// @notice The last chunk's sum: the weight in its first lane.
    function weights(uint32 total) internal pure returns (bytes memory chunk) {
        chunk = new bytes(1024);
        assembly ("memory-safe") {
            mstore(add(chunk, 0x20), shl(224, total))
        }
    }

    /// @notice The top of a chunk's sum tree.
    function top(bytes memory sum) internal view returns (bytes32) {
        return SumTree.node(sha256(sum), BELOW, BELOW);
    }

    /// @notice The root over the model's one chunk.
    function modelRoot(bytes memory chunk) internal pure returns (bytes32) {
        return _seal(1, _leaf(chunk));
    }

    /// @notice The root over the tops of both chunks' sum trees.
    function sumRoot(uint32 total) internal view returns (bytes32) {
        return _seal(2, _node(_leaf(bytes.concat(top(new bytes(1024)))), _leaf(bytes.concat(top(weights(total))))));
    }

    /// @notice The hash beside the top of the last chunk's sum tree.
    function besideLast() internal view returns (bytes32[] memory beside) {
        beside = new bytes32[](1);
        beside[0] = _leaf(bytes.concat(top(new bytes(1024))));
    }

    /// @notice The root over 2^levels seeds, none of which there is.
    function noSeeds(uint256 levels) internal pure returns (bytes32) {
        bytes32[] memory beside = besideNoSeed(levels + 1);
        return _seal(uint64(1 << levels), beside[levels]);
    }

    /// @notice The hashes beside any of them.
    function besideNoSeed(uint256 levels) internal pure returns (bytes32[] memory beside) {
        beside = new bytes32[](levels);
        bytes32 hash = _leaf(bytes.concat(bytes32(0)));
        for (uint256 i = 0; i < levels; ++i) {
            (beside[i], hash) = (hash, _node(hash, hash));
        }
    }

    /// @notice The root of what the first eight payees are owed.
    function payoutRoot(address[PAYEES] memory accounts, uint256[PAYEES] memory owed) internal pure returns (bytes32) {
        (bytes32 root,) = payout(accounts, owed, 0);
        return root;
    }

    /// @notice The same, and the hashes beside one payee's leaf.
    function payout(address[PAYEES] memory accounts, uint256[PAYEES] memory owed, uint256 payee)
        internal
        pure
        returns (bytes32 root, bytes32[] memory beside)
    {
        beside = new bytes32[](PAYOUT_LEVELS);
        bytes32[PAYEES] memory level;
        for (uint256 i = 0; i < PAYEES; ++i) {
            level[i] = owed[i] == 0 ? sha256(hex"00") : sha256(abi.encodePacked(hex"00", accounts[i], owed[i]));
        }
        bytes32 empty = sha256(hex"00");
        uint256 width = PAYEES;
        for (uint256 depth = 0; depth < PAYOUT_LEVELS; ++depth) {
            beside[depth] = width > 1 ? level[(payee >> depth) ^ 1] : empty;
            if (width == 1) level[0] = _node(level[0], empty);
            for (uint256 i = 0; i < width / 2; ++i) {
                level[i] = _node(level[2 * i], level[2 * i + 1]);
            }
            if (width > 1) width /= 2;
            empty = _node(empty, empty);
        }
        root = _seal(1 << 16, level[0]);
    }

    function _leaf(bytes memory data) private pure returns (bytes32) {
        return sha256(abi.encodePacked(hex"00", data));
    }

    function _node(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return sha256(abi.encodePacked(hex"01", left, right));
    }

    function _seal(uint64 count, bytes32 hash) private pure returns (bytes32) {
        return sha256(abi.encodePacked(hex"02", count, hash));
    }
}
