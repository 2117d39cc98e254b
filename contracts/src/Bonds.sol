// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAccused} from "./Accused.sol";
import {CourtErrors} from "./CourtErrors.sol";
import {CourtEvents} from "./CourtEvents.sol";
import {OpenDemand} from "./DemandTypes.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title Open demands and the bonds on them. Whoever answers is paid, and where nobody does, whoever asked: by pull.
/// @notice The court owes what open demands hold and what accounts are credited with, and nothing else moves its ether.
/// A task decides about the demands on itself alone, so an address that is no task cheats those who ask it, and nobody
/// else.
abstract contract Bonds is CourtErrors, CourtEvents {
    /// @notice Gas of an answer beside its bytes.
    uint256 public constant ANSWER_GAS = 75_000;
    /// @notice Gas of a byte of an answer: its calldata, its hash, its place in the log.
    uint256 public constant ANSWER_BYTE_GAS = 50;

    mapping(bytes32 demand => OpenDemand) private _demands;

    /// @notice What an account can withdraw, in wei.
    mapping(address account => uint256) public credit;

    /// @notice The least bond on a demand, in wei: what the answer costs at twice the base fee and a tip of 1 gwei. The
    /// base fee doubles in no fewer than six blocks; a demander may offer more.
    /// @param size bytes of the answer: of the leaf or the nodes, and 32 for every hash beside.
    /// @param baseFee of the block with the demand, in wei.
    function bondFor(uint256 size, uint256 baseFee) public pure returns (uint256) {
        return (ANSWER_GAS + ANSWER_BYTE_GAS * size) * (2 * baseFee + 1 gwei);
    }

    /// @notice An open demand; all zero where there is none.
    function openDemand(bytes32 demand) external view returns (OpenDemand memory) {
        return _demands[demand];
    }

    /// @notice The name of a demand.
    /// @param task on which it is made.
    /// @param asked keccak256 of the encoded Demand or Reveal.
    function demandId(address task, bytes32 asked) public pure returns (bytes32) {
        return keccak256(abi.encode(task, asked));
    }

    /// @notice Takes the bond back when a demand was not answered, nor lapsed for another span of `answerSeconds`: the
    /// way out where there is nobody to convict. Only the demander [else an accomplice could ask first, and withdraw
    /// the question before anybody lapses it].
    /// @param task on which the demand was made.
    /// @param asked keccak256 of the encoded Demand or Reveal.
    function abandon(address task, bytes32 asked) external {
        bytes32 demand = demandId(task, asked);
        address demander = _demands[demand].demander;
        if (demander != msg.sender) revert NotDemander(msg.sender, demander);
        _lapse(IAccused(task), demand, IAccused(task).settings().params.answerSeconds);
    }

    /// @notice Pays out all that the caller is owed.
    /// @param to who receives it.
    function withdraw(address to) external {
        uint256 amount = credit[msg.sender];
        if (amount == 0) revert NothingToWithdraw(msg.sender);
        credit[msg.sender] = 0;
        emit CreditWithdrawn(msg.sender, to, amount);
        (bool paid,) = to.call{value: amount}("");
        if (!paid) revert TransferFailed(to, amount);
    }

    /// @dev Opens a demand for the value sent.
    /// @param size bytes of the answer.
    /// @param deadline in the task's time.
    function _ask(bytes32 demand, uint256 size, uint32 deadline) internal {
        uint256 need = bondFor(size, block.basefee);
        if (msg.value < need) revert BondTooLow(msg.value, need);
        if (_demands[demand].demander != address(0)) revert AlreadyDemanded(demand);
        _demands[demand] = OpenDemand(msg.sender, deadline, SafeCast.toUint64(msg.value));
    }

    /// @dev Closes a demand for the caller, who answered it in time.
    function _answer(IAccused task, bytes32 demand) internal {
        OpenDemand memory open = _requireOpen(demand);
        uint256 clock = task.clock();
        if (clock >= open.deadline) revert TooLateToAnswer(demand, clock, open.deadline);
        delete _demands[demand];
        credit[msg.sender] += open.bond;
        emit DemandAnswered(demand, address(task), msg.sender, open.bond);
    }

    /// @dev Closes a demand that nobody answered; `grace` seconds after the deadline.
    function _lapse(IAccused task, bytes32 demand, uint256 grace) internal returns (address demander) {
        OpenDemand memory open = _requireOpen(demand);
        uint256 clock = task.clock();
        if (clock < open.deadline + grace) revert DemandIsPending(demand, clock, open.deadline + grace);
        demander = open.demander;
        delete _demands[demand];
        credit[demander] += open.bond;
        emit DemandLapsed(demand, address(task), demander, open.bond);
    }

    function _requireOpen(bytes32 demand) private view returns (OpenDemand memory open) {
        open = _demands[demand];
        if (open.demander == address(0)) revert NotDemanded(demand);
    }
}
