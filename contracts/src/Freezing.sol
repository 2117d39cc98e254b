// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Bitmap} from "./Bitmap.sol";
import {CloneSettings} from "./CloneSettings.sol";
import {Committee} from "./Committee.sol";
import {Slot} from "./Slot.sol";
import {Frozen, Params, Phase} from "./TaskTypes.sol";

/// @title Freezing a round's survivors, once.
abstract contract Freezing is Committee {
    using Bitmap for bytes;

    /// @notice Freezes the round's survivors with a quorum's signatures. There is never a second freeze of a round on
    /// one base model.
    /// @param survivors bitmap of the seats whose updates count.
    /// @param disputes packed pairs of seats whose seeds disagree, not to be grouped again.
    /// @param signatures 65 bytes a signer (r, s, v), in ascending order of the signers' seats.
    function freeze(bytes calldata survivors, bytes calldata disputes, bytes calldata signatures) external {
        Slot memory state = _slot.unpack();
        _requirePhase(state, Phase.FREEZE);
        if (block.timestamp >= state.deadline) revert TooLate(state.phase, state.deadline);
        Params memory params = CloneSettings.params();
        uint256 members = survivors.count(state.domain);
        if (members < params.minSurvivors || members > state.committed) {
            revert SurvivorsOutOfRange(members, params.minSurvivors, state.committed);
        }
        disputes.requirePairs();
        bytes memory signers = _requireQuorum(state, _survivorsDigest(state, survivors, disputes), signatures);

        Frozen memory set = Frozen({
            digest: bytes20(sha256(bytes.concat(survivors, signers))),
            beaconBlock: uint32(block.number) + 1,
            aggregateFrom: _now(),
            stallAt: _now() + params.stallSeconds
        });
        state.phase = Phase.AGGREGATE;
        state.deadline = set.stallAt;
        state.nextRank = 0;
        _frozen = set;
        _slot = state.pack();
        emit SurvivorsFrozen(
            state.round, state.attempt, survivors, disputes, signers, set.beaconBlock, set.aggregateFrom, set.stallAt
        );
    }
}
