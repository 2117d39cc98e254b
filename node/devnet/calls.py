"""JSON-RPC methods that read a state or execute without leaving a trace."""

from __future__ import annotations

from eth.vm.forks.prague.blocks import PragueBlockHeader
from eth.vm.forks.prague.state import PragueState
from eth_typing import Address

from foedus.node.devnet.errors import InvalidParams
from foedus.node.devnet.evm import Call, failure
from foedus.node.devnet.headers import base_fee
from foedus.node.devnet.jsontypes import Json, hex_bytes
from foedus.node.devnet.params import BlockRef, CallRequest, address, block_ref, call_request, octets, quantity
from foedus.node.devnet.reads import need_block, pending_header
from foedus.node.devnet.view import ChainView


def get_balance(view: ChainView, params: list[Json]) -> Json:
    return hex(_state(view, params, 1).get_balance(address(params[0], "address")))


def get_code(view: ChainView, params: list[Json]) -> Json:
    return hex_bytes(_state(view, params, 1).get_code(address(params[0], "address")))


def get_storage(view: ChainView, params: list[Json]) -> Json:
    account = address(params[0], "address")
    slot = params[1]
    if isinstance(slot, str) and len(slot) == 66:
        key = int.from_bytes(octets(slot, "slot", 32), "big")
    else:
        key = quantity(slot, "slot")
    return f"{_state(view, params, 2).get_storage(account, key):#066x}"


def get_nonce(view: ChainView, params: list[Json]) -> Json:
    account = address(params[0], "address")
    mined = _state(view, params, 1).get_nonce(account)
    if len(params) > 1 and block_ref(params[1]) == "pending":
        return hex(view.pending_nonce(account, mined))
    return hex(mined)


def call(view: ChainView, params: list[Json]) -> Json:
    """Execute in the environment of the block named, latest if none is."""
    _no_overrides(params)
    header = _environment(view, block_ref(params[1] if len(params) > 1 else None))
    outcome = view.evm.call(header, as_call(view, header, call_request(params[0])))
    if outcome.error is not None:
        raise failure(outcome)
    return hex_bytes(outcome.output)


def estimate_gas(view: ChainView, params: list[Json]) -> Json:
    """The gas limit to sign; where no block is named, in the next block's environment, where it will be needed."""
    _no_overrides(params)
    ref = block_ref(params[1]) if len(params) > 1 and params[1] is not None else "pending"
    return hex(estimate(view, _environment(view, ref), call_request(params[0])))


def estimate(view: ChainView, header: PragueBlockHeader, request: CallRequest) -> int:
    """The gas limit at which the request succeeds. Raises Reverted or Refused where it does not."""
    return view.evm.estimate_gas(header, as_call(view, header, request))


def as_call(view: ChainView, header: PragueBlockHeader, request: CallRequest) -> Call:
    """The request with the chain's defaults: the zero address as sender, a block's gas, no gas price."""
    sender = request.sender or Address(bytes(20))
    price = request.gas_price
    if price is None and request.max_fee is not None:
        price = min(request.max_fee, base_fee(header) + (request.max_priority_fee or 0))
    return Call(
        sender=sender,
        to=request.to,
        gas=header.gas_limit if request.gas is None else min(request.gas, header.gas_limit),
        value=request.value,
        data=request.data,
        nonce=view.evm.state(header).get_nonce(sender) if request.nonce is None else request.nonce,
        gas_price=price or 0,
        access_list=request.access_list,
    )


def _environment(view: ChainView, ref: BlockRef) -> PragueBlockHeader:
    return pending_header(view) if ref == "pending" else need_block(view, ref).header


def _state(view: ChainView, params: list[Json], position: int) -> PragueState:
    ref = block_ref(params[position] if len(params) > position else None)
    return view.evm.state(need_block(view, ref).header)


def _no_overrides(params: list[Json]) -> None:
    if any(params[2:]):
        raise InvalidParams("state and block overrides are not supported by this chain")
