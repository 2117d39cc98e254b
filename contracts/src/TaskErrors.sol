// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Finality, Phase, Position} from "./TaskTypes.sol";

/// @title Why a task refuses: every error carries the values that decided it.
interface TaskErrors {
    /// @notice The call belongs to another phase.
    error WrongPhase(Phase have, Phase need);
    /// @notice The commit phase of `round` ended at `deadline`.
    error CommitIsClosed(uint32 round, uint32 deadline);
    /// @notice The phase ended at `deadline`; poke() moves the task on.
    error TooLate(Phase phase, uint32 deadline);
    /// @notice Nothing to move on before `until` (seconds, or a block number while a draw is awaited).
    error NothingToDo(Phase phase, uint32 until);
    /// @notice The task is over.
    error TaskIsOver();
    /// @notice The task is paused; resume() ends that.
    error TaskIsPaused();
    /// @notice Only the factory starts a task.
    error NotFactory(address caller);

    /// @notice Consent is the digest of the terms.
    error WrongConsent(bytes32 have, bytes32 need);
    /// @notice The account already has a seat.
    error AlreadyJoined(address account, Position position);
    /// @notice The account has no seat.
    error NotEnrolled(address account);
    /// @notice All seats are taken.
    error TaskFull(uint16 seats);
    /// @notice The account already has keys for `opening`.
    error AlreadyReady(address account, uint32 opening);
    /// @notice The account takes part in the round under way.
    error StillBound(address account, uint32 opening);
    /// @notice The account's commit, which it may still send, carries its keys.
    error MayStillCommit(address account, uint32 opening);
    /// @notice The task is not open, and its sponsor did not admit the account.
    error NotAdmitted(address account);
    /// @notice The signature counted until `deadline`.
    error SignatureExpired(uint32 deadline);
    /// @notice The signature is for another of the account's joins.
    error WrongNonce(uint256 have, uint256 need);
    /// @notice The signature is another's, or nobody's.
    error WrongSigner(address recovered, address need);
    /// @notice The account's stake can be collected from `thawAt`, in seconds without pauses.
    error StakeIsThawing(address account, uint32 thawAt);
    /// @notice The account has no stake that thaws in this task.
    error NothingToCollect(address account);

    /// @notice The account may not act in this opening.
    error NotEligible(address account, uint32 opening);
    /// @notice One commit an opening.
    error AlreadyCommitted(address account, uint32 opening);
    /// @notice The commit counter must be one more than the stored one.
    error StaleGeneration(uint256 have, uint256 need);

    /// @notice Not the one encoding of a set of `domain` seats.
    error MalformedBitmap(uint256 length, uint16 domain);
    /// @notice Not a sorted list of at most 64 pairs, lower seat first.
    error MalformedPairs(uint256 length);
    /// @notice The survivors must be at least `need` and at most the commits.
    error SurvivorsOutOfRange(uint256 have, uint256 need, uint256 most);
    /// @notice The survivors are not those frozen.
    error WrongSurvivors(bytes20 have, bytes20 need);

    /// @notice The quorum needs more signatures.
    error TooFewSignatures(uint256 have, uint256 need);
    /// @notice One signature of 65 bytes for each signer.
    error SignaturesMismatch(uint256 signers, uint256 length);
    /// @notice Signers go in ascending order of seats.
    error SignersNotAscending(uint256 seat);
    /// @notice The signature at `index` is not by a member of the committee.
    error NotCommitteeMember(address recovered, uint256 index);

    /// @notice The beacon's block must be past.
    error BeaconPending(uint32 beaconBlock);
    /// @notice Ranks from `nextRank` may propose, one more each interval; `open` intervals have passed.
    error NotYourTurn(uint16 rank, uint16 nextRank, uint256 open);
    /// @notice The payouts never exceed the pool.
    error PayoutOutOfRange(uint256 total, uint256 pool);
    /// @notice The task's proposals become final in the other way.
    error WrongFinality(Finality have);
    /// @notice The chain of proposals ends in another head.
    error NotStanding(bytes32 have, bytes32 need);
    /// @notice The round is final already.
    error AlreadyFinal(uint32 round);
    /// @notice The proposal may be refuted until `until`.
    error WindowIsOpen(uint32 round, uint256 until);
    /// @notice A demand on one of the task's proposals is not answered yet.
    error DemandIsOpen(uint32 round);
    /// @notice The round is not final yet.
    error NotFinal(uint32 round, uint32 finalRounds);
    /// @notice Other claims follow the one that was given as the last.
    error NotLast(uint32 round);

    /// @notice Only the court convicts.
    error NotCourt(address caller);
    /// @notice The proposal was refuted before.
    error AlreadyConvicted(bytes32 proposal);
    /// @notice The account has nothing at stake in this task.
    error NothingAtStake(address account);
    /// @notice Only the guardian pauses.
    error NotGuardian(address caller, address guardian);
    /// @notice The task was paused for as long as a task can be.
    error PauseIsSpent(uint32 pausedSeconds);

    /// @notice The leaf is not under the payout root.
    error BadProof(address account, bytes32 payoutRoot);
    /// @notice The account has been paid all of it.
    error NothingToClaim(address account, uint256 claimed);
    /// @notice Only the sponsor.
    error NotSponsor(address caller, address sponsor);
    /// @notice The remainder was taken.
    error RemainderTaken();
    /// @notice The receiver refused the payment.
    error TransferFailed(address account, uint256 amount);
}
