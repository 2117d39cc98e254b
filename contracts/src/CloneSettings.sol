// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Finality, Params, Settings} from "./TaskTypes.sol";
import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";

/// @title A task's settings as the 223 bytes that follow a clone's code: read for a few hundred gas, never written.
library CloneSettings {
    /// @notice The bytes to append to the clone.
    function pack(Settings memory settings) internal pure returns (bytes memory) {
        Params memory p = settings.params;
        return bytes.concat(
            abi.encodePacked(settings.terms, settings.law, settings.baseRoot, settings.sponsor, settings.token),
            abi.encodePacked(settings.pool, p.rounds, p.minParticipants, p.maxParticipants, p.minSurvivors),
            abi.encodePacked(p.epochRounds, p.maxAttempts, p.enrolSeconds, p.commitSeconds, p.freezeSeconds),
            abi.encodePacked(p.rankSeconds, p.stallSeconds, p.attestSeconds, p.answerSeconds, p.unbondSeconds),
            abi.encodePacked(p.stake, p.bond, p.challengerShare, uint8(p.finality), p.ahead, p.open)
        );
    }

    /// @notice The settings of the clone that runs.
    function fetch() internal view returns (Settings memory settings) {
        bytes memory args = Clones.fetchCloneArgs(address(this));
        settings.terms = _word(args, 0);
        settings.law = _word(args, 32);
        settings.baseRoot = _word(args, 64);
        settings.sponsor = address(bytes20(_word(args, 96)));
        settings.token = address(bytes20(_word(args, 116)));
        settings.pool = uint96(bytes12(_word(args, 136)));
        settings.params = _params(args);
    }

    /// @notice What the clone that runs enforces by itself.
    function params() internal view returns (Params memory) {
        return _params(Clones.fetchCloneArgs(address(this)));
    }

    /// @notice Of the settings, the law's hash alone.
    function law() internal view returns (bytes32) {
        return _read(32);
    }

    /// @notice Of the settings, the token alone.
    function token() internal view returns (address) {
        return address(bytes20(_read(116)));
    }

    /// @notice Of the parameters, what makes proposals final.
    function finality() internal view returns (Finality) {
        return Finality(uint8(bytes1(_read(220))));
    }

    /// @dev 32 bytes of the clone's code, in which its arguments follow 45 bytes (Clones).
    function _read(uint256 offset) private view returns (bytes32 word) {
        assembly ("memory-safe") {
            extcodecopy(address(), 0x00, add(offset, 0x2d), 0x20)
            word := mload(0x00)
        }
    }

    function _params(bytes memory args) private pure returns (Params memory p) {
        bytes32 word = _word(args, 148);
        p.rounds = uint32(bytes4(word));
        p.minParticipants = uint16(bytes2(word << 32));
        p.maxParticipants = uint16(bytes2(word << 48));
        p.minSurvivors = uint16(bytes2(word << 64));
        p.epochRounds = uint16(bytes2(word << 80));
        p.maxAttempts = uint16(bytes2(word << 96));
        p.enrolSeconds = uint32(bytes4(word << 112));
        p.commitSeconds = uint32(bytes4(word << 144));
        p.freezeSeconds = uint32(bytes4(word << 176));
        p.rankSeconds = uint32(bytes4(word << 208));
        word = _word(args, 178);
        p.stallSeconds = uint32(bytes4(word));
        p.attestSeconds = uint32(bytes4(word << 32));
        p.answerSeconds = uint32(bytes4(word << 64));
        p.unbondSeconds = uint32(bytes4(word << 96));
        p.stake = uint96(bytes12(word << 128));
        word = _word(args, 206);
        p.bond = uint96(bytes12(word));
        p.challengerShare = uint16(bytes2(word << 96));
        p.finality = Finality(uint8(bytes1(word << 112)));
        p.ahead = uint8(bytes1(word << 120));
        p.open = bytes1(word << 128) != 0;
    }

    function _word(bytes memory args, uint256 offset) private pure returns (bytes32 word) {
        assembly ("memory-safe") {
            word := mload(add(add(args, 0x20), offset))
        }
    }
}
