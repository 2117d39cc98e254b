"""Parsing JSON-RPC parameters; every failure is an InvalidParams that names the parameter and shows the value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from eth_typing import Address

from foedus.node.devnet.errors import InvalidParams
from foedus.node.devnet.jsontypes import Json

Tag = Literal["latest", "pending", "earliest"]
BlockRef = int | bytes | Tag
"""A block number, a 32-byte block hash, or a tag; `safe` and `finalized` are `latest` on this chain."""

UINT256_MAX = 2**256 - 1
_TAGS: dict[str, Tag] = {
    "latest": "latest",
    "safe": "latest",
    "finalized": "latest",
    "pending": "pending",
    "earliest": "earliest",
}


@dataclass(frozen=True, slots=True)
class CallRequest:
    """An unsigned transaction as callers write it; None where they left the choice to the chain. Amounts in wei."""

    sender: Address | None
    to: Address
    gas: int | None
    gas_price: int | None
    max_fee: int | None
    max_priority_fee: int | None
    value: int
    data: bytes
    nonce: int | None
    access_list: tuple[tuple[bytes, tuple[int, ...]], ...]


def quantity(value: Json, name: str, limit: int = UINT256_MAX) -> int:
    """A number as 0x-hex, as the specification wants, or as a plain JSON integer, as many callers send."""
    number: int | None = None
    if isinstance(value, str) and value.startswith("0x"):
        try:
            number = int(value, 16)
        except ValueError:
            number = None
    elif isinstance(value, int) and not isinstance(value, bool):
        number = value
    if number is None or not 0 <= number <= limit:
        raise InvalidParams(f"{name}: expected a 0x-hex quantity up to {limit:#x}, got {_shown(value)}")
    return number


def octets(value: Json, name: str, length: int | None = None) -> bytes:
    """Bytes as 0x-hex with two digits each; `length` in bytes where it is fixed."""
    wanted = "0x-hex bytes" if length is None else f"0x-hex of {length} bytes"
    if not isinstance(value, str) or not value.startswith("0x"):
        raise InvalidParams(f"{name}: expected {wanted}, got {_shown(value)}")
    try:
        parsed = bytes.fromhex(value[2:])
    except ValueError as error:
        raise InvalidParams(f"{name}: expected {wanted}, got {_shown(value)}") from error
    if length is not None and len(parsed) != length:
        raise InvalidParams(f"{name}: expected {wanted}, got {len(parsed)} bytes")
    return parsed


def address(value: Json, name: str) -> Address:
    """A 20-byte address; letter case is not checked."""
    return Address(octets(value, name, 20))


def boolean(value: Json, name: str) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise InvalidParams(f"{name}: expected true or false, got {_shown(value)}")
    return value


def block_ref(value: Json, name: str = "block") -> BlockRef:
    """A tag, a number, or an EIP-1898 object with blockHash or blockNumber; latest if missing."""
    if value is None:
        return "latest"
    if isinstance(value, str) and value in _TAGS:
        return _TAGS[value]
    if isinstance(value, dict):
        if "blockHash" in value:
            return octets(value["blockHash"], f"{name}.blockHash", 32)
        return quantity(value.get("blockNumber"), f"{name}.blockNumber", 2**64 - 1)
    if isinstance(value, str) and len(value) == 66:
        return octets(value, name, 32)
    if isinstance(value, str) and not value.startswith("0x"):
        raise InvalidParams(f"{name}: expected a number in 0x-hex or one of {', '.join(_TAGS)}, got {_shown(value)}")
    return quantity(value, name, 2**64 - 1)


def call_request(value: Json) -> CallRequest:
    """The transaction object of eth_call, eth_estimateGas and eth_sendTransaction."""
    if not isinstance(value, dict):
        raise InvalidParams(f"transaction: expected an object, got {_shown(value)}")
    if value.get("input") is not None and value.get("data") is not None and value["input"] != value["data"]:
        raise InvalidParams("transaction: data and input differ; send one of them")
    for unsupported in ("blobVersionedHashes", "blobs", "authorizationList"):
        if value.get(unsupported):
            raise InvalidParams(f"transaction.{unsupported}: not supported here; sign the transaction and send it raw")

    def number(field: str, limit: int = UINT256_MAX) -> int | None:
        raw = value.get(field)
        return None if raw is None else quantity(raw, f"transaction.{field}", limit)

    def place(field: str) -> Address | None:
        raw = value.get(field)
        return None if raw is None else address(raw, f"transaction.{field}")

    if number("gasPrice") is not None and number("maxFeePerGas") is not None:
        raise InvalidParams("transaction: both gasPrice and maxFeePerGas given; send one of them")
    data = value.get("input") if value.get("input") is not None else value.get("data")
    return CallRequest(
        sender=place("from"),
        to=place("to") or Address(b""),
        gas=number("gas", 2**64 - 1),
        gas_price=number("gasPrice"),
        max_fee=number("maxFeePerGas"),
        max_priority_fee=number("maxPriorityFeePerGas"),
        value=number("value") or 0,
        data=b"" if data is None else octets(data, "transaction.data"),
        nonce=number("nonce", 2**64 - 1),
        access_list=_access_list(value.get("accessList")),
    )


def topics(value: Json) -> tuple[tuple[bytes, ...], ...]:
    """A log filter's topics: up to four positions, each null, one topic, or a list of alternatives."""
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > 4:
        raise InvalidParams(f"topics: expected a list of up to 4 positions, got {_shown(value)}")
    return tuple(_alternatives(position, f"topics[{index}]", 32) for index, position in enumerate(value))


def addresses(value: Json) -> tuple[bytes, ...]:
    """A log filter's address: null, one, or a list."""
    return _alternatives(value, "address", 20)


def _alternatives(value: Json, name: str, length: int) -> tuple[bytes, ...]:
    if value is None:
        return ()
    choices: Sequence[Json] = value if isinstance(value, list) else [value]
    if len(choices) > 1000:
        raise InvalidParams(f"{name}: expected up to 1000 alternatives, got {len(choices)}")
    if any(choice is None for choice in choices):
        return ()
    return tuple(octets(choice, name, length) for choice in choices)


def _access_list(value: Json) -> tuple[tuple[bytes, tuple[int, ...]], ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise InvalidParams(f"transaction.accessList: expected a list, got {_shown(value)}")
    entries = []
    for entry in value:
        if not isinstance(entry, dict) or not isinstance(entry.get("storageKeys"), list):
            raise InvalidParams(f"transaction.accessList: expected address and storageKeys, got {_shown(entry)}")
        slots = entry["storageKeys"]
        assert isinstance(slots, list)
        keys = tuple(int.from_bytes(octets(slot, "storageKeys", 32), "big") for slot in slots)
        entries.append((address(entry.get("address"), "accessList.address"), keys))
    return tuple(entries)


def _shown(value: Json) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
