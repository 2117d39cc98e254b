"""Amounts as people write and read them."""

from __future__ import annotations

from decimal import Decimal

from foedus.learning.schema import amount
from foedus.node.errors import NodeError
from foedus.protocol.ids import Wei


def wei(text: str) -> Wei:
    """An amount from the command line. Raises NodeError with what would do."""
    try:
        return Wei(amount(int(text) if text.isdecimal() else text))
    except ValueError as error:
        raise NodeError(f"amount {text!r}: {error}") from error


def ether(value: int) -> str:
    """Wei as ether, exactly."""
    return f"{(Decimal(value) / 10**18).normalize():f} ether"
