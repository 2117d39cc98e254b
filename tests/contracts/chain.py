"""A test chain with the contracts on it, driven synchronously: a transaction is one call to the chain's own wallet."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, Self, TypeVar

import httpx
from eth_account import Account
from eth_account.signers.local import LocalAccount

from foedus.contracts import calls
from foedus.contracts.bindings import checksum, decode, decode_result, decode_revert, encode
from foedus.contracts.calls import Call
from foedus.contracts.deploy import deploy
from foedus.contracts.deployment import Deployment
from foedus.node.devnet.accounts import dev_accounts
from foedus.protocol.events import Event
from foedus.protocol.ids import Address, Wei

GAS = 12_000_000
ETHER = Wei(10**18)
TREASURY = checksum("0x" + "7e" * 20)
E = TypeVar("E", bound=Event)


@cache
def keyring(count: int) -> tuple[LocalAccount, ...]:
    """The development accounts with their keys."""
    return tuple(Account.from_key(account.key) for account in dev_accounts(count=count))


@dataclass(frozen=True)
class Mined:
    """A mined transaction that succeeded."""

    gas_used: int
    block: int
    events: tuple[Event, ...]

    def event(self, kind: type[E]) -> E:
        """The one event of a kind."""
        (found,) = (event for event in self.events if isinstance(event, kind))
        return found


@dataclass
class Chain:
    """A chain with the contracts on it, and rich accounts whose keys are known."""

    url: str
    kind: str
    accounts: tuple[LocalAccount, ...]
    deployment: Deployment
    client: httpx.Client
    chain_id: int

    @classmethod
    def open(cls, url: str, kind: str, count: int) -> Self:
        """Deploy to the chain at `url`, from the last of its accounts."""
        accounts = keyring(count)
        client = httpx.Client(timeout=60)
        chain_id = int(client.post(url, json=_request("eth_chainId")).json()["result"], 16)
        deployment = asyncio.run(deploy(url, accounts[-1], TREASURY, chain_id))
        return cls(url, kind, accounts, deployment, client, chain_id)

    def rpc(self, method: str, *parameters: object) -> Any:
        """A JSON-RPC result; raises the decoded revert, or RuntimeError."""
        answer = self.client.post(self.url, json=_request(method, *parameters)).json()
        if "error" not in answer:
            return answer["result"]
        data = answer["error"].get("data")
        if isinstance(data, str):
            raise decode_revert(bytes.fromhex(data[2:]), answer["error"]["message"])
        raise RuntimeError(answer["error"])

    def send(self, call: Call, sender: LocalAccount) -> Mined:
        """Send a call in a block of its own. Raises the decoded revert."""
        request = {"from": sender.address, "data": "0x" + call.data.hex(), "value": hex(call.value), "gas": hex(GAS)}
        if call.to is not None:
            request["to"] = call.to
        receipt = self.receipt(self.rpc("eth_sendTransaction", request))
        if receipt["status"] == "0x0":
            self.rpc("eth_call", request, receipt["blockNumber"])
            raise AssertionError(f"{call.label} reverted in its block, but not when called again")
        events = (decode(log) for log in receipt["logs"])
        return Mined(
            int(receipt["gasUsed"], 16),
            int(receipt["blockNumber"], 16),
            tuple(event for event in events if event is not None),
        )

    def receipt(self, transaction: str) -> dict[str, Any]:
        """The receipt of a transaction that goes into a block at once."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            found: dict[str, Any] | None = self.rpc("eth_getTransactionReceipt", transaction)
            if found is not None:
                return found
            time.sleep(0.005)
        raise AssertionError(f"{transaction} is not mined")

    def view(self, contract: str, address: Address, function: str, *arguments: object) -> Any:
        """What a view function returns: one value alone, or a tuple."""
        data = "0x" + encode(contract, function, arguments).hex()
        answer = self.rpc("eth_call", {"to": address, "data": data}, "latest")
        values = decode_result(contract, function, bytes.fromhex(answer[2:]))
        return values[0] if len(values) == 1 else values

    def mine(self, blocks: int = 1) -> None:
        """Empty blocks."""
        for _ in range(blocks):
            self.rpc("evm_mine")

    def advance(self, seconds: int) -> None:
        """The next block is this much later."""
        self.rpc("evm_increaseTime", seconds)
        self.mine()

    @property
    def now(self) -> int:
        """The newest block's timestamp."""
        return int(self.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    def balance(self, address: Address) -> int:
        """An account's balance in wei."""
        return int(self.rpc("eth_getBalance", address, "latest"), 16)

    def deposit(self, members: Iterable[LocalAccount], amount: Wei = ETHER) -> None:
        """Give members free stake."""
        for member in members:
            self.send(calls.deposit(self.deployment, amount), member)


def _request(method: str, *parameters: object) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(parameters)}
