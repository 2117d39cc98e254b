"""Put the contracts on a chain."""

from __future__ import annotations

from eth_abi.abi import encode as abi_encode
from eth_account.signers.local import LocalAccount

from foedus.contracts.bindings import artifact
from foedus.contracts.calls import Call
from foedus.contracts.deployment import Deployment
from foedus.contracts.errors import WrongChain
from foedus.contracts.ledger import Ledger
from foedus.contracts.sender import Receipt
from foedus.protocol.ids import Address, Wei


async def deploy(rpc: str, signer: LocalAccount, treasury: Address, chain_id: int) -> Deployment:
    """Deploy the factory (which makes the vault and the task implementation) and the registry.

    treasury: receives the protocol's share of every pool. chain_id: the chain that is meant; raises WrongChain on
    another, before anything is sent.
    """
    async with await Ledger.connect(rpc, signer=signer) as ledger:
        if ledger.chain_id != chain_id:
            raise WrongChain("the chain id", ledger.chain_id, chain_id)
        made = await ledger.transact(_creation("TaskFactory", abi_encode(["address"], [treasury])))
        registry = await ledger.transact(_creation("NodeRegistry"))
        factory = _address(made)
        (vault,) = await ledger.view("TaskFactory", factory, "VAULT")
        genesis = await ledger.block_hash(0)
        return Deployment(chain_id, "0x" + genesis.hex(), factory, vault, _address(registry), made.block)


def _creation(contract: str, arguments: bytes = b"") -> Call:
    code = bytes.fromhex(artifact(contract)["bytecode"][2:])
    return Call(None, code + arguments, Wei(0), f"deploy {contract}")


def _address(receipt: Receipt) -> Address:
    if receipt.contract is None:
        raise LookupError(f"0x{receipt.hash.hex()} created no contract")
    return receipt.contract
