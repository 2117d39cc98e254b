"""Execution: py-evm's Prague state over stored nodes, for transactions, calls and gas estimates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import cast

from eth.abc import ComputationAPI, SignedTransactionAPI
from eth.db.atomic import AtomicDB
from eth.exceptions import InsufficientFunds, InvalidInstruction, OutOfGas, Revert, VMError
from eth.vm.execution_context import ExecutionContext
from eth.vm.forks.berlin.transactions import calculate_txn_intrinsic_gas_berlin
from eth.vm.forks.prague import PragueVM
from eth.vm.forks.prague.blocks import PragueBlockHeader
from eth.vm.forks.prague.state import PragueState, PragueTransactionExecutor
from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_typing import Address, Hash32

from foedus.node.devnet.errors import Refused, Reverted

GAS_TRANSACTION = 21_000
GAS_STIPEND = 2_300
_FLOOR_PER_TOKEN = 10
_ESTIMATE_TOLERANCE = 0.015
"""Relative width at which the search for the gas limit stops; geth's value."""

_ERROR_STRING = bytes.fromhex("08c379a0")
_PANIC = bytes.fromhex("4e487b71")


@dataclass(frozen=True, slots=True)
class Call:
    """A message to execute without a signature; amounts in wei, `to` empty for a contract creation.

    Has the attributes of py-evm's transactions that execution reads.
    """

    sender: Address
    to: Address
    gas: int
    value: int
    data: bytes
    nonce: int
    gas_price: int = 0
    access_list: tuple[tuple[bytes, tuple[int, ...]], ...] = ()
    type_id: int = 0

    @property
    def max_fee_per_gas(self) -> int:
        return self.gas_price

    @property
    def max_priority_fee_per_gas(self) -> int:
        return self.gas_price

    @property
    def intrinsic_gas(self) -> int:
        return int(calculate_txn_intrinsic_gas_berlin(_as_signed(self)))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call did: `gas_used` is after refunds, `refund` the gas given back, `error` None on success."""

    output: bytes
    gas_used: int
    refund: int
    error: VMError | None


class CallState(PragueState):
    """A state in which gas costs the sender nothing, so that anyone can call."""

    def get_gas_price(self, transaction: SignedTransactionAPI) -> int:
        return 0


class Evm:
    """Builds states over a node database; `ancestors(number)` gives the hashes before block `number`, latest first."""

    def __init__(
        self, chain_id: int, nodes: AtomicDB, ancestors: Callable[[int], Iterator[Hash32]] = lambda number: iter(())
    ) -> None:
        self.chain_id = chain_id
        self._nodes = nodes
        self._ancestors = ancestors

    def state(self, header: PragueBlockHeader) -> PragueState:
        """The state at the header's root, in that block's environment, for transactions that pay."""
        return PragueState(self._nodes, self._context(header), header.state_root)

    def call(self, header: PragueBlockHeader, call: Call) -> Outcome:
        """Execute against the header's state and environment, leaving no trace. Raises Refused below intrinsic gas."""
        intrinsic = call.intrinsic_gas
        if call.gas < intrinsic:
            raise Refused(f"intrinsic gas too low: have {call.gas}, want {intrinsic}")
        state = CallState(self._nodes, self._context(header), header.state_root)
        executor = PragueTransactionExecutor(state)
        transaction = _as_signed(call)
        try:
            computation = executor.build_computation(executor.build_evm_message(transaction), transaction)
        except VMError as error:
            return Outcome(b"", call.gas, 0, error)
        spent = call.gas - computation.get_gas_remaining()
        refund = executor.calculate_gas_refund(computation, spent)
        used = max(spent - refund, floor_gas(call.data))
        return Outcome(computation.output, used, refund, computation.error if computation.is_error else None)

    def estimate_gas(self, header: PragueBlockHeader, call: Call) -> int:
        """The least gas limit, within 1.5 %, at which the call succeeds; `call.gas` is the most to try.

        A binary search, as geth's `eth/gasestimator`. Raises Reverted or Refused where the call fails at any limit.
        """
        least = max(call.intrinsic_gas, floor_gas(call.data))
        if self._succeeds(header, replace(call, gas=least)):
            return least
        best = self.call(header, call)
        if best.error is not None:
            if isinstance(best.error, OutOfGas):
                raise Refused(f"gas required exceeds allowance ({call.gas})")
            raise failure(best)
        low, high = max(best.gas_used, least) - 1, call.gas
        likely = (best.gas_used + best.refund + GAS_STIPEND) * 64 // 63
        candidate = likely if likely < high else (low + high) // 2
        while (high - low) / high >= _ESTIMATE_TOLERANCE and low + 1 < high:
            if self._succeeds(header, replace(call, gas=candidate)):
                high = candidate
            else:
                low = candidate
            candidate = (low + high) // 2
        return high

    def _succeeds(self, header: PragueBlockHeader, call: Call) -> bool:
        return self.call(header, call).error is None

    def _context(self, header: PragueBlockHeader) -> ExecutionContext:
        return ExecutionContext(
            coinbase=header.coinbase,
            timestamp=header.timestamp,
            block_number=header.block_number,
            difficulty=0,
            mix_hash=header.mix_hash,
            gas_limit=header.gas_limit,
            prev_hashes=self._ancestors(header.block_number),
            chain_id=self.chain_id,
            base_fee_per_gas=header.base_fee_per_gas,
            excess_blob_gas=header.excess_blob_gas,
        )


def gas_used(transaction: SignedTransactionAPI, computation: ComputationAPI) -> int:
    """Gas that the transaction pays for, after refunds and EIP-7623's floor."""
    return int(PragueVM.finalize_gas_used(transaction, computation))


def _as_signed(call: Call) -> SignedTransactionAPI:
    """The call for py-evm's eyes, which read no signature during execution."""
    return cast(SignedTransactionAPI, call)


def floor_gas(data: bytes) -> int:
    """The least gas that a transaction with this data pays (EIP-7623)."""
    zeros = data.count(0)
    return GAS_TRANSACTION + _FLOOR_PER_TOKEN * (zeros + 4 * (len(data) - zeros))


def failure(outcome: Outcome) -> Reverted | Refused:
    """The JSON-RPC error for a call that failed, in geth's words."""
    match outcome.error:
        case Revert():
            reason = revert_reason(outcome.output)
            return Reverted(f"execution reverted: {reason}" if reason else "execution reverted", outcome.output)
        case OutOfGas():
            return Refused("out of gas")
        case InsufficientFunds():
            return Refused("insufficient funds for transfer")
        case InvalidInstruction():
            return Refused(f"invalid opcode: {outcome.error}")
        case _:
            return Refused(f"execution failed: {outcome.error!r}")


def revert_reason(output: bytes) -> str:
    """The text of Solidity's `Error(string)` or `Panic(uint256)`; empty for custom errors, which only an ABI names."""
    try:
        if output.startswith(_ERROR_STRING):
            (text,) = decode(["string"], output[4:])
            return str(text)
        if output.startswith(_PANIC):
            (panic,) = decode(["uint256"], output[4:])
            return f"panic code {panic:#x}"
    except (DecodingError, UnicodeDecodeError):
        return ""
    return ""
