// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Case} from "./Judge.sol";

/// @title Why a claim leaves a group's sum out: the chunk in which it is beyond what honest updates can make.
/// @notice The block under `manifest` says so: version (4 bytes), how many groups (2), then for each the group (2) and
/// the chunk (4), big-endian; what follows does not matter here. The last chunk stands for the weight.
library Causes {
    uint256 private constant HEAD = 6;
    uint256 private constant ROW = 6;

    /// @notice The block shown is not the claim's.
    error NotTheManifest(bytes32 shown, bytes32 claimed);

    /// @notice The chunk that the claim names for a group, the first where it names several; whether it names any.
    function named(Case calldata case_, bytes calldata manifest, uint256 group)
        internal
        pure
        returns (bool found, uint256 chunk)
    {
        bytes32 shown = sha256(manifest);
        if (shown != case_.claim.aggregate.manifest) revert NotTheManifest(shown, case_.claim.aggregate.manifest);
        if (manifest.length < HEAD) return (false, 0);
        uint256 end = HEAD + ROW * uint16(bytes2(manifest[4:6]));
        if (end > manifest.length) return (false, 0);
        for (uint256 offset = HEAD; offset < end; offset += ROW) {
            if (uint16(bytes2(manifest[offset:offset + 2])) == group) {
                return (true, uint32(bytes4(manifest[offset + 2:offset + 6])));
            }
        }
    }
}
