"""A court on a test chain, with tasks and judges that say what a test tells them to.

Structs are dicts by field name; the compiled ABI says in which order they go.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
from eth_abi.abi import decode, encode
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from foedus.contracts.compile import MODULES, SOURCES, compile_sources
from foedus.node.devnet.accounts import dev_accounts

ANVIL = MODULES / "@foundry-rs" / "anvil-linux-amd64" / "bin" / "anvil"
HARNESS = Path(__file__).with_name("Harness.sol")
GAS = 12_000_000
GENESIS = sha256(b"genesis").digest()
CHAIN_ID = 31_337

Struct = dict[str, Any]
"""A Solidity struct by field name."""

Item = Mapping[str, Any]
"""A parameter's entry in an ABI."""


class Refused(Exception):
    """A call reverted with this error of the contracts'."""

    def __init__(self, name: str, values: tuple[Any, ...]) -> None:
        super().__init__(f"{name}{values}")
        self.name, self.values = name, values


@dataclass(frozen=True)
class Done:
    """A transaction that succeeded: its gas, what of it the called contract's own code took, and its events by name."""

    gas: int
    own_gas: int
    events: tuple[tuple[str, Struct], ...]
    data: bytes
    value: int

    def event(self, name: str) -> Struct:
        """The one event of a name."""
        (found,) = (values for kind, values in self.events if kind == name)
        return found


@cache
def compiled() -> dict[str, dict[str, Any]]:
    """Compiler output by contract: the court, and what only its tests use."""
    sources = {"test/Harness.sol": HARNESS.read_text(), "src/Court.sol": (SOURCES / "Court.sol").read_text()}
    found = compile_sources(sources)["contracts"]
    return {name: made for unit in found.values() for name, made in unit.items()}


def abi_type(item: Item) -> str:
    """The canonical type of a parameter."""
    kind: str = item["type"]
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(map(abi_type, item['components']))}){kind.removeprefix('tuple')}"


def packed(item: Item, value: Any) -> Any:
    """A value as the encoder takes it: structs as tuples."""
    if item["type"] == "tuple[]":
        return [packed({**item, "type": "tuple"}, one) for one in value]
    if item["type"] == "tuple" and isinstance(value, Mapping):
        return tuple(packed(part, value[part["name"]]) for part in item["components"])
    return value


def unpacked(item: Item, value: Any) -> Any:
    """A decoded value: structs as dicts, addresses with their checksum."""
    if item["type"] == "tuple":
        return {part["name"]: unpacked(part, one) for part, one in zip(item["components"], value, strict=True)}
    return to_checksum_address(value) if item["type"] == "address" else value


def filled(item: Item, changes: Mapping[str, Any]) -> Struct:
    """A struct of numbers and flags: zero where nothing is said."""
    unknown = changes.keys() - {part["name"] for part in item["components"]}
    assert not unknown, unknown
    zeros = {part["name"]: False if part["type"] == "bool" else 0 for part in item["components"]}
    return zeros | dict(changes)


def function(contract: str, name: str) -> Item:
    """A function's entry in its contract's ABI."""
    (found,) = (item for item in compiled()[contract]["abi"] if item["type"] == "function" and item["name"] == name)
    entry: Item = found
    return entry


def selector(contract: str, name: str) -> bytes:
    """The first four bytes of a function's calls."""
    return signature(function(contract, name))[:4]


def returned(contract: str, name: str, answer: bytes) -> Any:
    """The one value that a function returned."""
    (item,) = function(contract, name)["outputs"]
    return unpacked(item, decode([abi_type(item)], answer)[0])


def signature(item: Item) -> bytes:
    """The keccak256 of an entry's signature."""
    return bytes(keccak(text=f"{item['name']}({','.join(map(abi_type, item['inputs']))})"))


def encoded(items: Sequence[Item], values: Sequence[Any]) -> bytes:
    """ABI encoding of some parameters."""
    return bytes(encode([abi_type(item) for item in items], [packed(i, v) for i, v in zip(items, values, strict=True)]))


def call_data(contract: str, name: str, *arguments: Any) -> bytes:
    """The bytes of a call."""
    return selector(contract, name) + encoded(function(contract, name)["inputs"], arguments)


def component(name: str, parameter: str, part: str) -> Item:
    """The entry of a struct inside a struct that a function of the court takes."""
    (outer,) = (one for one in function("Court", name)["inputs"] if one["name"] == parameter)
    (inner,) = (one for one in outer["components"] if one["name"] == part)
    entry: Item = inner
    return entry


