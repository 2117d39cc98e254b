"""Joining through somebody else, who pays the gas: an EIP-712 signature, a file that carries it, the transaction."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from eth_abi.abi import encode as abi_encode
from eth_account.messages import SignableMessage
from eth_account.signers.local import LocalAccount
from eth_utils.address import is_address
from eth_utils.crypto import keccak

from foedus.contracts.bindings import checksum, encode
from foedus.contracts.calls import Call
from foedus.contracts.errors import LedgerError
from foedus.contracts.signatures import SigningDomain
from foedus.protocol.ids import Address, Hash32, PublicKey, Timestamp, Wei

FORMAT = "foedus-join-1"
_JOIN = keccak(
    text="Join(address participant,bytes32 consent,bytes32 maskKey,bytes32 boxKey,uint16 nonce,uint32 deadline)"
)
_WORDS = {"consent": 32, "mask_key": 32, "box_key": 32, "signature": 65}
_NUMBERS = {"chain_id": 2**64, "nonce": 2**16, "deadline": 2**32}


class MalformedJoin(LedgerError):
    """A file that is no signed join."""

    def __init__(self, what: str) -> None:
        super().__init__(f"no signed join: {what}: make one with `foedus task join … --signed-out FILE`")


@dataclass(frozen=True, slots=True)
class SignedJoin:
    """What `joinBySig` takes. nonce: how often the account joined before; deadline: the last second it counts in."""

    chain_id: int
    task: Address
    account: Address
    consent: Hash32
    mask_key: PublicKey
    box_key: PublicKey
    nonce: int
    deadline: Timestamp
    signature: bytes

    @classmethod
    def sign(
        cls,
        signer: LocalAccount,
        domain: SigningDomain,
        consent: Hash32,
        keys: tuple[PublicKey, PublicKey],
        nonce: int,
        deadline: Timestamp,
    ) -> Self:
        """A participant's own; keys: for masks, and for boxes."""
        words = (_JOIN, signer.address, consent, *keys, nonce, deadline)
        struct = keccak(abi_encode(["bytes32", "address", "bytes32", "bytes32", "bytes32", "uint16", "uint32"], words))
        message = SignableMessage(b"\x01", domain.separator, struct)
        signature = bytes(signer.sign_message(message).signature)
        mine = Address(signer.address)
        return cls(domain.chain_id, domain.task, mine, consent, *keys, nonce, deadline, signature)

    @property
    def call(self) -> Call:
        """Refused with SignatureExpired, WrongNonce, WrongSigner, and all that `join` is refused with."""
        words = (self.account, self.consent, self.mask_key, self.box_key, self.nonce, self.deadline, self.signature)
        return Call(self.task, encode("Task", "joinBySig", words), Wei(0), "join_by_sig")

    def to_json(self) -> str:
        """One object, bytes in hex."""
        plain = {key: value.hex() if isinstance(value, bytes) else value for key, value in asdict(self).items()}
        return json.dumps({"format": FORMAT, **plain}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` wrote. Raises MalformedJoin, naming what is wrong."""
        try:
            raw = json.loads(text)
        except ValueError as error:
            raise MalformedJoin("not JSON") from error
        if not isinstance(raw, dict) or raw.get("format") != FORMAT:
            raise MalformedJoin(f"not of the format {FORMAT}")
        return cls(**{item.name: _checked(item.name, raw.get(item.name)) for item in fields(cls)})


def _checked(name: str, value: object) -> Any:
    if name in _NUMBERS and isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _NUMBERS[name]:
        return value
    if name in ("task", "account") and isinstance(value, str) and is_address(value):
        return checksum(value)
    if name in _WORDS and isinstance(value, str) and len(value) == 2 * _WORDS[name]:
        try:
            return bytes.fromhex(value)
        except ValueError:
            pass
    raise MalformedJoin(f"{name} = {value!r}")
