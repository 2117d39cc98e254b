"""The contracts' ABI in Python: logs become events, revert data becomes errors, calls become bytes.

An event is decoded into the dataclass of its name in `foedus.protocol.events`, field by field; the same holds for the
structs inside, and for errors and the classes of `foedus.contracts.refusals`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from enum import IntEnum
from functools import cache, lru_cache
from importlib.resources import files
from inspect import signature
from typing import Any, get_args, get_type_hints

from eth_abi.abi import decode as abi_decode
from eth_abi.abi import encode as abi_encode
from eth_abi.exceptions import DecodingError
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from foedus.contracts import refusals
from foedus.contracts.errors import MalformedLog, NamedRevert, Reverted, UnknownRevert
from foedus.protocol.court import CourtEvent
from foedus.protocol.events import Event, NodeAnnounced
from foedus.protocol.ids import Address

CONTRACTS = ("TaskFactory", "Task", "StakeVault", "NodeRegistry", "Court", "ProvenanceRegistry")
JUDGES = (
    "SumJudge",
    "LeafJudge",
    "MaskJudge",
    "ClosedJudge",
    "SeedJudge",
    "TotalJudge",
    "WeightJudge",
    "RangeJudge",
    "QuarantineJudge",
    "SetsJudge",
    "PaddingJudge",
    "RuleJudge",
    "StateJudge",
    "PayoutJudge",
    "PayoutRootJudge",
)
"""One for every kind of fraud proof."""
OTHERS = ("TimelockController", "ERC2771Forwarder")
"""OpenZeppelin's, deployed beside ours."""
PARTS = {"Task": ("Task", "TaskAnnex")}
"""Contracts that answer for another: a task asks its annex whatever it does not know itself."""
_ERROR_STRING, _PANIC = keccak(text="Error(string)")[:4], keccak(text="Panic(uint256)")[:4]


@cache
def artifact(contract: str) -> dict[str, Any]:
    """A contract's committed artifact: `abi`, `bytecode`, `deployedBytecode`, what it was compiled from and with."""
    text = files("foedus.contracts").joinpath("abi", f"{contract}.json").read_text()
    loaded: dict[str, Any] = json.loads(text)
    return loaded


@lru_cache(maxsize=4096)
def checksum(address: str) -> Address:
    """The EIP-55 form of an address."""
    return Address(to_checksum_address(address))


def encode(contract: str, function: str, arguments: Sequence[object] = ()) -> bytes:
    """The call data of a contract's function."""
    entry = _functions(contract)[function]
    types = [_type(item) for item in entry["inputs"]]
    return keccak(text=f"{function}({','.join(types)})")[:4] + abi_encode(types, arguments)


def decode_result(contract: str, function: str, data: bytes) -> tuple[Any, ...]:
    """The values that a view function returned; addresses are checksummed, structs are tuples."""
    outputs = _functions(contract)[function]["outputs"]
    values = abi_decode([_type(item) for item in outputs], data)
    return tuple(_plain(item, value) for item, value in zip(outputs, values, strict=True))


def decode(log: Mapping[str, Any]) -> Event | None:
    """The task or factory event in a log as JSON-RPC gives it; None where the topic is of no such event.

    Raises MalformedLog where it is, but the log does not decode exactly.
    """
    found = _decode(log)
    return found if isinstance(found, Event) else None


def decode_court(log: Mapping[str, Any]) -> CourtEvent | None:
    """The court's event in a log; None where it is another. Raises MalformedLog as `decode` does."""
    found = _decode(log)
    return found if isinstance(found, CourtEvent) else None


def decode_node(log: Mapping[str, Any]) -> NodeAnnounced | None:
    """The registry event in a log; None where it is another. Raises MalformedLog as `decode` does."""
    found = _decode(log)
    return found if isinstance(found, NodeAnnounced) else None


def topic(event: type) -> str:
    """The first topic of an event's logs, in hex."""
    return next("0x" + key.hex() for key, shape in _events().items() if shape.made is event)


def decode_revert(data: bytes, reason: str = "") -> Reverted:
    """The error in revert data; UnknownRevert where no contract of ours made it. `reason` is the node's own word."""
    if data[:4] == _ERROR_STRING:
        return UnknownRevert(data, _text(data[4:], "string"))
    if data[:4] == _PANIC:
        return UnknownRevert(data, f"panic {_text(data[4:], 'uint256')}")
    shape = _errors().get(data[:4])
    if shape is None:
        return UnknownRevert(data, reason)
    name, inputs = shape
    made = getattr(refusals, name, None)
    try:
        values = abi_decode([_type(item) for item in inputs], data[4:])
        plain = [_plain(item, value) for item, value in zip(inputs, values, strict=True)]
        words = (f"0x{value.hex()}" if isinstance(value, bytes) else value for value in plain)
        shown = dict(zip((item["name"] for item in inputs), words, strict=True))
        if made is None:
            return NamedRevert(name, shown)
        refusal = made(*plain) if len(plain) == len(signature(made).parameters) else NamedRevert(name, shown)
    except (DecodingError, ValueError):
        return UnknownRevert(data, reason)
    assert isinstance(refusal, Reverted)
    return refusal


