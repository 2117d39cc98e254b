"""Small values as JSON has them: hashes as 0x and hex, wei as decimal text (they outgrow a browser's numbers)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from foedus.protocol.events import LogPoint
from foedus.protocol.ids import Address, Position
from foedus.protocol.round import Round

Plain = dict[str, Any]
"""What `json.dumps` takes: text, whole numbers, floats, booleans, None, and lists and dicts of them."""


def hexed(value: bytes) -> str:
    """0x and lower-case hex."""
    return "0x" + value.hex()


def wei(amount: int) -> str:
    """An amount as decimal digits."""
    return str(amount)


def place(point: LogPoint | None) -> Plain | None:
    """Where on the chain something happened; time in seconds since the epoch, as the block says."""
    return None if point is None else {"block": point.block, "time": point.timestamp, "hash": hexed(point.block_hash)}


def seats(round_: Round, positions: Iterable[Position]) -> list[Plain]:
    """Positions with the accounts that sit there, in order; None where the roster has nobody in it."""
    found = []
    for position in sorted(positions):
        member = round_.roster.get(position)
        found.append({"position": position, "participant": account(member.address if member else None)})
    return found


def account(address: Address | None) -> str | None:
    """An account's text, or None."""
    return None if address is None else str(address)
