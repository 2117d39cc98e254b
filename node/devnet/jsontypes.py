"""JSON values, and the hexadecimal forms of Ethereum's JSON-RPC."""

from __future__ import annotations

from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
JsonObject: TypeAlias = "dict[str, Json]"


def hex_bytes(value: bytes) -> str:
    """0x-prefixed lower-case hex, two digits a byte."""
    return "0x" + value.hex()
