"""What the chain remembers of a block, a transaction and a log; hashes 32 bytes, addresses 20, amounts in wei."""

from __future__ import annotations

from dataclasses import dataclass

from eth.vm.forks.prague.blocks import PragueBlockHeader


@dataclass(frozen=True, slots=True)
class Block:
    """A mined block without its transactions; `size` is its RLP length in bytes, `timestamp` Unix seconds."""

    number: int
    hash: bytes
    timestamp: int
    size: int
    header: PragueBlockHeader


@dataclass(frozen=True, slots=True)
class MinedTransaction:
    """A transaction and its receipt; `gas_price` is what was paid for one gas, `contract` the one it created."""

    block: Block
    index: int
    hash: bytes
    sender: bytes
    raw: bytes
    status: int
    gas_used: int
    cumulative_gas: int
    gas_price: int
    contract: bytes | None
    bloom: bytes


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One event; `transaction_index` and `index` are positions within the block."""

    block_number: int
    block_hash: bytes
    block_timestamp: int
    transaction_hash: bytes
    transaction_index: int
    index: int
    address: bytes
    topics: tuple[bytes, ...]
    data: bytes