def struct_hash(contract: str, name: str, parameter: str, value: Struct) -> bytes:
    """keccak256 of the ABI encoding of a struct that some function takes."""
    (item,) = (one for one in function(contract, name)["inputs"] if one["name"] == parameter)
    return bytes(keccak(encoded([item], [value])))


@cache
def _known(kind: str) -> dict[bytes, Item]:
    return {signature(item): item for made in compiled().values() for item in made["abi"] if item["type"] == kind}


def _event(log: Mapping[str, Any]) -> tuple[str, Struct]:
    item = _known("event")[bytes.fromhex(log["topics"][0][2:])]
    plain = [part for part in item["inputs"] if not part["indexed"]]
    values = iter(decode([abi_type(part) for part in plain], bytes.fromhex(log["data"][2:])))
    topics = (bytes.fromhex(topic[2:]) for topic in log["topics"][1:])
    found = {}
    for part in item["inputs"]:
        value = decode([part["type"]], next(topics))[0] if part["indexed"] else next(values)
        found[part["name"]] = unpacked(part, value)
    return item["name"], found


def refused(data: bytes, message: str) -> Refused:
    """The error in revert data."""
    for key, item in _known("error").items():
        if key[:4] == data[:4]:
            values = decode([abi_type(part) for part in item["inputs"]], data[4:])
            return Refused(item["name"], tuple(unpacked(p, v) for p, v in zip(item["inputs"], values, strict=True)))
    return Refused(message, (data,))


@dataclass
class Chain:
    """A test chain of rich accounts, driven one transaction a block."""

    url: str
    accounts: tuple[LocalAccount, ...] = field(init=False)
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.accounts = tuple(Account.from_key(account.key) for account in dev_accounts(count=10))
        self.client = httpx.Client(timeout=60)

    def rpc(self, method: str, *parameters: object) -> Any:
        """A result; raises Refused for a revert."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(parameters)}
        answer = self.client.post(self.url, json=request).json()
        if "error" not in answer:
            return answer["result"]
        data = answer["error"].get("data")
        if isinstance(data, str):
            raise refused(bytes.fromhex(data[2:]), answer["error"]["message"])
        raise RuntimeError(answer["error"])

    def mined(self, request: Mapping[str, str]) -> Any:
        """The receipt of a transaction, which goes into a block at once."""
        sent = self.rpc("eth_sendTransaction", request)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if receipt := self.rpc("eth_getTransactionReceipt", sent):
                return receipt
            time.sleep(0.005)
        raise AssertionError(f"{sent} is not mined")

    def deploy(self, contract: str, *arguments: Any) -> str:
        """A contract's new address."""
        made = compiled()[contract]
        inputs: Sequence[Item] = next((item["inputs"] for item in made["abi"] if item["type"] == "constructor"), [])
        data = "0x" + made["evm"]["bytecode"]["object"] + encoded(inputs, arguments).hex()
        receipt = self.mined({"from": self.accounts[0].address, "data": data, "gas": hex(GAS)})
        return to_checksum_address(receipt["contractAddress"])

    def send(self, to: str, data: bytes, value: int = 0, sender: int = 0) -> Done:
        """A transaction of an account's; raises Refused where it reverts."""
        request = {"from": self.accounts[sender].address, "to": to, "data": "0x" + data.hex()}
        request |= {"value": hex(value), "gas": hex(GAS)}
        receipt = self.mined(request)
        if receipt["status"] == "0x0":
            self.rpc("eth_call", request, hex(int(receipt["blockNumber"], 16) - 1))
            raise AssertionError("reverted in its block, but not before it")
        trace = self.rpc("debug_traceTransaction", receipt["transactionHash"], {"tracer": "callTracer"})
        inner = sum(int(frame["gasUsed"], 16) for frame in trace.get("calls", ()))
        gas = int(trace["gasUsed"], 16)
        intrinsic = 21_000 + sum(16 if byte else 4 for byte in data)
        return Done(gas, gas - inner - intrinsic, tuple(map(_event, receipt["logs"])), data, value)

    def call(self, to: str, data: bytes, value: int = 0, sender: int = 0) -> bytes:
        """What a call would return; raises Refused where it would revert."""
        request = {"from": self.accounts[sender].address, "to": to, "data": "0x" + data.hex(), "value": hex(value)}
        return bytes.fromhex(self.rpc("eth_call", request | {"gas": hex(GAS)}, "latest")[2:])

    def balance(self, address: str) -> int:
        """In wei."""
        return int(self.rpc("eth_getBalance", address, "latest"), 16)

    @property
    def base_fee(self) -> int:
        """Of the newest block, in wei."""
        return int(self.rpc("eth_getBlockByNumber", "latest", False)["baseFeePerGas"], 16)
