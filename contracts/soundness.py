"""Whether what an endpoint says of the chain can be so: its identity, its head, its logs. Nothing is made of it if not.

An endpoint that invents a whole consistent chain is not caught here: that takes a second endpoint.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from eth_utils.crypto import keccak

from foedus.contracts.deployment import SPOKEN_TO, Deployment
from foedus.contracts.endpoints import Endpoints
from foedus.contracts.errors import HeadImplausible, LogsMissing, RpcFault, WrongChain
from foedus.contracts.networks import NETWORKS
from foedus.contracts.rpc import Endpoint
from foedus.protocol.ids import Address

DEVELOPMENT = frozenset({1337} | {network.chain_id for network in NETWORKS.values() if network.development})
"""Chain ids of one's own chains: they reorganise only when told to, and their time may be set."""
MAX_AHEAD_SECONDS = 120
"""How far a head's time may be ahead of the local clock."""
CHECKED_BLOCKS = 64
"""How many blocks are held against their blooms at once; a longer span is history, read once at the start."""


async def identity(rpc: Endpoint) -> tuple[int, str]:
    """Chain id and genesis hash. Raises EndpointsDiffer where two endpoints are of different chains."""
    if isinstance(rpc, Endpoints):
        await rpc.require_same("the chain id", "eth_chainId")
        await rpc.require_same("the genesis block", "eth_getBlockByNumber", "0x0", False, said=block_hash)
    genesis = block_hash(await rpc.call("eth_getBlockByNumber", "0x0", False))
    return await rpc.number("eth_chainId"), str(genesis)


async def require_identity(rpc: Endpoint, chain_id: int, genesis: str) -> None:
    """Raise WrongChain where the endpoint now serves another chain than this."""
    found, first = await identity(rpc)
    if found != chain_id:
        raise WrongChain("the chain id", found, chain_id)
    if first != genesis:
        raise WrongChain("the genesis block", first, genesis)


async def require_deployment(rpc: Endpoint, chain_id: int, genesis: str, deployment: Deployment) -> None:
    """Raise WrongChain where this is not the chain of a deployment, or has other code at its addresses."""
    if chain_id != deployment.chain_id:
        raise WrongChain("the chain id", chain_id, deployment.chain_id)
    if genesis != deployment.genesis:
        raise WrongChain("the genesis block", genesis, deployment.genesis)
    for name in SPOKEN_TO:
        made = deployment.contracts[name]
        code = await rpc.call("eth_getCode", made.address, "latest")
        if code == "0x":
            raise WrongChain(f"the {name} {made.address}", "without code", "a chain where it has code")
        found = "0x" + keccak(hexstr=code).hex()
        if found != made.code_hash:
            need = f"a chain where it is {made.code_hash}"
            raise WrongChain(f"the hash of the code of the {name} {made.address}", found, need)


async def require_agreement(rpc: Endpoint, depth: int) -> None:
    """Raise EndpointsDiffer where two endpoints have heads far apart, or another block `depth` blocks below them."""
    if isinstance(rpc, Endpoints):
        await rpc.require_heads_together()
        number = max(0, await rpc.lowest_head() - depth)
        await rpc.require_same(f"block {number}", "eth_getBlockByNumber", hex(number), False, said=block_hash)


def require_plausible_time(number: int, timestamp: int) -> None:
    """Raise HeadImplausible where a head is from the future."""
    now = int(time.time())
    if timestamp > now + MAX_AHEAD_SECONDS:
        remedy = "correct this machine's clock, or use another RPC endpoint"
        raise HeadImplausible(f"the time of block {number}", timestamp, f"at most {now + MAX_AHEAD_SECONDS}", remedy)


async def require_all_logs(
    rpc: Endpoint, address: Address, first: int, last: int, found: Sequence[Mapping[str, Any]]
) -> None:
    """Raise LogsMissing where a block of the span holds more logs of a contract than were found.

    Held against its receipts is every block whose bloom (Yellow Paper, section 4.4.1) has the address. A span of more
    than CHECKED_BLOCKS is taken as it is.
    """
    if last - first >= CHECKED_BLOCKS:
        return
    for number in range(first, last + 1):
        block = await rpc.call("eth_getBlockByNumber", hex(number), False)
        if block is None or not may_hold(bytes.fromhex(block["logsBloom"][2:]), bytes.fromhex(address[2:])):
            continue
        need = await _count_logs(rpc, address, block["hash"])
        have = sum(int(log["blockNumber"], 16) == number for log in found)
        if have < need:
            raise LogsMissing(rpc.place, address, number, have, need)


async def _count_logs(rpc: Endpoint, address: Address, block: str) -> int:
    """How many logs of a contract a block holds, by its receipts; by its logs alone where receipts are not served."""
    try:
        receipts = await rpc.call("eth_getBlockReceipts", block)
    except RpcFault:
        return len(await rpc.call("eth_getLogs", {"blockHash": block, "address": address}))
    emitters = [log["address"].lower() for receipt in receipts or () for log in receipt["logs"]]
    return emitters.count(address.lower())


def may_hold(bloom: bytes, word: bytes) -> bool:
    """Whether a 2,048-bit bloom may hold a word: three bits, each named by 11 bits of the word's hash."""
    bits, digest = int.from_bytes(bloom), keccak(word)
    return all(bits >> (int.from_bytes(digest[at : at + 2]) & 2047) & 1 for at in (0, 2, 4))


def block_hash(answer: Any) -> object:
    """The hash of a block as JSON-RPC gives it; None where there is none."""
    return None if answer is None else answer["hash"]


def logs_digest(answer: Any) -> object:
    """What a list of logs says, whatever else an endpoint adds to it."""
    said = [
        (log["blockHash"], int(log["logIndex"], 16), log["address"].lower(), *log["topics"], log["data"])
        for log in answer
    ]
    return f"{len(said)} logs with digest 0x{keccak(text=repr(said)).hex()}"
