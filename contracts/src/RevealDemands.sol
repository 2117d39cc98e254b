// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAccused} from "./Accused.sol";
import {Bonds} from "./Bonds.sol";
import {Commitments} from "./Commitments.sol";
import {Reveal} from "./DemandTypes.sol";
import {Docket} from "./Docket.sol";
import {History} from "./History.sol";
import {Case, Committed} from "./Judge.sol";
import {Merkle} from "./Merkle.sol";
import {Roll} from "./Roll.sol";
import {Seating} from "./Seating.sol";
import {Slot} from "./Slot.sol";
import {SumPath} from "./SumPath.sol";
import {Commitment, Fault, Phase, Position, Settings} from "./TaskTypes.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title Asking a survivor for a seed that it owes once its round is frozen.
/// @notice Owed are the seed of its own mask, and those that it shares with who is out. Never one that two survivors
/// share, nor any of who is out: each keeps an update apart from the sum for ever.
abstract contract RevealDemands is Docket, Bonds {
    /// @notice The hash of the chain's first block, which every seed's commitment names.
    bytes32 public immutable GENESIS;

    constructor(bytes32 genesis) {
        GENESIS = genesis;
    }

    /// @notice Asks for a seed of the round that is being aggregated. The value sent is the bond.
    /// @param last the claim that stands last, with the task's law; in round 1 only task and law count.
    /// @param committed the survivor's commitment in the round's opening.
    /// @param frozen the bitmaps of survivors and of the freeze's signers, one after the other.
    /// @param other who is out, or the survivor itself for the seed of its own mask.
    /// @return demand its name.
    function demandReveal(Case calldata last, Committed calldata committed, bytes calldata frozen, Position other)
        external
        payable
        returns (bytes32 demand)
    {
        IAccused task = IAccused(last.task);
        Settings memory terms = task.settings();
        _requireLaw(last.law, terms.law);
        SumPath.requireSeeds(last.law.mode);
        Slot memory state = task.slot();
        if (state.phase != Phase.AGGREGATE) revert NotAggregating(state.phase);
        _requireFrozen(task, frozen);
        uint32 resumed = task.book().resumed;
        _requireCommitted(task, committed, resumed != 0 ? resumed : state.opening);
        _requireOwed(frozen, committed.made.position, other);

        Reveal memory asked = _seat(task, committed.made, other, state.domain, last.law.groupSize);
        asked.round = state.round;
        asked.attempt = state.attempt;
        (asked.onto,) = task.heads();
        asked.base = state.round == 1 ? terms.baseRoot : _baseRoot(asked.onto, last);
        uint32 deadline = SafeCast.toUint32(uint256(task.clock()) + terms.params.answerSeconds);
        demand = demandId(asked.task, keccak256(abi.encode(asked)));
        _ask(demand, 32 + 32 * Merkle.height(asked.width), deadline);
        emit RevealDemanded(demand, asked.task, msg.sender, asked, deadline, msg.value);
    }

    /// @notice Shows the seed that was asked for, or that the survivor committed to none; the bond is the caller's.
    /// Anyone may answer.
    /// @param asked as the demand's event tells it.
    /// @param other the account in the seat of `asked.other` that the commitment names; in the survivor's own, ignored.
    /// @param seed the seed; zero where there is none.
    /// @param siblings the hashes beside the seed's commitment, from the leaf up.
    function answerReveal(Reveal calldata asked, address other, bytes32 seed, bytes32[] calldata siblings) external {
        if (Position.unwrap(asked.other) == Position.unwrap(asked.position)) other = asked.owner;
        bytes32 content = seed == 0 ? bytes32(0) : _seedHash(asked, other, seed);
        if (!Merkle.verify(asked.seedsRoot, Merkle.leaf(bytes.concat(content)), asked.row, asked.width, siblings)) {
            revert NotUnderRoot(asked.seedsRoot, asked.row);
        }
        _answer(IAccused(asked.task), demandId(asked.task, keccak256(abi.encode(asked))));
        emit SeedRevealed(asked.task, asked.owner, asked.opening, asked.other, seed);
    }

    /// @notice Convicts a survivor for whom nobody showed the seed in time. Anyone may call; the demander has its bond
    /// back, and is the challenger. Where what the round builds on has fallen, nobody needs the seed any more: nobody is
    /// convicted, and the demander abandons its demand.
    /// @param asked as the demand's event tells it.
    /// @param later hashes of the claims after the one that the round builds on.
    function lapseReveal(Reveal calldata asked, bytes32[] calldata later) external {
        IAccused task = IAccused(asked.task);
        _requireStanding(task, asked.onto, later);
        address demander = _lapse(task, demandId(asked.task, keccak256(abi.encode(asked))), 0);
        _sentence(task, asked.owner, Fault.WITHHELD_REVEAL, bytes32(uint256(asked.opening)), demander);
    }

    function _requireFrozen(IAccused task, bytes calldata frozen) private view {
        bytes20 have = bytes20(sha256(frozen));
        bytes20 need = task.frozen().digest;
        if (have != need) revert Roll.NotFrozen(have, need);
    }

    /// @dev Reverts unless the participant committed this in `opening`.
    function _requireCommitted(IAccused task, Committed calldata committed, uint32 opening) private view {
        address participant = committed.made.participant;
        bytes24 have = History.digest(committed.before, History.inner(address(task), committed.made));
        have = History.latest(have, committed.later);
        (,, bytes24 need) = task.commitmentOf(participant);
        if (have != need) revert Commitments.NotCommitted(participant, have, need);
        if (committed.made.opening != opening) revert Commitments.OfAnotherOpening(committed.made.opening, opening);
    }

    /// @dev The owner survived, and `other` is the owner or did not.
    function _requireOwed(bytes calldata frozen, Position owner, Position other) private pure {
        if (!Roll.survived(frozen, owner)) revert NotSurvivor(owner);
        if (Position.unwrap(owner) != Position.unwrap(other) && Roll.survived(frozen, other)) {
            revert SharedBySurvivors(owner, other);
        }
    }

    /// @dev Where the seed's commitment is: the row of `other` in the group of both.
    function _seat(IAccused task, Commitment calldata made, Position other, uint256 domain, uint256 groupSize)
        private
        view
        returns (Reveal memory asked)
    {
        bytes32 seed = task.epochSeed();
        uint256 groups = Seating.groups(domain, groupSize);
        (uint256 own,) = Seating.place(seed, made.position, domain, groups);
        (uint256 group, uint256 row) = Seating.place(seed, other, domain, groups);
        if (group != own) revert NotGrouped(made.position, other);
        asked.task = address(task);
        asked.opening = made.opening;
        asked.owner = made.participant;
        asked.position = made.position;
        asked.other = other;
        asked.seedsRoot = made.seedsRoot;
        asked.row = uint32(row);
        asked.width = uint32(1 << Seating.rowLevels(domain, groups));
    }

    function _baseRoot(bytes32 standing, Case calldata last) private pure returns (bytes32) {
        bytes32 name = _nameOf(last);
        if (name != standing) revert WrongBase(name, standing);
        return last.claim.aggregate.modelRoot;
    }

    /// @dev The commitment to a seed: `seed_hash` of protocol/commitments.py, parts framed by their lengths.
    function _seedHash(Reveal calldata asked, address other, bytes32 seed) private view returns (bytes32) {
        (address low, address high) = asked.owner < other ? (asked.owner, other) : (other, asked.owner);
        bytes memory context = abi.encodePacked(
            GENESIS, uint64(block.chainid), asked.task, asked.round, uint32(asked.attempt), asked.base, bytes28(0)
        );
        return sha256(
            abi.encodePacked(
                uint32(14), "foedus/seed/v1", uint32(128), context, uint32(20), low, uint32(20), high, uint32(32), seed
            )
        );
    }
}
