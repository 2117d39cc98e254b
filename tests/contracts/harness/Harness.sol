// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Bitmap} from "src/Bitmap.sol";
import {Merkle} from "src/Merkle.sol";
import {Committing, CommittingWord, ParticipantCodec, ParticipantWord} from "src/Participant.sol";
import {Shuffle} from "src/Shuffle.sol";
import {SlotCodec, SlotWord} from "src/Slot.sol";

/// @title The libraries, callable, so that tests can hold them against their Python twins.
contract Harness {
    function place(bytes32 seed, uint256 index, uint256 domain) external view returns (uint256) {
        return Shuffle.place(seed, index, domain);
    }

    function places(bytes32 seed, uint256 domain) external view returns (uint256[] memory found) {
        found = new uint256[](domain);
        for (uint256 i = 0; i < domain; ++i) {
            found[i] = Shuffle.place(seed, i, domain);
        }
    }

    function height(uint256 leaves) external pure returns (uint256) {
        return Merkle.height(leaves);
    }

    function leaf(bytes memory data) external pure returns (bytes32) {
        return Merkle.leaf(data);
    }

    function emptyRoot() external pure returns (bytes32) {
        return Merkle.EMPTY_ROOT;
    }

    function verify(bytes32 root, bytes32 top, uint256 index, uint256 leaves, bytes32[] calldata siblings)
        external
        pure
        returns (bool)
    {
        return Merkle.verify(root, top, index, leaves, siblings);
    }

    function count(bytes calldata bitmap, uint16 domain) external pure returns (uint256) {
        return Bitmap.count(bitmap, domain);
    }

    function bitmapOf(uint16[] calldata seats, uint16 domain) external pure returns (bytes memory bitmap) {
        bitmap = Bitmap.empty(domain);
        for (uint256 i = 0; i < seats.length; ++i) {
            Bitmap.add(bitmap, seats[i]);
        }
    }

    function requirePairs(bytes calldata pairs) external pure {
        Bitmap.requirePairs(pairs);
    }

    function repackSlot(SlotWord word) external pure returns (SlotWord) {
        return SlotCodec.pack(SlotCodec.unpack(word));
    }

    function repackParticipant(ParticipantWord word) external pure returns (ParticipantWord) {
        return ParticipantCodec.pack(ParticipantCodec.unpack(word));
    }

    function repackCommitting(CommittingWord word) external pure returns (CommittingWord) {
        Committing memory made = ParticipantCodec.unpack(word);
        return ParticipantCodec.committed(made.opening, made.generation, made.seat, made.digest);
    }
}

/// @title Refuses every payment.
contract Refuser {
    /// @notice Calls `target`, and reverts as it does.
    function act(address target, bytes calldata data) external payable {
        (bool done, bytes memory answer) = target.call{value: msg.value}(data);
        if (!done) {
            assembly ("memory-safe") {
                revert(add(answer, 0x20), mload(answer))
            }
        }
    }
}
