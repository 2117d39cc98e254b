"""JSON-RPC methods that change the chain: sending, and the controls that tests use, as anvil has them."""

from __future__ import annotations

from eth_account import Account

from foedus.node.devnet.calls import estimate
from foedus.node.devnet.chain import EmbeddedChain, Submission
from foedus.node.devnet.errors import InvalidParams, Refused
from foedus.node.devnet.headers import next_base_fee
from foedus.node.devnet.jsontypes import Json
from foedus.node.devnet.params import CallRequest, call_request, octets, quantity
from foedus.node.devnet.reads import PRIORITY_FEE

_MAX_MINED_AT_ONCE = 100_000


def raw_submission(params: list[Json]) -> Submission:
    """eth_sendRawTransaction."""
    return octets(params[0], "signed transaction")


def unsigned_submission(params: list[Json]) -> Submission:
    """eth_sendTransaction, for the development accounts alone."""
    request = call_request(params[0])
    return lambda chain: sign(chain, request)


def sign(chain: EmbeddedChain, request: CallRequest) -> bytes:
    """The request signed by its development account, with nonce, gas and fees filled in where they are missing.

    Raises Refused for an account whose key the chain does not have, Reverted where no gas limit would do.
    """
    if request.sender is None:
        raise InvalidParams("transaction.from: missing")
    key = chain.keys.get(request.sender)
    if key is None:
        raise Refused(f"unknown account 0x{request.sender.hex()}: sign the transaction and send it raw")
    header = chain.next_header()
    fields: dict[str, object] = {
        "chainId": chain.genesis.chain_id,
        "nonce": chain.pending_nonce(request.sender) if request.nonce is None else request.nonce,
        "gas": estimate(chain.view, header, request) if request.gas is None else request.gas,
        "to": request.to,
        "value": request.value,
        "data": request.data,
    }
    if request.access_list:
        fields["accessList"] = [
            {"address": place, "storageKeys": [slot.to_bytes(32, "big") for slot in slots]}
            for place, slots in request.access_list
        ]
    if request.gas_price is not None:
        fields["gasPrice"] = request.gas_price
    else:
        tip = PRIORITY_FEE if request.max_priority_fee is None else request.max_priority_fee
        if request.max_fee is not None and request.max_priority_fee is None:
            tip = min(tip, request.max_fee)
        fields["maxPriorityFeePerGas"] = tip
        fields["maxFeePerGas"] = 2 * next_base_fee(header) + tip if request.max_fee is None else request.max_fee
    return bytes(Account.sign_transaction(fields, key).raw_transaction)


def increase_time(chain: EmbeddedChain, params: list[Json]) -> Json:
    """Seconds, as a number or hex; answers the clock's whole lead."""
    return chain.increase_time(quantity(params[0], "seconds", 2**40))


def set_next_timestamp(chain: EmbeddedChain, params: list[Json]) -> Json:
    chain.set_next_timestamp(quantity(params[0], "timestamp", 2**40))
    return None


def mine(chain: EmbeddedChain, params: list[Json]) -> Json:
    """One block; a timestamp, or an object with timestamp and blocks, may be given."""
    given = params[0] if params else None
    options = given if isinstance(given, dict) else {"timestamp": given}
    timestamp, blocks = options.get("timestamp"), options.get("blocks")
    chain.mine(
        blocks=1 if blocks is None else quantity(blocks, "blocks", _MAX_MINED_AT_ONCE),
        timestamp=None if timestamp is None else quantity(timestamp, "timestamp", 2**40),
    )
    return "0x0"


def snapshot(chain: EmbeddedChain, params: list[Json]) -> Json:
    return hex(chain.snapshot())


def revert(chain: EmbeddedChain, params: list[Json]) -> Json:
    return chain.revert(quantity(params[0], "snapshot"))
