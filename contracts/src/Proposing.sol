// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CloneSettings} from "./CloneSettings.sol";
import {History} from "./History.sol";
import {Participant} from "./Participant.sol";
import {Shuffle} from "./Shuffle.sol";
import {Slot} from "./Slot.sol";
import {TaskFlow} from "./TaskFlow.sol";
import {Aggregate, Book, Claim, Finality, Frozen, Params, Phase, Position, Settings} from "./TaskTypes.sol";

/// @title Proposing a round's outcome.
abstract contract Proposing is TaskFlow {
    uint256 private constant MAX_GROUP_BYTES = 128; // 1,024 groups

    /// @notice Proposes the round's outcome, with a bond. A beacon after the freeze ranks the aggregators; one more rank
    /// may propose each interval, round the circle. The bond is locked at an aggregator's first proposal and stays.
    /// @param aggregate the outcome.
    /// @param survivors the frozen bitmap.
    /// @param signers the bitmap of those who signed the freeze.
    /// @param before the name of the proposal that this one builds on: another may stand by the time this is mined.
    function propose(Aggregate calldata aggregate, bytes calldata survivors, bytes calldata signers, bytes32 before)
        external
    {
        address account = _msgSender();
        Slot memory state = _slot.unpack();
        _requirePhase(state, Phase.AGGREGATE);
        if (before != _heads[_standing(state)]) revert NotStanding(before, _heads[_standing(state)]);
        if (block.timestamp >= state.deadline) revert TooLate(state.phase, state.deadline);
        if (aggregate.groups.length > MAX_GROUP_BYTES || aggregate.quarantined.length > MAX_GROUP_BYTES) {
            revert MalformedBitmap(aggregate.groups.length + aggregate.quarantined.length, state.domain);
        }
        Settings memory terms = CloneSettings.fetch();
        Params memory params = terms.params;
        if (aggregate.payoutTotal > terms.pool) revert PayoutOutOfRange(aggregate.payoutTotal, terms.pool);
        Book memory book = _book;
        Claim memory claim;
        claim.position = _requireAggregator(account, state, book.resumed != 0);
        claim.frozen = sha256(bytes.concat(survivors, signers));
        claim.epochSeed = _epochSeed;
        claim.rank = _requireTurn(state, claim, params.rankSeconds);
        claim.round = state.round;
        claim.attempt = state.attempt;
        claim.opening = book.resumed != 0 ? book.resumed : state.opening;
        claim.domain = state.domain;
        claim.eligible = state.eligible;
        claim.aggregator = account;
        claim.proposedAt = _now();
        claim.pausedBefore = book.pausedSeconds;
        claim.aggregate = aggregate;

        bytes32 name = History.proposal(before, keccak256(abi.encode(claim)));
        _heads[state.round & 1] = name;
        state.phase = Phase.ATTEST;
        state.deadline = _now() + params.attestSeconds;
        state.nextRank = claim.rank + 1 == state.domain ? 0 : claim.rank + 1;
        emit AggregateProposed(
            account, state.round, state.attempt, claim.position, claim.rank, name, aggregate, state.deadline
        );
        if (params.finality == Finality.OPTIMISTIC) {
            if (book.resumed != 0) _book.resumed = 0;
            ++state.round;
            if (state.round - 1 - book.finalRounds < params.ahead && state.round <= params.rounds) {
                _advance(state, params);
            }
        }
        _slot = state.pack();
        _lockBond(account, params.bond);
    }

    /// @dev The position of an eligible participant; for a round that was brought back, of anyone seated in its domain.
    function _requireAggregator(address account, Slot memory state, bool resumed) private view returns (Position) {
        if (resumed) {
            Participant memory who = _records[account].participant.unpack();
            if (who.enrolled && Position.unwrap(who.position) < state.domain) return who.position;
            revert NotEligible(account, state.opening);
        }
        (bool eligible, uint16 seat) = _eligible(account, state.opening, state.freshEpoch());
        if (!eligible) revert NotEligible(account, state.opening);
        return Position.wrap(seat);
    }

    function _lockBond(address account, uint96 bond) private {
        if (bond == 0) return;
        Participant memory who = _records[account].participant.unpack();
        if (who.bonded) return;
        who.bonded = true;
        _records[account].participant = who.pack();
        emit BondPosted(account, bond);
        VAULT.lock(account, bond);
    }

    /// @dev The rank, drawn from a block after the freeze and the frozen set. Where that block's hash is out of reach
    /// (256 blocks) any aggregator may propose, in the place of the rank whose turn it is.
    function _requireTurn(Slot memory state, Claim memory claim, uint32 rankSeconds)
        private
        view
        returns (uint16 rank)
    {
        Frozen memory set = _frozen;
        if (block.number <= set.beaconBlock) revert BeaconPending(set.beaconBlock);
        if (bytes20(claim.frozen) != set.digest) revert WrongSurvivors(bytes20(claim.frozen), set.digest);
        bytes32 beacon = blockhash(set.beaconBlock);
        if (beacon == 0) return state.nextRank;
        bytes32 seed = sha256(abi.encodePacked("foedus/aggregator/v1", beacon, claim.epochSeed, claim.frozen));
        rank = uint16(Shuffle.place(seed, Position.unwrap(claim.position), state.domain));
        uint256 distance = (uint256(rank) + state.domain - state.nextRank) % state.domain;
        uint256 open = (block.timestamp - set.aggregateFrom) / rankSeconds;
        if (distance > open) revert NotYourTurn(rank, state.nextRank, open);
    }
}
