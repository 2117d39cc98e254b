// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {VM} from "./Cheats.sol";
import {Entry, Lie} from "./Chronicle.sol";
import {Outcome} from "./Outcome.sol";
import {Play} from "./Play.sol";
import {Ballot} from "src/CourtSignatures.sol";
import {GroupSum} from "src/GroupSums.sol";
import {History} from "src/History.sol";
import {Case} from "src/Judge.sol";
import {Base} from "src/Lineage.sol";
import {Participant} from "src/Participant.sol";
import {PayoutProof} from "src/PayoutJudge.sol";
import {Shuffle} from "src/Shuffle.sol";
import {Slot} from "src/Slot.sol";
import {Way} from "src/SumPath.sol";
import {Claim, Position} from "src/TaskTypes.sol";
import {TotalProof} from "src/TotalJudge.sol";
import {WeightProof} from "src/WeightJudge.sol";

/// @title How claims and members are brought before the court: with real proofs, and with what honest parties hold.
abstract contract Trials is Play {
    Entry internal refuted; // by a judge, last of all

    /// @dev Lets a judge decide about a claim, by what is true of it.
    function _refute(uint256 index, address judge, address challenger) internal {
        Entry memory entry = chain[index];
        uint256 had = _atStake(_account(entry.author));
        bool again = task.convicted(entry.name);
        bytes memory proof = _evidence(entry, judge);
        uint256[3] memory before = _funds(_account(entry.author), challenger);
        Case memory made = _case(index);
        VM.prank(challenger);
        COURT.refute(made, judge, proof);
        _hold(entry.author >= HONEST, "honest aggregators are never convicted");
        if (!again) _punished(entry, had, before, challenger);
        refuted = entry;
        _watch(true);
    }

    /// @dev What must be true when an aggregator was convicted.
    function _punished(Entry memory entry, uint256 had, uint256[3] memory before, address challenger) internal {
        address account = _account(entry.author);
        bool fresh = convictions[account] == entry.convictions;
        if (fresh && task.clock() < entry.bornAt + _params().unbondSeconds) {
            _hold(had == STAKE + BOND, "an exit does not outrun the slash");
        }
        _seized(account, had, before, challenger);
    }

    /// @dev Everything at stake is taken, and shared.
    function _seized(address account, uint256 had, uint256[3] memory before, address challenger) internal {
        ++convictions[account];
        uint256[3] memory now_ = _funds(account, challenger);
        uint256 share = (had * _params().challengerShare) / 10_000;
        _hold(_atStake(account) == 0 && before[0] - now_[0] == had, "a conviction takes all that is at stake");
        bool shared = now_[1] - before[1] == share && now_[2] - before[2] == had - share;
        _hold(shared, "the challenger has its share, the treasury the rest");
    }

    /// @dev Shows that a member signed two sets for the opening under way.
    function _accuseBallots(uint256 who, address challenger) internal {
        Slot memory state = task.slot();
        (bytes memory one, bytes memory other) = (bytes(hex"07"), bytes(hex"0b"));
        Ballot memory first = Ballot(keccak256(one), keccak256(""), _signature(who, _typed(_ballotDigest(state, one))));
        Ballot memory second =
            Ballot(keccak256(other), keccak256(""), _signature(who, _typed(_ballotDigest(state, other))));
        (uint256 had, uint256[3] memory before) = (_atStake(_account(who)), _funds(_account(who), challenger));
        VM.prank(challenger);
        COURT.refuteSurvivors(address(task), state.round, state.attempt, state.opening, first, second);
        _seized(_account(who), had, before, challenger);
        _watch(false);
    }

    /// @dev Shows that a member attested a claim.
    function _accuseAttester(Entry memory entry, uint256 who, address challenger) internal {
        Claim memory claim = abi.decode(entry.claim, (Claim));
        bytes32 name = entry.name;
        bytes memory signature = _signature(who, _typed(_attestationDigest(claim.round, claim.attempt, name)));
        (uint256 had, uint256[3] memory before) = (_atStake(_account(who)), _funds(_account(who), challenger));
        VM.prank(challenger);
        COURT.refuteAttestation(address(task), claim.round, claim.attempt, name, signature);
        _hold(entry.lie != Lie.NONE, "nobody is convicted for attesting what is true");
        _seized(_account(who), had, before, challenger);
        _watch(false);
    }

    /// @dev Who decides about a lie.
    function _judgeOf(Lie lie) internal view returns (address) {
        if (lie == Lie.SETS) return SETS_JUDGE;
        if (lie == Lie.STATE) return STATE_JUDGE;
        if (lie == Lie.TOTAL) return TOTAL_JUDGE;
        if (lie == Lie.WEIGHT) return WEIGHT_JUDGE;
        return PAYOUT_JUDGE;
    }

    /// @dev What the task has of an account's, by its record.
    function _atStake(address account) internal view returns (uint256) {
        Participant memory who = task.participant(account);
        return (who.enrolled || who.thawAt != 0 ? STAKE : 0) + (who.bonded ? BOND : 0);
    }

    /// @dev The locked stake of the accused, and the free stakes of challenger and treasury.
    function _funds(address account, address challenger) internal view returns (uint256[3] memory wei_) {
        (, wei_[0]) = VAULT.stakeOf(account);
        (wei_[1],) = VAULT.stakeOf(challenger);
        (wei_[2],) = VAULT.stakeOf(TREASURY);
    }

    /// @dev What is true of a claim, as the judge reads it.
    function _evidence(Entry memory entry, address judge) private view returns (bytes memory) {
        bytes32 below = Outcome.BELOW;
        bytes memory value = Outcome.weights(entry.weight);
        Way memory way = Way(1, new bytes32[](0), Outcome.besideLast());
        if (judge == TOTAL_JUDGE) return abi.encode(TotalProof(way, value, below, below));
        if (judge == WEIGHT_JUDGE) {
            bytes memory frozen = bytes.concat(entry.survivors, entry.signers);
            return abi.encode(WeightProof(0, _seats(entry), frozen, GroupSum(way, value, below, below)));
        }
        if (judge == PAYOUT_JUDGE) return abi.encode(_payoutEvidence(entry));
        return "";
    }

    /// @dev About the slot of a payee that nobody is.
    function _payoutEvidence(Entry memory entry) private view returns (PayoutProof memory shown) {
        shown.basis.base = _base(entry.before);
        (shown.basis.survivors, shown.basis.signers) = (entry.survivors, entry.signers);
        shown.payee = 7;
        (, shown.path) = Outcome.payout(_payees(), entry.owed, 7);
        shown.leaf = sha256(hex"00");
        if (entry.owed[7] != 0) shown.leaf = sha256(abi.encodePacked(hex"00", _payees()[7], entry.owed[7]));
    }

    function _base(bytes32 name) private view returns (Base memory base) {
        if (name == History.genesis(BASE)) return Base(BASE, "");
        for (uint256 i = 0; i < chain.length; ++i) {
            if (chain[i].name == name) return Base(chain[i].before, chain[i].claim);
        }
    }

    /// @dev The seats of the only group, in row order.
    function _seats(Entry memory entry) private view returns (Position[] memory seats) {
        Claim memory claim = abi.decode(entry.claim, (Claim));
        seats = new Position[](claim.domain);
        for (uint16 seat = 0; seat < claim.domain; ++seat) {
            seats[Shuffle.place(claim.epochSeed, seat, claim.domain)] = Position.wrap(seat);
        }
    }
}
