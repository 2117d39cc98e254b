// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CloneSettings} from "./CloneSettings.sol";
import {Membership} from "./Membership.sol";
import {Participant} from "./Participant.sol";
import {Slot} from "./Slot.sol";
import {TaskFlow} from "./TaskFlow.sol";
import {Claim, Fault, Finality, Frozen, Params, Phase} from "./TaskTypes.sol";

/// @title What follows a proven fault: the stake is lost, the seat with it, and a refuted proposal falls.
/// @notice Only the court calls these. It has checked the proof, and that the task holds the claim.
abstract contract Convicting is TaskFlow, Membership {
    /// @notice Convicts the author of a refuted proposal, once. What awaits finality falls, with all that followed it.
    /// @param proposal the proposal's name.
    /// @param before the name of the one before it.
    /// @param claim what it claimed.
    /// @param fault what was proven.
    /// @param challenger who proved it, and receives the challenger's share.
    function convictAggregator(bytes32 proposal, bytes32 before, Claim calldata claim, Fault fault, address challenger)
        external
    {
        Slot memory state = _requireCourt();
        Params memory params = CloneSettings.params();
        _seize(claim.aggregator, state, params, fault, challenger);
        if (params.finality == Finality.OPTIMISTIC && claim.round > _book.finalRounds) {
            _bringBack(state, params, before, claim, proposal); // no chain leads to it any more, so it is not convicted again
        } else {
            if (_convicted[proposal]) revert AlreadyConvicted(proposal);
            _convicted[proposal] = true;
            if (state.phase == Phase.ATTEST && params.finality == Finality.FAST && proposal == _heads[state.round & 1])
            {
                _reopen(state);
                emit ProposalRefuted(
                    claim.aggregator,
                    state.round,
                    state.attempt,
                    proposal,
                    state.nextRank,
                    _frozen.beaconBlock,
                    _now(),
                    _frozen.stallAt
                );
            }
        }
        _slot = state.pack();
    }

    /// @notice Convicts a participant: for a signature under what was refuted or contradicts another, or for a seed
    /// withheld.
    /// @param account who is convicted.
    /// @param fault what was proven.
    /// @param challenger who proved it, and receives the challenger's share.
    function convictMember(address account, Fault fault, address challenger) external {
        Slot memory state = _requireCourt();
        if (!_seize(account, state, CloneSettings.params(), fault, challenger)) revert NothingAtStake(account);
        _slot = state.pack();
    }

    function _requireCourt() private view returns (Slot memory state) {
        if (msg.sender != COURT) revert NotCourt(msg.sender);
        state = _slot.unpack();
        if (state.phase == Phase.PAUSED) revert TaskIsPaused();
    }

    /// @dev Takes all that the account has at stake in this task, and its seat: nobody sits there again.
    function _seize(address account, Slot memory state, Params memory params, Fault fault, address challenger)
        private
        returns (bool)
    {
        Participant memory who = _records[account].participant.unpack();
        uint128 amount = _atStake(who);
        if (amount == 0 && !who.enrolled) return false; // where no stake is asked for, the seat is what is lost
        uint128 share = uint128((uint256(amount) * params.challengerShare) / 10_000);
        bool seated = who.enrolled;
        emit ParticipantSlashed(account, who.position, seated, fault, amount, challenger, share);
        who.bonded = false;
        who.thawAt = 0;
        if (seated) {
            delete _seats[who.position];
            _unseat(account, who, state);
        } else {
            _records[account].participant = who.pack();
        }
        VAULT.slash(account, amount, challenger, share);
        return true;
    }

    /// @dev The round of a refuted proposal is aggregated again, from the same frozen set; later rounds never were.
    function _bringBack(Slot memory state, Params memory params, bytes32 before, Claim calldata claim, bytes32 proposal)
        private
    {
        // A draw is called off, and its number not used again: who waited for it sends keys.
        if (state.phase == Phase.DRAW) state.ready -= state.committed;
        state.round = claim.round;
        state.attempt = claim.attempt;
        state.domain = claim.domain;
        state.eligible = claim.eligible;
        state.committed = claim.eligible;
        state.first = false;
        state.nextRank = claim.rank + 1 == claim.domain ? 0 : claim.rank + 1;
        _heads[_standing(state)] = before;
        // Within the epoch the groups stay: on a base that turns out the same, nothing can be told from other groups' sums.
        // Where the next epoch, or its draw, had begun, one is due: who waited for it may sit beyond this one's seats.
        if (claim.epochSeed != _epochSeed || state.phase == Phase.DRAW) {
            _epochSeed = claim.epochSeed;
            _book.redraw = true;
        }
        _frozen = Frozen({
            digest: bytes20(claim.frozen),
            beaconBlock: uint32(block.number) + 1,
            aggregateFrom: _now(),
            stallAt: _now() + params.stallSeconds
        });
        _book.resumed = claim.opening;
        if (state.phase != Phase.ENDED) {
            state.phase = Phase.AGGREGATE;
            state.deadline = _frozen.stallAt;
        }
        emit ProposalRefuted(
            claim.aggregator,
            claim.round,
            claim.attempt,
            proposal,
            state.nextRank,
            _frozen.beaconBlock,
            _frozen.aggregateFrom,
            _frozen.stallAt
        );
    }
}
