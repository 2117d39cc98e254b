// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Bitmap} from "./Bitmap.sol";
import {CloneSettings} from "./CloneSettings.sol";
import {Committee} from "./Committee.sol";
import {ParticipantWord, Record} from "./Participant.sol";
import {Shuffle} from "./Shuffle.sol";
import {Slot, SlotWord} from "./Slot.sol";
import {TaskFlow} from "./TaskFlow.sol";
import {Aggregate, Book, EndReason, Frozen, Outcome, Params, Phase, Position, Settings} from "./TaskTypes.sol";

/// @title A round: commit, freeze, propose, finalise.
abstract contract Rounds is TaskFlow, Committee {
    using Bitmap for bytes;

    uint256 private constant MAX_GROUP_BYTES = 128; // 1,024 groups

    /// @notice Commits to a masked update, and sends the keys for the next opening.
    /// @param generation one more than the caller's stored counter: a node restored from an old backup notices here.
    /// @param updateRoot Merkle root over the masked chunks.
    /// @param seedsRoot Merkle root over the hashes of the caller's mask seeds.
    /// @param bundle sha256 digest of the bundle's block.
    /// @param dataRoot salted Merkle root of the dataset.
    /// @param maskKey X25519 public key for mask seeds, next opening.
    /// @param boxKey X25519 public key for sealed shares, next opening.
    function commit(
        uint32 generation,
        bytes32 updateRoot,
        bytes32 seedsRoot,
        bytes32 bundle,
        bytes32 dataRoot,
        bytes32 maskKey,
        bytes32 boxKey
    ) external {
        SlotWord state = _slot;
        (uint32 round, uint16 attempt, uint32 opening) = (state.round(), state.attempt(), state.opening());
        if (state.phase() != Phase.COMMIT) revert WrongPhase(state.phase(), Phase.COMMIT);
        if (block.timestamp >= state.deadline()) revert CommitIsClosed(round, state.deadline());
        Record storage record = _records[msg.sender];
        ParticipantWord who = record.participant;
        if (!who.isEligible(opening, state.freshEpoch())) revert NotEligible(msg.sender, opening);
        if (who.committedOpening() == opening) revert AlreadyCommitted(msg.sender, opening);
        if (generation != who.nextGeneration()) revert StaleGeneration(generation, who.nextGeneration());

        state = state.plusCommit(who.isReadyAfter(opening) ? 0 : 1);
        record.participant = who.plusCommit(opening, generation);
        record.commitment = keccak256(
            abi.encode(
                block.chainid, address(this), round, attempt, msg.sender, updateRoot, seedsRoot, bundle, dataRoot
            )
        );
        emit UpdateCommitted(
            round,
            attempt,
            msg.sender,
            who.position(),
            generation,
            updateRoot,
            seedsRoot,
            bundle,
            dataRoot,
            maskKey,
            boxKey
        );
        if (state.isFull()) {
            Slot memory full = state.unpack();
            _closeCommits(full, CloneSettings.fetch().params);
            state = full.pack();
        }
        _slot = state;
    }

    /// @notice Freezes the round's survivors with a quorum's signatures. There is never a second freeze of a round.
    /// @param survivors bitmap of the seats whose updates count.
    /// @param disputes packed pairs of seats whose seeds disagree, not to be grouped again.
    /// @param positions the signers' seats, ascending.
    /// @param signatures 65 bytes a signer: r, s, v.
    function freeze(
        bytes calldata survivors,
        bytes calldata disputes,
        Position[] calldata positions,
        bytes calldata signatures
    ) external {
        Slot memory state = _slot.unpack();
        _requirePhase(state, Phase.FREEZE);
        if (block.timestamp >= state.deadline) revert TooLate(state.phase, state.deadline);
        Params memory params = CloneSettings.fetch().params;
        uint256 members = survivors.count(state.domain);
        if (members < params.minSurvivors || members > state.committed) {
            revert SurvivorsOutOfRange(members, params.minSurvivors, state.committed);
        }
        disputes.requirePairs();
        bytes memory signers =
            _requireQuorum(state, _survivorsDigest(state, survivors, disputes), positions, signatures);

        Frozen memory set = Frozen({
            survivors: bytes20(sha256(survivors)),
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

    /// @notice Proposes the round's outcome. A beacon after the freeze ranks the eligible; one more rank may propose
    /// each interval, round the circle.
    /// @param aggregate the outcome.
    /// @param survivors the frozen bitmap.
    function propose(Aggregate calldata aggregate, bytes calldata survivors) external {
        Slot memory state = _slot.unpack();
        _requirePhase(state, Phase.AGGREGATE);
        if (block.timestamp >= state.deadline) revert TooLate(state.phase, state.deadline);
        ParticipantWord word = _records[msg.sender].participant;
        if (!word.isEligible(state.opening, state.freshEpoch())) revert NotEligible(msg.sender, state.opening);
        Position position = word.position();
        Settings memory terms = CloneSettings.fetch();
        uint16 rank = _requireTurn(state, position, survivors, terms.params.rankSeconds);
        _requireBounds(state, aggregate, terms.pool);

        bytes32 hash = keccak256(abi.encode(state.round, state.attempt, msg.sender, aggregate));
        uint256 next = state.round & 1;
        _proposal = hash;
        _outcomes[next] = Outcome(aggregate.modelRoot, aggregate.payoutRoot);
        Book memory book = _book;
        book.proposer = Position.unwrap(position);
        if (next == 0) book.evenTotal = uint96(aggregate.payoutTotal);
        else book.oddTotal = uint96(aggregate.payoutTotal);
        _book = book;
        state.phase = Phase.ATTEST;
        state.deadline = _now() + terms.params.attestSeconds;
        state.nextRank = rank + 1 == state.domain ? 0 : rank + 1;
        _slot = state.pack();
        emit AggregateProposed(state.round, state.attempt, msg.sender, position, rank, hash, aggregate, state.deadline);
    }

    /// @notice Makes the proposal final with a quorum's signatures, and opens what follows.
    /// @param aggregator who proposed it.
    /// @param aggregate the outcome it proposed.
    /// @param positions the signers' seats, ascending.
    /// @param signatures 65 bytes a signer: r, s, v.
    function finalize(
        address aggregator,
        Aggregate calldata aggregate,
        Position[] calldata positions,
        bytes calldata signatures
    ) external {
        Slot memory state = _slot.unpack();
        _requirePhase(state, Phase.ATTEST);
        if (block.timestamp >= state.deadline) revert TooLate(state.phase, state.deadline);
        bytes32 hash = keccak256(abi.encode(state.round, state.attempt, aggregator, aggregate));
        if (hash != _proposal) revert WrongProposal(hash, _proposal);
        bytes memory signers = _requireQuorum(state, _attestationDigest(state, hash), positions, signatures);

        emit RoundFinalized(
            state.round,
            state.attempt,
            _outcomes[_final(state)].modelRoot,
            aggregate.modelRoot,
            aggregate.stateRoot,
            signers
        );
        Params memory params = CloneSettings.fetch().params;
        bool redraw = state.round % params.epochRounds == 0;
        ++state.round; // from here the proposed outcome is the final one
        state.attempt = 1;
        if (state.round > params.rounds) _end(state, EndReason.COMPLETED);
        else _proceed(state, params, redraw);
        _slot = state.pack();
    }

    /// @dev The caller's rank, drawn from a block after the freeze and the frozen set. Where that block's hash is out
    /// of reach (256 blocks) any eligible participant may propose, in the place of the rank whose turn it is.
    function _requireTurn(Slot memory state, Position position, bytes calldata survivors, uint32 rankSeconds)
        private
        view
        returns (uint16 rank)
    {
        Frozen memory set = _frozen;
        if (block.number <= set.beaconBlock) revert BeaconPending(set.beaconBlock);
        bytes32 digest = sha256(survivors);
        if (bytes20(digest) != set.survivors) revert WrongSurvivors(bytes20(digest), set.survivors);
        bytes32 beacon = blockhash(set.beaconBlock);
        if (beacon == 0) return state.nextRank;
        bytes32 seed = sha256(abi.encodePacked("foedus/aggregator/v1", beacon, _epochSeed, digest));
        rank = uint16(Shuffle.place(seed, Position.unwrap(position), state.domain));
        uint256 distance = (uint256(rank) + state.domain - state.nextRank) % state.domain;
        uint256 open = (block.timestamp - set.aggregateFrom) / rankSeconds;
        if (distance > open) revert NotYourTurn(rank, state.nextRank, open);
    }

    function _requireBounds(Slot memory state, Aggregate calldata aggregate, uint256 pool) private view {
        uint256 last = _total(_final(state));
        if (aggregate.payoutTotal < last || aggregate.payoutTotal > pool) {
            revert PayoutOutOfRange(aggregate.payoutTotal, last, pool);
        }
        if (aggregate.groups.length > MAX_GROUP_BYTES || aggregate.quarantined.length > MAX_GROUP_BYTES) {
            revert MalformedBitmap(aggregate.groups.length + aggregate.quarantined.length, state.domain);
        }
    }
}
