"""Where the money is: to the wei, before and after a run."""

from __future__ import annotations

from typing import Any

import httpx

from foedus.contracts.ledger import Ledger
from foedus.node.devnet.accounts import dev_accounts
from foedus.node.devnet.local import LocalNetwork
from foedus.protocol.ids import Address
from foedus.protocol.task import Task


class Purse:
    """Asks a chain about everybody's ether."""

    def __init__(self, network: LocalNetwork) -> None:
        self._network = network
        self._client = httpx.Client(timeout=30)

    def _ask(self, method: str, *params: object) -> Any:
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return self._client.post(self._network.rpc, json=request).json()["result"]

    def holders(self, *more: str) -> set[str]:
        """Every account that can hold ether: the chain's rich ones, the nodes, the contracts, who is paid the tips."""
        book = self._network.deployment
        rich = {"0x" + account.address.hex() for account in dev_accounts()}
        contracts = {made.address for made in book.contracts.values()}
        parts = {value for value in book.parameters.values() if isinstance(value, str)}
        nodes = {node.account for node in self._network.nodes}
        return {place.lower() for place in {*rich, *contracts, *parts, *nodes, "0x" + 40 * "0", *more}}

    def held(self, holders: set[str], block: int) -> int:
        """What they have together after a block, in wei."""
        return sum(int(self._ask("eth_getBalance", holder, hex(block)), 16) for holder in holders)

    def head(self) -> int:
        return int(self._ask("eth_blockNumber"), 16)

    def burnt(self, first: int, last: int) -> int:
        """The base fees of blocks `first` to `last`, which nobody has any more (EIP-1559)."""
        blocks = (self._ask("eth_getBlockByNumber", hex(number), False) for number in range(first, last + 1))
        return sum(int(block["baseFeePerGas"], 16) * int(block["gasUsed"], 16) for block in blocks)

    def close(self) -> None:
        self._client.close()


async def funds_are_whole(network: LocalNetwork, task: Task) -> list[str]:
    """What all had in the first block, they have now, less the base fees; the vault holds everybody's stakes; the task
    holds its pool, less what it paid, and owes no more."""
    purse = Purse(network)
    try:
        last, holders = purse.head(), purse.holders(task.address)
        before, after, burnt = purse.held(holders, 0), purse.held(holders, last), purse.burnt(1, last)
    finally:
        purse.close()
    broken = [] if before == after + burnt else [f"{before - after - burnt} wei are gone, or were made"]
    async with await Ledger.connect(network.rpc, network.deployment) as ledger:
        stakes = [await ledger.stake(node.account) for node in network.nodes]
        vault, due = await ledger.balance(network.deployment.vault), sum(s.free + s.locked for s in stakes)
        if vault != due:
            broken.append(f"the vault holds {vault} wei, the nodes' stakes are {due}")
        paid = sum(task.claimed.values())
        pool = await ledger.balance(Address(task.address))
        if pool != task.pool - paid or task.payout_total > task.pool:
            broken.append(f"the task holds {pool} of {task.pool} wei, paid {paid}, owes {task.payout_total}")
    return broken
