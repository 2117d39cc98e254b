"""Amounts as people write and read them."""

from __future__ import annotations

from decimal import Decimal

from eth_utils.address import is_address

from foedus.contracts.bindings import checksum
from foedus.learning.schema import amount
from foedus.node.errors import NodeError
from foedus.protocol.ids import Address, Wei

ETHER = Address("0x" + 40 * "0")
"""What a task names as its token that pays in ether."""


def wei(text: str) -> Wei:
    """An amount from the command line. Raises NodeError with what would do."""
    try:
        value = amount(int(text) if text.isdecimal() else text)
    except ValueError as error:
        raise NodeError(f"amount {text!r}: {error}") from error
    if value >= 2**128:
        raise NodeError(f"amount {text!r}: more ether than there is")
    return Wei(value)


def account_of(text: str) -> Address:
    """An account from the command line, in its EIP-55 form. Raises NodeError."""
    if not is_address(text):
        raise NodeError(f"{text!r} is no account: 0x and 40 hex digits")
    return checksum(text)


def paid(value: int, token: Address) -> str:
    """An amount of what a task pays in: ether, or a token's smallest units."""
    return ether(value) if token == ETHER else f"{value} units of {token}"


def ether(value: int) -> str:
    """Wei as ether, exactly."""
    return f"{(Decimal(value) / 10**18).normalize():f} ether"
