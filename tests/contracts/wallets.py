"""Signatures that any EIP-712 wallet makes of what participants let others send, and calls that carry them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount

from foedus.contracts.calls import Call
from foedus.contracts.signatures import SigningDomain
from tests.contracts.actors import TERMS, Stage, key
from tests.contracts.chain import Chain, invocation

JOIN = [
    {"name": "participant", "type": "address"},
    {"name": "consent", "type": "bytes32"},
    {"name": "maskKey", "type": "bytes32"},
    {"name": "boxKey", "type": "bytes32"},
    {"name": "nonce", "type": "uint16"},
    {"name": "deadline", "type": "uint32"},
]
COMMIT = [
    {"name": "round", "type": "uint32"},
    {"name": "attempt", "type": "uint16"},
    {"name": "opening", "type": "uint32"},
    {"name": "generation", "type": "uint32"},
    *({"name": name, "type": "bytes32"} for name in ("updateRoot", "seedsRoot", "bundle", "dataRoot")),
    *({"name": name, "type": "bytes32"} for name in ("maskKey", "boxKey")),
    {"name": "deadline", "type": "uint32"},
]
FORWARD = [
    {"name": "from", "type": "address"},
    {"name": "to", "type": "address"},
    {"name": "value", "type": "uint256"},
    {"name": "gas", "type": "uint256"},
    {"name": "nonce", "type": "uint256"},
    {"name": "deadline", "type": "uint48"},
    {"name": "data", "type": "bytes"},
]


def sign(signer: LocalAccount, domain: SigningDomain, name: str, fields: Sequence[Any], values: Sequence[Any]) -> bytes:
    """A wallet's 65 bytes (r, s, v) for a message of the task."""
    place = {"name": "Foedus", "version": "1", "chainId": domain.chain_id, "verifyingContract": domain.task}
    message = dict(zip((field["name"] for field in fields), values, strict=True))
    return bytes(signer.sign_message(encode_typed_data(place, {name: list(fields)}, message)).signature)


@dataclass(frozen=True)
class Joining:
    """A join that a member signed."""

    account: str
    keys: tuple[bytes, bytes]
    nonce: int
    deadline: int
    signature: bytes

    @classmethod
    def of(cls, stage: Stage, member: int, signer: int | None = None, **changes: Any) -> Joining:
        """Signed by the member itself, or by `signer`; changes: of nonce, deadline, domain or consent."""
        account, keys = stage.members[member].address, (key(member, "mask"), key(member, "box"))
        nonce = changes.get("nonce", stage.participant(member)["joins"])
        deadline = changes.get("deadline", stage.world.now + 1000)
        domain = changes.get("domain", stage.domain_of_signatures)
        values = (account, changes.get("consent", TERMS), *keys, nonce, deadline)
        signed = sign(stage.members[member if signer is None else signer], domain, "Join", JOIN, values)
        return cls(account, keys, nonce, deadline, signed)

    def call(self, stage: Stage) -> Call:
        """The call that carries it."""
        return stage.call("joinBySig", self.account, TERMS, *self.keys, self.nonce, self.deadline, self.signature)


@dataclass(frozen=True)
class Batch:
    """Commits that members signed, to be sent by anybody."""

    words: tuple[tuple[Any, ...], ...]
    deadline: int
    signatures: bytes

    @classmethod
    def of(cls, stage: Stage, *members: int, **changes: Any) -> Batch:
        """Each signed by its member; changes: of deadline, domain, generation, or place (round, attempt, opening)."""
        deadline = changes.get("deadline", stage.world.now + 1000)
        domain = changes.get("domain", stage.domain_of_signatures)
        here = stage.place
        place = changes.get("place", (here.number, here.attempt, here.opening))
        words = tuple(stage.commit_words(member, changes.get("generation")) for member in members)
        rows = [(*place, *each, deadline) for each in words]
        signed = [sign(stage.members[m], domain, "Commit", COMMIT, row) for m, row in zip(members, rows, strict=True)]
        return cls(words, deadline, b"".join(signed))

    def call(self, stage: Stage) -> Call:
        """The call that carries them."""
        return stage.call("commitBySig", list(self.words), self.deadline, self.signatures)


def forwarded(chain: Chain, signer: LocalAccount, call: Call, nonce: int, gas: int = 2_000_000) -> Call:
    """A call that the forwarder makes for whoever signed it (ERC-2771); anybody may send it."""
    assert call.to is not None
    deadline = chain.now + 1000
    place = {"name": "Foedus", "version": "1", "chainId": chain.chain_id, "verifyingContract": chain.forwarder}
    values = (signer.address, call.to, call.value, gas, nonce, deadline, call.data)
    message = dict(zip((field["name"] for field in FORWARD), values, strict=True))
    signed = bytes(signer.sign_message(encode_typed_data(place, {"ForwardRequest": FORWARD}, message)).signature)
    request = (signer.address, call.to, call.value, gas, deadline, call.data, signed)
    return invocation(chain.forwarder, "execute", ["(address,address,uint256,uint256,uint48,bytes,bytes)"], request)