@dataclass(frozen=True, slots=True)
class _Shape:
    made: type
    inputs: tuple[dict[str, Any], ...]


@cache
def _functions(contract: str) -> dict[str, dict[str, Any]]:
    return {item["name"]: item for item in _abi(contract) if item["type"] == "function"}


def _abi(contract: str) -> list[dict[str, Any]]:
    return [item for part in PARTS.get(contract, (contract,)) for item in artifact(part)["abi"]]


def _entries(kind: str) -> Iterator[tuple[bytes, dict[str, Any]]]:
    for contract in (*CONTRACTS, *JUDGES, *OTHERS):
        for item in _abi(contract):
            if item["type"] == kind:
                yield keccak(text=f"{item['name']}({','.join(map(_type, item['inputs']))})"), item


@cache
def _events() -> dict[bytes, _Shape]:
    known = {made.__name__: made for made in (*get_args(Event), *get_args(CourtEvent), NodeAnnounced)}
    return {
        key: _Shape(known[item["name"]], tuple(item["inputs"]))
        for key, item in _entries("event")
        if item["name"] in known
    }


@cache
def _errors() -> dict[bytes, tuple[str, list[dict[str, Any]]]]:
    return {key[:4]: (item["name"], item["inputs"]) for key, item in _entries("error")}


def _decode(log: Mapping[str, Any]) -> Event | CourtEvent | NodeAnnounced | None:
    topics = [bytes.fromhex(word.removeprefix("0x")) for word in log["topics"]]
    shape = _events().get(topics[0]) if topics else None
    if shape is None:
        return None
    name = shape.made.__name__
    indexed = [item for item in shape.inputs if item["indexed"]]
    plain = [item for item in shape.inputs if not item["indexed"]]
    if len(topics) != len(indexed) + 1:
        raise MalformedLog(name, f"{len(topics)} topics, not {len(indexed) + 1}")
    try:
        values = {
            item["name"]: abi_decode([_type(item)], word)[0] for item, word in zip(indexed, topics[1:], strict=True)
        }
        body = abi_decode([_type(item) for item in plain], bytes.fromhex(log["data"].removeprefix("0x")))
        values |= {item["name"]: value for item, value in zip(plain, body, strict=True)}
        made: Event | CourtEvent | NodeAnnounced = _build(
            shape.made, shape.inputs, [values[item["name"]] for item in shape.inputs]
        )
    except (DecodingError, ValueError) as error:
        raise MalformedLog(name, str(error)) from error
    return made


def _build(made: type, inputs: Sequence[Mapping[str, Any]], values: Sequence[Any]) -> Any:
    hints = _hints(made)
    return made(
        **{
            field: _convert(hints[field], item, value)
            for item, value in zip(inputs, values, strict=True)
            for field in (_snake(item["name"]),)
        }
    )


def _convert(hint: Any, item: Mapping[str, Any], value: Any) -> object:
    if isinstance(hint, type) and issubclass(hint, IntEnum):
        return hint(value)
    if isinstance(hint, type) and is_dataclass(hint):
        return _build(hint, item["components"], value)
    if item["type"] == "tuple[]":
        (made, _) = get_args(hint)
        return tuple(_build(made, item["components"], entry) for entry in value)
    return _plain(item, value)


def _plain(item: Mapping[str, Any], value: Any) -> Any:
    if item["type"] == "address":
        return checksum(value)
    if item["type"] == "tuple":
        return tuple(_plain(part, field) for part, field in zip(item["components"], value, strict=True))
    return tuple(value) if isinstance(value, list) else value


@cache
def _hints(made: type) -> dict[str, Any]:
    return get_type_hints(made)


@cache
def _snake(name: str) -> str:
    return re.sub("([A-Z])", lambda found: "_" + found[0].lower(), name)


def _type(item: Mapping[str, Any]) -> str:
    kind: str = item["type"]
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(map(_type, item['components']))}){kind.removeprefix('tuple')}"


def _text(data: bytes, kind: str) -> str:
    try:
        return str(abi_decode([kind], data)[0])
    except (DecodingError, ValueError):
        return "0x" + data.hex()
