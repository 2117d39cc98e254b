"""A test chain with the contracts on it, driven synchronously: a transaction is one call to the chain's own wallet.

The court is one that obeys anybody (`harness/Bench.sol`), so that faults need no proofs here.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from functools import cache
from typing import Any, Self, TypeVar

import httpx
from eth_abi.abi import encode as abi_encode
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from foedus.contracts import calls
from foedus.contracts.bindings import artifact, checksum, decode, decode_result, decode_revert, encode
from foedus.contracts.calls import Call
from foedus.contracts.compile import SOLC_VERSION
from foedus.contracts.deployment import Deployed, Deployment
from foedus.node.devnet.accounts import dev_accounts
from foedus.protocol.claims import Claim
from foedus.protocol.events import Event, Fault
from foedus.protocol.ids import Address, Hash32, Wei
from tests.contracts.bench import creation_codes

GAS = 12_000_000
ETHER = Wei(10**18)
TREASURY = checksum("0x" + "7e" * 20)
E = TypeVar("E", bound=Event)


@cache
def keyring(count: int) -> tuple[LocalAccount, ...]:
    """The development accounts with their keys."""
    return tuple(Account.from_key(account.key) for account in dev_accounts(count=count))


def invocation(to: Address, function: str, types: Sequence[str], *arguments: object) -> Call:
    """A call of a function by its signature, for contracts that have no artifact."""
    data = keccak(text=f"{function}({','.join(types)})")[:4] + abi_encode(types, arguments)
    return Call(to, data, Wei(0), function)


@dataclass(frozen=True)
class Mined:
    """A mined transaction that succeeded. `created` is the contract that it made; `logs` are as JSON-RPC gives them."""

    gas_used: int
    block: int
    transaction: str
    events: tuple[Event, ...]
    created: Address | None
    logs: tuple[dict[str, Any], ...]

    def event(self, kind: type[E]) -> E:
        """The one event of a kind."""
        (found,) = (event for event in self.events if isinstance(event, kind))
        return found

    @property
    def kinds(self) -> list[str]:
        """The names of the events, in order."""
        return [type(event).__name__ for event in self.events]


@dataclass
class Chain:
    """A chain with the contracts on it, and rich accounts whose keys are known.

    The last account deployed the factory and owns it, the one before is the guardian.
    """

    url: str
    kind: str
    accounts: tuple[LocalAccount, ...]
    client: httpx.Client
    chain_id: int
    deployment: Deployment

    @classmethod
    def open(cls, url: str, kind: str, count: int) -> Self:
        """Deploy to the chain at `url`, from the last of its accounts."""
        accounts = keyring(count)
        client = httpx.Client(timeout=60)
        chain_id = int(client.post(url, json=_request("eth_chainId")).json()["result"], 16)
        genesis = client.post(url, json=_request("eth_getBlockByNumber", "0x0", False)).json()["result"]["hash"]
        owner, guardian = (Address(account.address) for account in (accounts[-1], accounts[-2]))
        people: dict[str, Address | int] = {"treasury": TREASURY, "owner": owner, "guardian": guardian}
        contracts: dict[str, Deployed] = {}
        book = Deployment(chain_id, genesis, SOLC_VERSION, people, contracts)
        made = cls(url, kind, accounts, client, chain_id, book)
        made._deploy(contracts)
        return made

    @property
    def owner(self) -> LocalAccount:
        """Who owns the factory."""
        return self.accounts[-1]

    @property
    def guardian(self) -> LocalAccount:
        """Who may pause tasks."""
        return self.accounts[-2]

    def _deploy(self, known: dict[str, Deployed]) -> None:
        people = [TREASURY, self.owner.address, self.guardian.address]
        factory = known["TaskFactory"] = self._place(_creation("TaskFactory", ["address"] * 3, people))
        vault = self.view("TaskFactory", factory.address, "VAULT")
        known["StakeVault"] = self._deployed(vault, factory.block, factory.transaction)
        known["Court"] = self._place(creation_codes("Bench")["Bench"])
        known["ERC2771Forwarder"] = self._place(_creation("ERC2771Forwarder", ["string"], ["Foedus"]))
        core = [known[name].address for name in ("TaskFactory", "StakeVault", "Court", "ERC2771Forwarder")]
        annex = known["TaskAnnex"] = self._place(_creation("TaskAnnex", ["address"] * 4, core))
        known["Task"] = self._place(_creation("Task", ["address"] * 5, [*core, annex.address]))
        named = encode("TaskFactory", "setImplementation", [known["Task"].address])
        self.send(Call(factory.address, named, Wei(0), "setImplementation"), self.owner)
        known["NodeRegistry"] = self._place(_creation("NodeRegistry", [], []))

    def _place(self, code: bytes) -> Deployed:
        made = self.create_contract(code)
        assert made.created is not None
        return self._deployed(made.created, made.block, made.transaction)

    def _deployed(self, address: Address, block: int, transaction: str) -> Deployed:
        code = self.rpc("eth_getCode", address, "latest")
        return Deployed(address, "0x" + keccak(hexstr=code).hex(), block, transaction)

    def create_contract(self, code: bytes) -> Mined:
        """Create a contract from the owner's account."""
        return self.send(Call(None, code, Wei(0), "create"), self.owner)

    @property
    def implementation(self) -> Address:
        """What tasks are clones of."""
        return self.deployment.contracts["Task"].address

    @property
    def court(self) -> Address:
        """Who alone convicts."""
        return self.deployment.contracts["Court"].address

    @property
    def forwarder(self) -> Address:
        """Whose word on who sent a call the tasks take (ERC-2771)."""
        return self.deployment.contracts["ERC2771Forwarder"].address

    def rpc(self, method: str, *parameters: object) -> Any:
        """A JSON-RPC result; raises the decoded revert, or RuntimeError."""
        answer = self.client.post(self.url, json=_request(method, *parameters)).json()
        if "error" not in answer:
            return answer["result"]
        data = answer["error"].get("data")
        if isinstance(data, str):
            raise decode_revert(bytes.fromhex(data[2:]), answer["error"]["message"])
        raise RuntimeError(answer["error"])

    def bring_back(self, mark: object) -> None:
        """The state of an `evm_snapshot`. Anvil's pool lets a mined transaction go a moment after its receipt; a state
        that comes back before then would have it mined again."""
        while self.kind == "anvil" and self.rpc("txpool_status")["pending"] != "0x0":
            time.sleep(0.001)
        assert self.rpc("evm_revert", mark)

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
        created = receipt["contractAddress"]
        return Mined(
            int(receipt["gasUsed"], 16),
            int(receipt["blockNumber"], 16),
            receipt["transactionHash"],
            tuple(event for event in events if event is not None),
            checksum(created) if created else None,
            tuple(receipt["logs"]),
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

    def stake_of(self, account: str) -> tuple[int, int]:
        """An account's free and locked stake in wei."""
        free, locked = self.view("StakeVault", self.deployment.vault, "stakeOf", account)
        return free, locked

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

    def convict_aggregator(
        self, task: Address, proposal: Hash32, before: Hash32, claim: Claim, fault: Fault, challenger: Address
    ) -> Call:
        """The court's word on a proposal; anybody may send it here."""
        words = (proposal, before, astuple(claim), fault, challenger)
        return self.verdict(task, encode("Task", "convictAggregator", words), "convict_aggregator")

    def convict_member(self, task: Address, account: Address, fault: Fault, challenger: Address) -> Call:
        """The court's word on a participant; anybody may send it here."""
        return self.verdict(task, encode("Task", "convictMember", (account, fault, challenger)), "convict_member")

    def verdict(self, task: Address, data: bytes, label: str) -> Call:
        """A call of the task by the court."""
        ruled = invocation(self.court, "rule", ["address", "bytes"], task, data)
        return Call(ruled.to, ruled.data, ruled.value, label)

    def set_busy(self, task: Address, busy: bool) -> Call:
        """Open or close a demand on a task's proposals."""
        return invocation(self.court, "setBusy", ["address", "bool"], task, busy)


def _creation(contract: str, types: Sequence[str], arguments: Sequence[object]) -> bytes:
    return bytes.fromhex(artifact(contract)["bytecode"][2:]) + abi_encode(types, arguments)


def _request(method: str, *parameters: object) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(parameters)}
