// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAccused} from "./Accused.sol";
import {CourtErrors} from "./CourtErrors.sol";
import {CourtEvents} from "./CourtEvents.sol";
import {History} from "./History.sol";
import {Case} from "./Judge.sol";
import {Fault, Law} from "./TaskTypes.sol";

/// @title Opening a case, and what is remembered of closed ones.
abstract contract Docket is CourtErrors, CourtEvents {
    /// @dev Proposals convicted because a demand was not answered, and not found wrong since: whoever attested one may
    /// be innocent.
    mapping(address task => mapping(bytes32 proposal => bool)) internal _withheld;

    /// @dev Who was convicted for what: once, also where it joins again.
    mapping(bytes32 sentence => bool) private _sentenced;

    /// @dev The name of the case's proposal.
    function _nameOf(Case calldata case_) internal pure returns (bytes32) {
        return History.proposal(case_.before, History.hashOf(case_.claim));
    }

    /// @dev Reverts unless the proposal is in the task's chain, or awaits a quorum.
    /// @param later hashes of the claims after it.
    /// @return proposed the name of the proposal that awaits a quorum; zero where none does.
    function _requireStanding(IAccused task, bytes32 name, bytes32[] calldata later)
        internal
        view
        returns (bytes32 proposed)
    {
        bytes32 standing;
        (standing, proposed) = task.heads();
        _requireHead(History.head(name, later), standing, proposed);
    }

    /// @dev Reverts unless a chain's head is one of the task's.
    function _requireHead(bytes32 head, bytes32 standing, bytes32 proposed) internal pure {
        if (head != standing && head != proposed) revert NotStanding(head, standing, proposed);
    }

    /// @dev Reverts unless `need` is the law's hash.
    function _requireLaw(Law calldata law, bytes32 need) internal pure {
        bytes32 have = keccak256(abi.encode(law));
        if (have != need) revert WrongLaw(have, need);
    }

    /// @dev Convicts an account, once for a kind of fault in one place.
    /// @param place the proposal that was attested, or the opening's number.
    function _sentence(IAccused task, address account, Fault fault, bytes32 place, address challenger) internal {
        bytes32 sentence = keccak256(abi.encode(task, account, fault, place));
        if (_sentenced[sentence]) revert AlreadySentenced(account, fault, place);
        _sentenced[sentence] = true;
        emit MemberSentenced(address(task), account, fault, place, challenger);
        task.convictMember(account, fault, challenger);
    }
}
