"""What a chain says of itself and of an account, as values."""

from __future__ import annotations

from dataclasses import dataclass

from foedus.protocol.ids import Address, Hash32, Timestamp, Wei


@dataclass(frozen=True, slots=True)
class Head:
    """The newest block."""

    number: int
    hash: Hash32
    timestamp: Timestamp


@dataclass(frozen=True, slots=True)
class Stake:
    """An account's stake in wei."""

    free: Wei
    locked: Wei


@dataclass(frozen=True, slots=True)
class Creation:
    """A mined transaction that created a contract, or None: who sent which creation code, and the block."""

    sender: Address
    code: bytes
    contract: Address | None
    block: int
