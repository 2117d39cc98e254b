// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Params, Settings} from "./TaskTypes.sol";
import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";

/// @title A task's settings as the 146 bytes that follow a clone's code: read for a few hundred gas, never written.
library CloneSettings {
    /// @notice The bytes to append to the clone.
    function pack(Settings memory settings) internal pure returns (bytes memory) {
        Params memory p = settings.params;
        return bytes.concat(
            abi.encodePacked(settings.terms, settings.baseRoot, settings.sponsor, settings.pool),
            abi.encodePacked(p.rounds, p.minParticipants, p.maxParticipants, p.minSurvivors, p.epochRounds),
            abi.encodePacked(p.maxAttempts, p.enrolSeconds, p.commitSeconds, p.freezeSeconds, p.rankSeconds),
            abi.encodePacked(p.stallSeconds, p.attestSeconds, p.stake)
        );
    }

    /// @notice The settings of the clone that runs.
    function fetch() internal view returns (Settings memory settings) {
        bytes memory args = Clones.fetchCloneArgs(address(this));
        settings.terms = _word(args, 0);
        settings.baseRoot = _word(args, 32);
        settings.sponsor = address(bytes20(_word(args, 64)));
        settings.pool = uint96(bytes12(_word(args, 84)));
        settings.params = Params({
            rounds: _uint32(args, 96),
            minParticipants: _uint16(args, 100),
            maxParticipants: _uint16(args, 102),
            minSurvivors: _uint16(args, 104),
            epochRounds: _uint16(args, 106),
            maxAttempts: _uint16(args, 108),
            enrolSeconds: _uint32(args, 110),
            commitSeconds: _uint32(args, 114),
            freezeSeconds: _uint32(args, 118),
            rankSeconds: _uint32(args, 122),
            stallSeconds: _uint32(args, 126),
            attestSeconds: _uint32(args, 130),
            stake: uint96(bytes12(_word(args, 134)))
        });
    }

    function _word(bytes memory args, uint256 offset) private pure returns (bytes32 word) {
        assembly ("memory-safe") {
            word := mload(add(add(args, 0x20), offset))
        }
    }

    function _uint32(bytes memory args, uint256 offset) private pure returns (uint32) {
        return uint32(bytes4(_word(args, offset)));
    }

    function _uint16(bytes memory args, uint256 offset) private pure returns (uint16) {
        return uint16(bytes2(_word(args, offset)));
    }
}
