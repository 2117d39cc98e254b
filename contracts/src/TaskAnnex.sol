// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CloneSettings} from "./CloneSettings.sol";
import {Convicting} from "./Convicting.sol";
import {Pausing} from "./Pausing.sol";
import {Rewards} from "./Rewards.sol";
import {StakeVault} from "./StakeVault.sol";
import {TaskState} from "./TaskState.sol";
import {TaskViews} from "./TaskViews.sol";

/// @title The part of a task that rounds do not need: views, rewards, convictions, pauses. A task lends it its storage.
contract TaskAnnex is TaskViews, Rewards, Convicting, Pausing {
    constructor(address factory, StakeVault vault, address court, address forwarder)
        TaskState(factory, vault, court, forwarder)
    {}

    /// @notice Says who may join a task that is not open. Only the sponsor.
    function admit(address[] calldata accounts, bool allowed) external {
        address sponsor = CloneSettings.fetch().sponsor;
        if (_msgSender() != sponsor) revert NotSponsor(_msgSender(), sponsor);
        for (uint256 i = 0; i < accounts.length; ++i) {
            _admitted[accounts[i]] = allowed;
            emit ParticipantAdmitted(accounts[i], allowed);
        }
    }
}
