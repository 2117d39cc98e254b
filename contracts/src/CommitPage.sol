// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SlotWord} from "./Slot.sol";

/// @notice What a participant commits: its update, and its keys for the next opening.
struct CommitWords {
    uint32 generation; // one more than the stored counter: a node restored from an old backup notices here
    bytes32 updateRoot; // Merkle root over the masked chunks
    bytes32 seedsRoot; // Merkle root over the hashes of the mask seeds
    bytes32 bundle; // sha256 digest of the bundle's block
    bytes32 dataRoot; // salted Merkle root of the dataset
    bytes32 maskKey; // X25519 public key for mask seeds, next opening
    bytes32 boxKey; // X25519 public key for sealed shares, next opening
}

/// @notice A place in memory (CommitPage).
type Page is uint256;

using CommitPage for Page global;

/// @title What commits are signed, hashed and told as: words in memory that all commits of a call share, so that each
/// writes only what is its own.
/// @dev By words of 32 bytes: 0 kind, 1 round, 2 attempt, 3 opening, 4 to 10 the words of the commit, 11 deadline, as
/// they are signed; the event tells the words 1 to 10 with the position in the place of the opening. 12 chain id,
/// 13 task, 14 to 22 the Commitment: what History.inner hashes.
library CommitPage {
    bytes32 private constant COMMIT_TYPE = keccak256(
        "Commit(uint32 round,uint16 attempt,uint32 opening,uint32 generation,bytes32 updateRoot,bytes32 seedsRoot,bytes32 bundle,bytes32 dataRoot,bytes32 maskKey,bytes32 boxKey,uint32 deadline)"
    );

    /// @notice A page for the commits of the opening under way.
    function open(SlotWord state, uint32 deadline) internal view returns (Page page) {
        bytes32 kind = COMMIT_TYPE;
        (uint256 round, uint256 attempt, uint256 opening) = (state.round(), state.attempt(), state.opening());
        assembly ("memory-safe") {
            page := mload(0x40)
            mstore(0x40, add(page, 0x2e0))
            mstore(page, kind)
            mstore(add(page, 0x20), round)
            mstore(add(page, 0x40), attempt)
            mstore(add(page, 0x60), opening)
            mstore(add(page, 0x160), deadline)
            mstore(add(page, 0x180), chainid())
            mstore(add(page, 0x1a0), address())
            mstore(add(page, 0x1c0), opening)
            mstore(add(page, 0x1e0), round)
            mstore(add(page, 0x200), attempt)
        }
    }

    /// @notice Writes a commit's words onto the page.
    function write(Page page, CommitWords calldata words) internal pure {
        assembly ("memory-safe") {
            calldatacopy(add(page, 0x80), words, 0xe0)
        }
    }

    /// @notice The generation on the page.
    function generation(Page page) internal pure returns (uint256 count) {
        assembly ("memory-safe") {
            count := mload(add(page, 0x80))
        }
    }

    /// @notice The hash of what is signed (EIP-712): the struct's, without the domain.
    function content(Page page) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            hash := keccak256(page, 0x180)
        }
    }

    /// @notice As History.inner, of the commitment on the page.
    function inner(Page page, uint256 position, address account) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            mstore(add(page, 0x220), position)
            mstore(add(page, 0x240), account)
            mcopy(add(page, 0x260), add(page, 0xa0), 0x80)
            hash := keccak256(add(page, 0x180), 0x160)
        }
    }

    /// @notice Emits the event `kind` with what is on the page.
    function tell(Page page, bytes32 kind, uint256 position, address account) internal {
        assembly ("memory-safe") {
            let place := add(page, 0x60)
            let opening := mload(place)
            mstore(place, position)
            log2(add(page, 0x20), 0x140, kind, account)
            mstore(place, opening)
        }
    }
}
