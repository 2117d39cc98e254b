"""Pools in an ERC-20 token: how much a factory may take of it, and permits that say so by signature (ERC-2612)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple

from eth_abi.abi import decode as abi_decode
from eth_abi.abi import encode as abi_encode
from eth_abi.exceptions import DecodingError
from eth_account.messages import SignableMessage
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from foedus.contracts.bindings import encode
from foedus.contracts.calls import Call
from foedus.contracts.deployment import Deployment
from foedus.contracts.errors import LedgerError, RpcFault
from foedus.contracts.ledger import Ledger
from foedus.protocol.ids import Address, Hash32, Timestamp, Wei
from foedus.protocol.terms import Params

_PERMIT = keccak(text="Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)")


class NoToken(LedgerError):
    """An address that does not answer as an ERC-20 does."""

    def __init__(self, token: Address, what: str) -> None:
        super().__init__(f"{token} is no ERC-20 token: it has no {what}")


def create_task_with_token(
    at: Deployment,
    terms: Hash32,
    law: Hash32,
    base_root: Hash32,
    params: Params,
    token: Address,
    pool: int,
    permit: bytes,
) -> Call:
    """Create a task that pays in a token; pool: in its smallest units; permit: empty where the pool was approved.

    Refused with TokenNotAllowed, ParamOutOfRange or PoolMismatch.
    """
    arguments = (terms, law, base_root, astuple(params), token, pool, permit)
    return Call(at.factory, encode("TaskFactory", "createTaskWithToken", arguments), Wei(0), "create_task_with_token")


def approve(token: Address, spender: Address, amount: int) -> Call:
    """Let `spender` take so much of the sender's."""
    return Call(token, _data("approve", ["address", "uint256"], spender, amount), Wei(0), "approve")


async def allowance(ledger: Ledger, token: Address, owner: Address, spender: Address) -> int:
    """How much `spender` may take. Raises NoToken."""
    return await _number(ledger, token, "allowance", ["address", "address"], owner, spender)


async def balance(ledger: Ledger, token: Address, owner: Address) -> int:
    """How much an account has. Raises NoToken."""
    return await _number(ledger, token, "balanceOf", ["address"], owner)


async def permit(
    ledger: Ledger, signer: LocalAccount, token: Address, spender: Address, amount: int, deadline: Timestamp
) -> bytes | None:
    """The signer's permit as `create_task_with_token` takes it; None where the token knows none."""
    try:
        domain = await ledger.read(token, _data("DOMAIN_SEPARATOR", []))
        nonce = await _number(ledger, token, "nonces", ["address"], signer.address)
    except (RpcFault, NoToken):
        return None
    if len(domain) != 32:
        return None
    words = (_PERMIT, signer.address, spender, amount, nonce, deadline)
    struct = keccak(abi_encode(["bytes32", "address", "address", "uint256", "uint256", "uint256"], words))
    signed = signer.sign_message(SignableMessage(b"\x01", domain, struct))
    parts = (deadline, signed.v, signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big"))
    return abi_encode(["uint256", "uint8", "bytes32", "bytes32"], parts)


async def _number(ledger: Ledger, token: Address, function: str, types: Sequence[str], *arguments: object) -> int:
    try:
        answer = await ledger.read(token, _data(function, types, *arguments))
        (value,) = abi_decode(["uint256"], answer)
    except (RpcFault, DecodingError) as error:
        raise NoToken(token, function) from error
    return int(value)


def _data(function: str, types: Sequence[str], *arguments: object) -> bytes:
    return keccak(text=f"{function}({','.join(types)})")[:4] + abi_encode(list(types), arguments)
