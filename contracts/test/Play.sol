// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {VM} from "./Cheats.sol";
import {Chronicle, Entry, Lie} from "./Chronicle.sol";
import {Outcome} from "./Outcome.sol";
import {CommitWords} from "src/CommitPage.sol";
import {Merkle} from "src/Merkle.sol";
import {Slot} from "src/Slot.sol";
import {Aggregate, Book, Claim, Commitment, Position} from "src/TaskTypes.sol";

/// @title How members play a task.
abstract contract Play is Chronicle {
    bytes32 private constant SURVIVORS_TYPE =
        keccak256("Survivors(uint32 round,uint16 attempt,uint32 opening,bytes survivors,bytes disputes)");
    bytes32 private constant ATTESTATION_TYPE = keccak256("Attestation(uint32 round,uint16 attempt,bytes32 proposal)");

    function _deposit(uint256 who, uint256 amount) internal {
        VM.prank(_account(who));
        VAULT.deposit{value: amount}();
        put[_account(who)] += amount;
    }

    function _join(uint256 who) internal {
        (uint128 free,) = VAULT.stakeOf(_account(who));
        if (free < STAKE + BOND) _deposit(who, STAKE + BOND);
        VM.prank(_account(who));
        task.join(TERMS, bytes32(who + 1), bytes32(who + 1));
        _watch(false);
    }

    function _advertise(uint256 who) internal {
        VM.prank(_account(who));
        task.advertise(bytes32(who + 1), bytes32(who + 1));
        _watch(false);
    }

    function _commit(uint256 who, uint256 luck) internal {
        (CommitWords memory words, Commitment memory made, bytes24 before) = _words(who, luck);
        VM.prank(_account(who));
        task.commit(words);
        _remember(_account(who), made, before);
        _watch(false);
    }

    /// @dev What a member commits. The dishonest commit, at times, to seeds that they will not show.
    function _words(uint256 who, uint256 luck)
        internal
        view
        returns (CommitWords memory words, Commitment memory made, bytes24 before)
    {
        address account = _account(who);
        Slot memory state = task.slot();
        uint32 generation;
        (, generation, before) = task.commitmentOf(account);
        words.generation = generation + 1;
        words.updateRoot = keccak256(abi.encode(account, state.opening));
        words.seedsRoot = Outcome.noSeeds(Merkle.height(state.domain));
        if (who >= HONEST && luck % 2 == 0) words.seedsRoot = keccak256("hidden");
        (made.opening, made.round, made.attempt) = (state.opening, state.round, state.attempt);
        (made.position, made.participant) = (task.participant(account).position, account);
        (made.updateRoot, made.seedsRoot) = (words.updateRoot, words.seedsRoot);
    }

    /// @dev Members sign the freeze of all who committed, or all but one. False where they are no quorum.
    function _freeze(uint256 luck) internal returns (bool) {
        Slot memory state = task.slot();
        uint256 bits = _committers(state);
        uint256 spared = uint256(1) << (luck % 8);
        if (luck % 3 == 0 && _ones(bits & ~spared) >= _params().minParticipants) bits &= ~spared;
        bytes memory set = abi.encodePacked(uint8(bits));
        (bytes memory signatures, bytes memory by) = _sign(_ballotDigest(state, set), state, 0);
        if (signatures.length / 65 < _quorum(state) || _ones(bits) < _params().minSurvivors) return false;
        (survivors, signers) = (set, by);
        task.freeze(set, "", signatures);
        _watch(false);
        return true;
    }

    /// @dev An aggregator proposes, when its turn comes. False where none of them may.
    function _propose(Lie lie, uint256 luck) internal returns (bool) {
        (uint256 first, uint256 end) = lie == Lie.NONE ? (0, HONEST) : (HONEST, MEMBERS);
        for (uint256 turn = 0; turn <= MEMBERS; ++turn) {
            for (uint256 i = first; i < end; ++i) {
                uint256 who = first + (i + luck) % (end - first);
                if (_proposes(who, lie)) return true;
            }
            _wait(_params().rankSeconds);
        }
        return false;
    }

    function _proposes(uint256 who, Lie lie) private returns (bool) {
        (Slot memory state, Book memory book) = (task.slot(), task.book());
        Entry memory entry;
        Claim memory claim;
        (claim.aggregate, entry) = _outcome(who, lie, state, book);
        (claim.position, claim.epochSeed) = (task.participant(_account(who)).position, task.epochSeed());
        VM.prank(_account(who));
        try task.propose(claim.aggregate, survivors, signers, entry.before) {}
        catch {
            return false;
        }
        uint16 next = task.slot().nextRank;
        (claim.round, claim.attempt) = (state.round, state.attempt);
        claim.opening = book.resumed != 0 ? book.resumed : state.opening;
        (claim.domain, claim.eligible, claim.rank) =
        (state.domain, state.eligible, (next == 0 ? state.domain : next) - 1);
        (claim.aggregator, claim.proposedAt) = (_account(who), uint32(VM.getBlockTimestamp()));
        (claim.pausedBefore, claim.frozen) = (book.pausedSeconds, sha256(bytes.concat(survivors, signers)));
        entry.claim = abi.encode(claim);
        entry.name = keccak256(abi.encode(entry.before, keccak256(entry.claim)));
        (entry.bornAt, entry.convictions) = (task.clock(), convictions[_account(who)]);
        chain.push(entry);
        _watch(false);
        _hold(chain.length != 0 && chain[chain.length - 1].name == entry.name, "a claim has its name");
        return true;
    }

    /// @dev What a member proposes of the round under way.
    function _outcome(uint256 who, Lie lie, Slot memory state, Book memory book)
        private
        view
        returns (Aggregate memory made, Entry memory entry)
    {
        (entry.lie, entry.author, entry.survivors, entry.signers) = (lie, who, survivors, signers);
        (entry.before,) = task.heads();
        if (chain.length != 0) {
            entry.owed = chain[chain.length - 1].owed;
            made.payoutTotal = abi.decode(chain[chain.length - 1].claim, (Claim)).aggregate.payoutTotal;
        }
        uint32 opening = book.resumed != 0 ? book.resumed : state.opening;
        made.payoutTotal += _pay(entry, who, opening);
        if (lie == Lie.PAYOUT_TOTAL) made.payoutTotal -= 1;
        if (lie == Lie.PAYOUT_LEAF) entry.owed[7] = 1e17;
        entry.weight = lie == Lie.WEIGHT ? 0 : uint32(_ones(uint8(survivors[0])));
        made.sumRoot = Outcome.sumRoot(entry.weight);
        made.totalWeight = lie == Lie.TOTAL ? entry.weight + 1 : entry.weight;
        made.unmaskRoot = Outcome.noSeeds(2 * Merkle.height(state.domain));
        if (lie == Lie.STATE) made.stateRoot = keccak256("state");
        made.modelRoot =
            lie == Lie.HIDDEN ? keccak256("hidden") : Outcome.modelRoot(Outcome.model(state.round, opening));
        made.payoutRoot = Outcome.payoutRoot(_payees(), entry.owed);
        made.groups = lie == Lie.SETS ? bytes("") : bytes(hex"01");
        made.quarantined = hex"00";
    }

    /// @dev Adds what the round pays to what is owed (docs/payouts.md).
    function _pay(Entry memory entry, uint256 aggregator, uint32 opening) private view returns (uint256 worth) {
        worth = POOL / _params().rounds;
        entry.owed[7] = 0;
        (uint256 counted, uint256 attesting) = (uint8(survivors[0]), uint8(survivors[0] & signers[0]));
        uint256 each = (worth * _law().survivorsShare) / 10_000 / _ones(counted);
        uint256 fee = attesting == 0 ? 0 : (worth * _law().attestersShare) / 10_000 / _ones(attesting);
        uint256 prize = (worth * _law().aggregatorShare) / 10_000;
        entry.owed[0] += worth - each * _ones(counted) - fee * _ones(attesting) - prize;
        entry.owed[task.participant(_account(aggregator)).payee] += prize;
        for (uint256 seat = 0; seat < 8; ++seat) {
            address account = seated[address(task)][opening][seat];
            uint256 payee = task.participant(account).payee;
            if ((counted >> seat) & 1 == 1) entry.owed[payee] += each;
            if ((attesting >> seat) & 1 == 1) entry.owed[payee] += fee;
        }
    }

    /// @dev Honest members attest honest claims, the others any. False where they are no quorum.
    function _finalize() internal returns (bool) {
        Slot memory state = task.slot();
        Entry storage entry = chain[chain.length - 1];
        uint256 from = entry.lie == Lie.NONE ? 0 : HONEST;
        (bytes memory signatures,) = _sign(_attestationDigest(state.round, state.attempt, entry.name), state, from);
        if (signatures.length / 65 < _quorum(state)) return false;
        task.finalize(signatures);
        _watch(false);
        return true;
    }

    /// @dev Settles a claim and all before it.
    function _settle(uint256 index) internal {
        task.settle(chain[index].before, abi.decode(chain[index].claim, (Claim)), _later(index));
        _watch(false);
    }

    /// @dev When the window of a claim is over, and no demand keeps it open, in block time.
    function _windowEnd(uint256 index) internal view returns (uint256) {
        Claim memory claim = abi.decode(chain[index].claim, (Claim));
        uint256 pauses = task.book().pausedSeconds;
        uint256 end = uint256(claim.proposedAt) + _params().attestSeconds + pauses - claim.pausedBefore;
        uint256 busy = COURT.busyUntil(address(task)) + pauses;
        return busy > end ? busy : end;
    }

    /// @dev Signatures of the members from `from` on who are eligible, by seats.
    function _sign(bytes32 content, Slot memory state, uint256 from)
        internal
        view
        returns (bytes memory signatures, bytes memory by)
    {
        bytes32 digest = _typed(content);
        uint256 bits = 0;
        for (uint16 seat = 0; seat < state.domain; ++seat) {
            address account = task.memberAt(Position.wrap(seat));
            for (uint256 who = from; who < MEMBERS; ++who) {
                if (account != _account(who) || !task.isEligible(account)) continue;
                signatures = bytes.concat(signatures, _signature(who, digest));
                bits |= uint256(1) << seat;
            }
        }
        by = abi.encodePacked(uint8(bits));
    }

    function _signature(uint256 who, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(_key(who), digest);
        return abi.encodePacked(r, s, v);
    }

    function _typed(bytes32 content) internal view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", task.domainSeparator(), content));
    }

    function _ballotDigest(Slot memory state, bytes memory set) internal pure returns (bytes32) {
        bytes32 none = keccak256("");
        return keccak256(abi.encode(SURVIVORS_TYPE, state.round, state.attempt, state.opening, keccak256(set), none));
    }

    function _attestationDigest(uint32 round, uint16 attempt, bytes32 name) internal pure returns (bytes32) {
        return keccak256(abi.encode(ATTESTATION_TYPE, round, attempt, name));
    }

    /// @dev The bitmap of who committed in the opening under way and is still there.
    function _committers(Slot memory state) internal view returns (uint256 bits) {
        for (uint16 seat = 0; seat < state.domain; ++seat) {
            address account = seated[address(task)][state.opening][seat];
            bool stays = account != address(0) && task.memberAt(Position.wrap(seat)) == account;
            if (stays) bits |= uint256(1) << seat;
        }
    }

    function _payees() internal view returns (address[8] memory accounts) {
        accounts[0] = TREASURY;
        for (uint256 who = 0; who < MEMBERS; ++who) {
            uint256 payee = task.participant(_account(who)).payee;
            if (payee != 0) accounts[payee] = _account(who);
        }
        accounts[7] = _account(MEMBERS - 1);
    }

    function _quorum(Slot memory state) internal pure returns (uint256) {
        return (2 * uint256(state.eligible)) / 3 + 1;
    }

    function _ones(uint256 bits) internal pure returns (uint256 count) {
        for (; bits != 0; bits &= bits - 1) {
            ++count;
        }
    }
}
