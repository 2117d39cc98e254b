"""Signed transactions: decoding, and the checks that need no state. Messages are geth's, which clients match."""

from __future__ import annotations

import rlp
from eth.abc import SignedTransactionAPI
from eth.exceptions import PyEVMError
from eth.vm.forks.prague.transactions import PragueTransactionBuilder
from eth_keys.exceptions import BadSignature
from eth_typing import Address
from eth_utils.exceptions import ValidationError

from foedus.node.devnet.errors import InvalidParams, Refused
from foedus.node.devnet.evm import floor_gas

BLOB_TRANSACTION = 3
MAX_INITCODE = 49_152
"""bytes (EIP-3860)."""
MAX_TRANSACTION = 131_072
"""bytes; what geth's pool takes."""
_SECP256K1_HALF = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


def decode_transaction(raw: bytes) -> SignedTransactionAPI:
    """The transaction from its signed wire form (EIP-2718 or legacy). Raises InvalidParams for anything else."""
    if len(raw) > MAX_TRANSACTION:
        raise InvalidParams(f"oversized transaction: {len(raw)} bytes, the limit is {MAX_TRANSACTION}")
    if raw[:1] == bytes([BLOB_TRANSACTION]):
        raise InvalidParams("blob transactions (type 3) are not supported by this chain")
    try:
        transaction = PragueTransactionBuilder.decode(raw)
        encoded = transaction.encode()
    except (rlp.exceptions.RLPException, PyEVMError, ValidationError, TypeError, ValueError) as error:
        raise InvalidParams(f"not a signed transaction: {type(error).__name__}") from error
    if encoded != raw:
        raise InvalidParams("not a signed transaction: its encoding is not canonical")
    return transaction


def sender_of(transaction: SignedTransactionAPI) -> Address:
    """The 20-byte address that signed. Raises Refused for a bad or malleable signature (EIP-2)."""
    if not 0 < transaction.s <= _SECP256K1_HALF:
        raise Refused("invalid sender: signature value s out of range")
    try:
        return transaction.sender
    except (BadSignature, ValidationError) as error:
        raise Refused("invalid sender: the signature does not recover") from error


def check_transaction(transaction: SignedTransactionAPI, chain_id: int, gas_limit: int, base_fee: int) -> None:
    """Refuse what no block could hold; `gas_limit` in gas, `base_fee` of the next block in wei per gas."""
    if transaction.chain_id is not None and transaction.chain_id != chain_id:
        raise Refused(f"invalid chain id for signer: have {transaction.chain_id} want {chain_id}")
    if not transaction.to and len(transaction.data) > MAX_INITCODE:
        raise Refused(f"max initcode size exceeded: code size {len(transaction.data)} limit {MAX_INITCODE}")
    if transaction.gas > gas_limit:
        raise Refused(f"exceeds block gas limit: have {transaction.gas}, limit {gas_limit}")
    if transaction.gas < transaction.intrinsic_gas:
        raise Refused(f"intrinsic gas too low: have {transaction.gas}, want {transaction.intrinsic_gas}")
    if transaction.gas < floor_gas(transaction.data):
        raise Refused(
            f"insufficient gas for floor data gas cost: have {transaction.gas}, want {floor_gas(transaction.data)}"
        )
    if transaction.max_priority_fee_per_gas > transaction.max_fee_per_gas:
        raise Refused(
            "max priority fee per gas higher than max fee per gas: "
            f"tip {transaction.max_priority_fee_per_gas}, cap {transaction.max_fee_per_gas}"
        )
    if transaction.max_fee_per_gas < base_fee:
        raise Refused(
            f"max fee per gas less than block base fee: cap {transaction.max_fee_per_gas}, base fee {base_fee}"
        )
