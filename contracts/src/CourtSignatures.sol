// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAccused} from "./Accused.sol";
import {Docket} from "./Docket.sol";
import {Fault} from "./TaskTypes.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

/// @notice What a committee member signed to freeze a round.
struct Ballot {
    bytes32 survivors; // keccak256 of the bitmap
    bytes32 disputes; // keccak256 of the packed pairs
    bytes signature; // 65 bytes: r, s, v
}

/// @title Signatures that convict whoever made them (EIP-712, in the domain of the task).
/// @notice It does not matter who is on the committee, or still a participant: only what was signed, and whether the
/// signer has anything at stake.
abstract contract CourtSignatures is Docket {
    bytes32 private constant SURVIVORS_TYPE =
        keccak256("Survivors(uint32 round,uint16 attempt,uint32 opening,bytes survivors,bytes disputes)");
    bytes32 private constant ATTESTATION_TYPE = keccak256("Attestation(uint32 round,uint16 attempt,bytes32 proposal)");

    /// @notice Convicts who attested a proposal that was found wrong. A proposal whose data was withheld convicts nobody
    /// but its aggregator, unless it is found wrong as well.
    /// @param task whose proposal it is.
    /// @param round as it was signed.
    /// @param attempt as it was signed.
    /// @param proposal the proposal's name.
    /// @param signature 65 bytes: r, s, v.
    function refuteAttestation(address task, uint32 round, uint16 attempt, bytes32 proposal, bytes calldata signature)
        external
    {
        IAccused accused = IAccused(task);
        if (!accused.convicted(proposal) || _withheld[task][proposal]) revert NotRefuted(proposal);
        bytes32 content = keccak256(abi.encode(ATTESTATION_TYPE, round, attempt, proposal));
        address signer = _signer(accused.domainSeparator(), content, signature);
        _sentence(accused, signer, Fault.WRONG_ATTESTATION, proposal, msg.sender);
    }

    /// @notice Convicts who signed two different sets of survivors for one opening: a round that is brought back has
    /// another.
    /// @param task whose round it is.
    /// @param round as it was signed, twice.
    /// @param attempt as it was signed, twice.
    /// @param opening as it was signed, twice.
    /// @param one a ballot.
    /// @param other a different ballot of the same account.
    function refuteSurvivors(
        address task,
        uint32 round,
        uint16 attempt,
        uint32 opening,
        Ballot calldata one,
        Ballot calldata other
    ) external {
        IAccused accused = IAccused(task);
        bytes32 first = _content(round, attempt, opening, one);
        bytes32 second = _content(round, attempt, opening, other);
        if (first == second) revert SameBallot(first);
        bytes32 domain = accused.domainSeparator();
        address signer = _signer(domain, first, one.signature);
        address again = _signer(domain, second, other.signature);
        if (signer != again) revert TwoSigners(signer, again);
        _sentence(accused, signer, Fault.CONFLICTING_SIGNATURES, bytes32(uint256(opening)), msg.sender);
    }

    function _content(uint32 round, uint16 attempt, uint32 opening, Ballot calldata ballot)
        private
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(SURVIVORS_TYPE, round, attempt, opening, ballot.survivors, ballot.disputes));
    }

    /// @dev Who signed; reverts where nobody did. One signature has one form: s in the lower half, v 27 or 28.
    function _signer(bytes32 domain, bytes32 content, bytes calldata signature) private pure returns (address signer) {
        bytes32 digest = MessageHashUtils.toTypedDataHash(domain, content);
        ECDSA.RecoverError fault;
        (signer, fault,) = ECDSA.tryRecoverCalldata(digest, signature);
        if (fault != ECDSA.RecoverError.NoError) revert BadSignature(digest);
    }
}
