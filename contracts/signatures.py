"""What committee members sign: EIP-712 messages in the domain of one task on one chain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from eth_abi.abi import encode as abi_encode
from eth_account import Account
from eth_account.messages import SignableMessage
from eth_account.signers.local import LocalAccount
from eth_keys.constants import SECPK1_N
from eth_keys.exceptions import BadSignature
from eth_utils.crypto import keccak

from foedus.contracts.bindings import checksum
from foedus.protocol.ids import Address, Attempt, Hash32, Opening, RoundNumber

_DOMAIN = keccak(text="EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
_SURVIVORS = keccak(text="Survivors(uint32 round,uint16 attempt,uint32 opening,bytes survivors,bytes disputes)")
_ATTESTATION = keccak(text="Attestation(uint32 round,uint16 attempt,bytes32 proposal)")


class InvalidSignature(ValueError):
    """Bytes that the contract would not take for anyone's signature."""


class Place(Protocol):
    """The opening that a freeze is of: a `Round` is one."""

    @property
    def number(self) -> RoundNumber: ...

    @property
    def attempt(self) -> Attempt: ...

    @property
    def opening(self) -> Opening: ...


@dataclass(frozen=True, slots=True)
class SigningDomain:
    """Where a signature counts: nowhere else."""

    chain_id: int
    task: Address

    @property
    def separator(self) -> bytes:
        """EIP-712's domainSeparator, 32 bytes."""
        words = (_DOMAIN, keccak(text="Foedus"), keccak(text="1"), self.chain_id, self.task)
        return keccak(abi_encode(["bytes32", "bytes32", "bytes32", "uint256", "address"], words))


def sign_survivors(
    signer: LocalAccount, domain: SigningDomain, place: Place, survivors: bytes, disputes: bytes
) -> bytes:
    """A committee member's 65 bytes (r, s, v) for a freeze."""
    return bytes(signer.sign_message(_survivors(domain, place, survivors, disputes)).signature)


def recover_survivors(
    signature: bytes, domain: SigningDomain, place: Place, survivors: bytes, disputes: bytes
) -> Address:
    """Who signed a freeze. Raises InvalidSignature."""
    return _recover(signature, _survivors(domain, place, survivors, disputes))


def sign_attestation(
    signer: LocalAccount, domain: SigningDomain, round: RoundNumber, attempt: Attempt, proposal: Hash32
) -> bytes:
    """A committee member's 65 bytes (r, s, v) for a proposal."""
    return bytes(signer.sign_message(_attestation(domain, round, attempt, proposal)).signature)


def recover_attestation(
    signature: bytes, domain: SigningDomain, round: RoundNumber, attempt: Attempt, proposal: Hash32
) -> Address:
    """Who attested a proposal. Raises InvalidSignature."""
    return _recover(signature, _attestation(domain, round, attempt, proposal))


def _survivors(domain: SigningDomain, place: Place, survivors: bytes, disputes: bytes) -> SignableMessage:
    words = (_SURVIVORS, place.number, place.attempt, place.opening, keccak(survivors), keccak(disputes))
    return _message(domain, abi_encode(["bytes32", "uint32", "uint16", "uint32", "bytes32", "bytes32"], words))


def _attestation(domain: SigningDomain, round: RoundNumber, attempt: Attempt, proposal: Hash32) -> SignableMessage:
    words = (_ATTESTATION, round, attempt, proposal)
    return _message(domain, abi_encode(["bytes32", "uint32", "uint16", "bytes32"], words))


def _message(domain: SigningDomain, struct: bytes) -> SignableMessage:
    return SignableMessage(b"\x01", domain.separator, keccak(struct))


def _recover(signature: bytes, message: SignableMessage) -> Address:
    if len(signature) != 65 or signature[64] not in (27, 28):
        raise InvalidSignature(f"{len(signature)} bytes are not r, s and v = 27 or 28")
    if int.from_bytes(signature[32:64], "big") > SECPK1_N // 2:
        raise InvalidSignature("s is in the upper half of the order (EIP-2)")
    try:
        return checksum(Account.recover_message(message, signature=signature))
    except (BadSignature, ValueError) as error:
        raise InvalidSignature(str(error)) from error
