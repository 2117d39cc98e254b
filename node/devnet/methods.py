"""The JSON-RPC methods this chain answers, as one table.

A method is of one kind, and its kind says where it runs. Constants are known beforehand; index reads and EVM reads have
a thread and a view each, so that a long call holds up neither polls nor blocks; sends join the miner's next batch;
controls run alone between blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import TypeAlias

from foedus.node.devnet import calls, reads, writes
from foedus.node.devnet.chain import EmbeddedChain, Submission
from foedus.node.devnet.genesis import Genesis
from foedus.node.devnet.jsontypes import Json, hex_bytes
from foedus.node.devnet.reads import PRIORITY_FEE
from foedus.node.devnet.view import ChainView

Params: TypeAlias = list[Json]


@dataclass(frozen=True, slots=True)
class Constant:
    """Known without looking: from the genesis parameters."""

    answer: Callable[[Genesis], Json]
    least = 0


@dataclass(frozen=True, slots=True)
class IndexRead:
    """A look-up in SQLite; `least` is the number of parameters it cannot do without."""

    answer: Callable[[ChainView, Params], Json]
    least: int = 0


@dataclass(frozen=True, slots=True)
class EvmRead:
    """A read of a state, or an execution that leaves no trace."""

    answer: Callable[[ChainView, Params], Json]
    least: int = 1


@dataclass(frozen=True, slots=True)
class Send:
    """A transaction for the next block."""

    submission: Callable[[Params], Submission]
    least: int = 1


@dataclass(frozen=True, slots=True)
class Control:
    """A change to the chain itself."""

    answer: Callable[[EmbeddedChain, Params], Json]
    least: int = 0


Method: TypeAlias = Constant | IndexRead | EvmRead | Send | Control


def _accounts(genesis: Genesis) -> Json:
    return [hex_bytes(account.address) for account in genesis.wallets()]


METHODS: dict[str, Method] = {
    "eth_chainId": Constant(lambda genesis: hex(genesis.chain_id)),
    "net_version": Constant(lambda genesis: str(genesis.chain_id)),
    "net_listening": Constant(lambda genesis: True),
    "web3_clientVersion": Constant(lambda genesis: f"foedus-devnet/{version('foedus')}/py-evm"),
    "eth_syncing": Constant(lambda genesis: False),
    "eth_mining": Constant(lambda genesis: True),
    "eth_accounts": Constant(_accounts),
    "eth_coinbase": Constant(lambda genesis: hex_bytes(bytes(20))),
    "eth_maxPriorityFeePerGas": Constant(lambda genesis: hex(PRIORITY_FEE)),
    "eth_blockNumber": IndexRead(reads.block_number),
    "eth_gasPrice": IndexRead(reads.gas_price),
    "eth_feeHistory": IndexRead(reads.fee_history, 2),
    "eth_getBlockByNumber": IndexRead(reads.get_block, 1),
    "eth_getBlockByHash": IndexRead(reads.get_block, 1),
    "eth_getBlockTransactionCountByNumber": IndexRead(reads.transaction_count_of_block, 1),
    "eth_getBlockTransactionCountByHash": IndexRead(reads.transaction_count_of_block, 1),
    "eth_getUncleCountByBlockNumber": IndexRead(reads.uncle_count, 1),
    "eth_getUncleCountByBlockHash": IndexRead(reads.uncle_count, 1),
    "eth_getBlockReceipts": IndexRead(reads.get_block_receipts, 1),
    "eth_getTransactionByHash": IndexRead(reads.get_transaction, 1),
    "eth_getTransactionByBlockNumberAndIndex": IndexRead(reads.transaction_at, 2),
    "eth_getTransactionByBlockHashAndIndex": IndexRead(reads.transaction_at, 2),
    "eth_getTransactionReceipt": IndexRead(reads.get_receipt, 1),
    "eth_getLogs": IndexRead(reads.get_logs, 1),
    "eth_getBalance": EvmRead(calls.get_balance),
    "eth_getCode": EvmRead(calls.get_code),
    "eth_getStorageAt": EvmRead(calls.get_storage, 2),
    "eth_getTransactionCount": EvmRead(calls.get_nonce),
    "eth_call": EvmRead(calls.call),
    "eth_estimateGas": EvmRead(calls.estimate_gas),
    "eth_sendRawTransaction": Send(writes.raw_submission),
    "eth_sendTransaction": Send(writes.unsigned_submission),
    "evm_increaseTime": Control(writes.increase_time, 1),
    "evm_setNextBlockTimestamp": Control(writes.set_next_timestamp, 1),
    "evm_mine": Control(writes.mine),
    "evm_snapshot": Control(writes.snapshot),
    "evm_revert": Control(writes.revert, 1),
}
