"""Block headers under Prague's rules, with one producer and no proof of anything.

Timestamps. A block carries max(clock, parent's timestamp): the chain never runs ahead of the clock, and several blocks
within a second share its number. Ethereum's rule "later than the parent" is a check on headers from other producers,
of whom there are none; execution places no condition on time, and rollups and anvil share timestamps between blocks
in the same way. The alternatives are worse: parent + 1 under load drifts from the clock by a second a block, and
deadlines in contracts then pass early; one block a second makes every transaction wait. What a contract may rely on
here is that time does not run backwards, which is also all that it may rely on within one block elsewhere.

Each block draws its own `mix_hash` (PREVRANDAO, EIP-4399), so that two blocks never share a hash: a block mined again
after `evm_revert` is another block, as after a real reorganisation.
"""

from __future__ import annotations

import rlp
from eth.constants import ZERO_ADDRESS
from eth.vm.forks.london.headers import calculate_expected_base_fee_per_gas
from eth.vm.forks.prague.blocks import PragueBlockHeader
from eth_typing import BlockNumber, Hash32

EMPTY_NONCE = bytes(8)
INITIAL_BASE_FEE = 1_000_000_000
"""wei per gas (EIP-1559)."""


def first_header(state_root: Hash32, gas_limit: int, timestamp: int) -> PragueBlockHeader:
    """The header of block 0."""
    return PragueBlockHeader(
        difficulty=0,
        block_number=BlockNumber(0),
        gas_limit=gas_limit,
        timestamp=timestamp,
        coinbase=ZERO_ADDRESS,
        state_root=state_root,
        nonce=EMPTY_NONCE,
        base_fee_per_gas=INITIAL_BASE_FEE,
    )


def next_header(parent: PragueBlockHeader, timestamp: int, mix_hash: bytes) -> PragueBlockHeader:
    """The header of the block after `parent`, before any transaction: its state root is the parent's."""
    return PragueBlockHeader(
        difficulty=0,
        block_number=BlockNumber(parent.block_number + 1),
        gas_limit=parent.gas_limit,
        timestamp=max(timestamp, parent.timestamp),
        coinbase=ZERO_ADDRESS,
        parent_hash=parent.hash,
        state_root=parent.state_root,
        mix_hash=Hash32(mix_hash),
        nonce=EMPTY_NONCE,
        base_fee_per_gas=next_base_fee(parent),
    )


def base_fee(header: PragueBlockHeader) -> int:
    """wei per gas in this block (EIP-1559)."""
    return int(header.base_fee_per_gas or 0)


def next_base_fee(parent: PragueBlockHeader) -> int:
    """wei per gas in the block after `parent` (EIP-1559)."""
    return int(calculate_expected_base_fee_per_gas(parent))


def decode_header(encoded: bytes) -> PragueBlockHeader:
    """The header from its RLP form."""
    header: PragueBlockHeader = rlp.decode(encoded, sedes=PragueBlockHeader)
    return header
