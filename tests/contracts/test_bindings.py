"""Logs, reverts and signatures in Python: exact, strict, and equal to the contract's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, get_args

import pytest
from eth_abi.abi import encode as abi_encode
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

from foedus.contracts import bindings, refusals
from foedus.contracts.bindings import artifact, decode, decode_revert, topic
from foedus.contracts.errors import MalformedLog, NamedRevert, Reverted, UnknownRevert
from foedus.contracts.signatures import (
    InvalidSignature,
    SigningDomain,
    recover_attestation,
    recover_survivors,
    sign_attestation,
    sign_survivors,
)
from foedus.protocol import events
from foedus.protocol.court import CourtEvent
from foedus.protocol.events import Event, NodeAnnounced
from foedus.protocol.ids import Attempt, Opening, RoundNumber
from tests.contracts.actors import digest
from tests.contracts.chain import TREASURY, keyring

DOMAIN = SigningDomain(31337, TREASURY)


def test_every_event_of_the_protocol_is_an_event_of_the_contracts_field_by_field() -> None:
    known = {
        item["name"]: item for name in bindings.CONTRACTS for item in bindings._abi(name) if item["type"] == "event"
    }
    for made in (*get_args(Event), *get_args(CourtEvent), NodeAnnounced):
        fields = [bindings._snake(item["name"]) for item in known[made.__name__]["inputs"]]
        assert fields == list(made.__dataclass_fields__), made.__name__


CORE = ("TaskFactory", "Task", "TaskAnnex", "StakeVault", "NodeRegistry")
"""The contracts whose refusals have classes; those of the court and its judges are told by name."""

FOREIGN = {
    "CloneArgumentsTooLong",
    "FailedDeployment",
    "InsufficientBalance",
    "InvalidShortString",
    "OwnableInvalidOwner",
    "OwnableUnauthorizedAccount",
    "SafeCastOverflowedUintDowncast",
    "SafeERC20FailedOperation",
    "StringTooLong",
}
"""Errors of OpenZeppelin's libraries."""


def test_every_error_of_the_contracts_has_its_class() -> None:
    named = {item["name"] for name in CORE for item in artifact(name)["abi"] if item["type"] == "error"}
    classes = {
        name for name, made in vars(refusals).items() if isinstance(made, type) and issubclass(made, Reverted)
    } - {"Reverted"}
    assert named - FOREIGN == classes


@pytest.mark.parametrize("contract", [*bindings.CONTRACTS, *bindings.JUDGES, "TaskAnnex"])
def test_every_error_decodes_into_a_sentence_with_its_values(contract: str) -> None:
    samples: dict[str, Any] = {"address": TREASURY, "string": "rounds", "bytes32": digest("x"), "bytes20": b"\x14" * 20}
    samples |= {"uint8": 1, "bytes24": b"\x18" * 24, "bytes1": b"\x01", "bool": True}
    for item in artifact(contract)["abi"]:
        if item["type"] != "error":
            continue
        types = [part["type"] for part in item["inputs"]]
        values = [samples.get(kind, 3) for kind in types]
        data = keccak(text=f"{item['name']}({','.join(types)})")[:4] + abi_encode(types, values)
        refusal = decode_revert(data)
        if isinstance(refusal, NamedRevert):
            assert refusal.name == item["name"]
            assert len(refusal.values) == len(types)  # contracts share errors, and name the values as they like
        else:
            assert type(refusal).__name__ == item["name"]
            assert all(value in vars(refusal).values() for value in values)
        assert isinstance(decode_revert(data[:-1]), UnknownRevert) or not types


def log_of(event: type, data: bytes, *topics: str) -> dict[str, Any]:
    return {"topics": [topic(event), *topics], "data": "0x" + data.hex()}


def test_logs_decode_exactly_or_not_at_all() -> None:
    words = abi_encode(["uint32", "uint16", "uint8"], [1, 2, 1])
    assert decode(log_of(events.AttemptAborted, words)) == events.AttemptAborted(
        RoundNumber(1), Attempt(2), events.AbortReason.NOT_FROZEN
    )
    assert decode({"topics": ["0x" + digest("foreign").hex()], "data": "0x"}) is None
    assert decode({"topics": [], "data": "0x"}) is None
    for wrong in (
        words[:-1],
        abi_encode(["uint32", "uint16", "uint8"], [1, 2, 9]),
        abi_encode(["uint256"] * 3, [2**32, 1, 1]),
    ):
        with pytest.raises(MalformedLog, match="AttemptAborted"):
            decode(log_of(events.AttemptAborted, wrong))
    with pytest.raises(MalformedLog, match="2 topics"):
        decode(log_of(events.AttemptAborted, words, topic(events.RoundOpened)))


@dataclass(frozen=True)
class At:
    """The opening that a freeze is of."""

    number: RoundNumber
    attempt: Attempt
    opening: Opening


def test_signatures_are_those_of_any_eip_712_wallet_and_name_their_signer() -> None:
    signer = keyring(1)[0]
    domain = {"name": "Foedus", "version": "1", "chainId": DOMAIN.chain_id, "verifyingContract": DOMAIN.task}
    fields = [("round", "uint32"), ("attempt", "uint16"), ("proposal", "bytes32")]
    types = {"Attestation": [{"name": name, "type": kind} for name, kind in fields]}
    proposal = digest("proposal")
    foreign = encode_typed_data(domain, types, {"round": 7, "attempt": 2, "proposal": proposal})
    ours = sign_attestation(signer, DOMAIN, RoundNumber(7), Attempt(2), proposal)
    assert ours == bytes(signer.sign_message(foreign).signature)
    assert recover_attestation(ours, DOMAIN, RoundNumber(7), Attempt(2), proposal) == signer.address
    assert recover_attestation(ours, DOMAIN, RoundNumber(8), Attempt(2), proposal) != signer.address
    place = At(RoundNumber(7), Attempt(2), Opening(9))
    freeze = sign_survivors(signer, DOMAIN, place, b"\x1f", b"")
    assert recover_survivors(freeze, DOMAIN, place, b"\x1f", b"") == signer.address
    assert recover_survivors(freeze, DOMAIN, replace(place, opening=Opening(10)), b"\x1f", b"") != signer.address
    elsewhere = SigningDomain(1, DOMAIN.task)
    assert recover_survivors(freeze, elsewhere, place, b"\x1f", b"") != signer.address


@pytest.mark.parametrize("change", ["short", "parity", "mirror", "zero"])
def test_what_the_contract_takes_for_no_signature_python_does_neither(change: str) -> None:
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    good = sign_attestation(keyring(1)[0], DOMAIN, RoundNumber(1), Attempt(1), digest("proposal"))
    mirrored = good[:32] + (order - int.from_bytes(good[32:64], "big")).to_bytes(32, "big") + bytes([55 - good[64]])
    wrong = {"short": good[:64], "parity": good[:64] + b"\x00", "mirror": mirrored, "zero": bytes(64) + b"\x1b"}[change]
    with pytest.raises(InvalidSignature):
        recover_attestation(wrong, DOMAIN, RoundNumber(1), Attempt(1), digest("proposal"))
