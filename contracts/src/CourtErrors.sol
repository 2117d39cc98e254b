// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Tree} from "./DemandTypes.sol";
import {Fault, Phase, Position} from "./TaskTypes.sol";

/// @title Why the court refuses: every error carries the values that decided it.
interface CourtErrors {
    /// @notice The court does not know this judge.
    error UnknownJudge(address judge);
    /// @notice The law shown is not the task's.
    error WrongLaw(bytes32 have, bytes32 need);
    /// @notice The claim and those after it end in `head`, and the task stands at neither of its own.
    error NotStanding(bytes32 head, bytes32 standing, bytes32 proposed);
    /// @notice Nobody was convicted for a wrong claim of this name.
    error NotRefuted(bytes32 proposal);

    /// @notice Nobody signed that: the signature is malformed or malleable.
    error BadSignature(bytes32 digest);
    /// @notice Both signatures are for the same.
    error SameBallot(bytes32 digest);
    /// @notice The signatures are of two accounts.
    error TwoSigners(address one, address other);
    /// @notice The account was convicted for this before: of this proposal, or in the opening of this number.
    error AlreadySentenced(address account, Fault fault, bytes32 place);

    /// @notice An answer costs more than the bond.
    error BondTooLow(uint256 have, uint256 need);
    /// @notice The same demand is open.
    error AlreadyDemanded(bytes32 demand);
    /// @notice No such demand is open.
    error NotDemanded(bytes32 demand);
    /// @notice The demand was to be answered before `deadline`, in the task's time.
    error TooLateToAnswer(bytes32 demand, uint256 clock, uint256 deadline);
    /// @notice The demand may yet be answered, or lapse: until `until`, in the task's time.
    error DemandIsPending(bytes32 demand, uint256 clock, uint256 until);
    /// @notice Another account demanded that.
    error NotDemander(address caller, address demander);
    /// @notice The claim shown is not the one that the demand is about.
    error WrongProposal(bytes32 have, bytes32 need);
    /// @notice There is nothing to withdraw.
    error NothingToWithdraw(address account);
    /// @notice The receiver refused the payment.
    error TransferFailed(address to, uint256 amount);

    /// @notice Another function asks about this tree.
    error WrongTree(Tree tree);
    /// @notice The tree has `count` leaves.
    error NoSuchLeaf(uint256 index, uint256 count);
    /// @notice The node of the sum tree is a leaf.
    error NotInner(uint256 node);
    /// @notice The answer is not `need` bytes, or nodes, long.
    error WrongLength(uint256 have, uint256 need);
    /// @notice The answer is not under the root.
    error NotUnderRoot(bytes32 root, uint256 index);
    /// @notice The node shown at `depth` is not its parent's child.
    error NotOnPath(uint256 depth, bytes32 have, bytes32 need);

    /// @notice The position is not among the survivors.
    error NotSurvivor(Position position);

    /// @notice Seeds are due while a round is aggregated.
    error NotAggregating(Phase phase);
    /// @notice The base shown is not what the round builds on.
    error WrongBase(bytes32 have, bytes32 need);
    /// @notice What two survivors share stays theirs for ever.
    error SharedBySurvivors(Position owner, Position other);
    /// @notice The two sit in different groups, and share nothing.
    error NotGrouped(Position owner, Position other);
}
