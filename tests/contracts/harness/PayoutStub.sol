// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Participant} from "src/Participant.sol";
import {PayingTask, TreasuryOwner} from "src/Payouts.sol";
import {Book, Settings} from "src/TaskTypes.sol";

/// @title What a payout judge reads of a task, and nothing else of a task: the words are told, not come by.
contract PayoutStub is PayingTask, TreasuryOwner {
    struct Told {
        address account;
        uint16 payee;
        uint32 opening;
        bytes24 digest;
    }

    address public override TREASURY;
    uint96 private _pool;
    uint32 private _rounds;
    uint16 private _payees;
    mapping(address account => Told) private _told;

    function begin(address treasury, uint96 pool, uint32 rounds) external {
        (TREASURY, _pool, _rounds) = (treasury, pool, rounds);
    }

    function tell(uint16 payees, Told[] calldata rows) external {
        _payees = payees;
        for (uint256 i = 0; i < rows.length; ++i) {
            _told[rows[i].account] = rows[i];
        }
    }

    function FACTORY() external view override returns (TreasuryOwner) {
        return this;
    }

    function settings() external view override returns (Settings memory terms) {
        (terms.pool, terms.params.rounds) = (_pool, _rounds);
    }

    function book() external view override returns (Book memory found) {
        found.payees = _payees;
    }

    function participant(address account) external view override returns (Participant memory who) {
        who.payee = _told[account].payee;
    }

    function commitmentOf(address account) external view override returns (uint32, uint32, bytes24) {
        Told storage told = _told[account];
        return (told.opening, 0, told.digest);
    }
}
