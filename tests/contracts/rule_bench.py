"""The server rules as Solidity has them, and their judges, alone on anvil: no court, no task."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from functools import cache
from typing import Any

import httpx
import pytest
from eth_abi.abi import decode, encode
from eth_utils.crypto import keccak

from foedus.contracts.compile import MODULES, compile_sources
from foedus.contracts.proofs import encode as encode_proof
from foedus.contracts.proofs import plain
from foedus.node.devnet.processes import start_anvil_process
from foedus.protocol.claims import _CLAIM, Case
from foedus.protocol.law import Law
from foedus.protocol.proofs import RuleProof, StateProof
from tests.contracts.bench import HARNESS

ANVIL = MODULES / "@foundry-rs" / "anvil-linux-amd64" / "bin" / "anvil"
GAS = 16_000_000
_LAW = "(" + ",".join(["uint32", "uint16", *["uint8"] * 4, *["uint32"] * 6, *["uint16"] * 3]) + ")"
_CASE = f"(address,{_LAW},bytes32,{_CLAIM},bytes32[])"


def call_data(case: Case, proof: bytes) -> bytes:
    """The call of a judge."""
    words = (case.task, astuple(case.law), case.before, plain(case.claim), list(case.later))
    return keccak(text=f"judge({_CASE},bytes)")[:4] + encode([_CASE, "bytes"], [words, proof])


def floor_gas(data: bytes) -> int:
    """The least that a transaction with this calldata costs (EIP-7623)."""
    return 21_000 + sum(40 if byte else 10 for byte in data)


class RuleBench:
    """`step` runs one of the library's functions; a judge's word is None (guilty), or the name of its error."""

    def __init__(self, url: str) -> None:
        self.client, self.url = httpx.Client(timeout=60), url
        made = _compiled()
        alone = made["test/Rules.sol"]
        self.harness, self.merkle = (self._deploy(alone[name]) for name in ("RulesHarness", "MerkleHarness"))
        self.judges = {name: self._deploy(alone[f"{name}Alone"]) for name in ("RuleJudge", "StateJudge")}
        abis = [item for unit in made.values() for one in unit.values() for item in one["abi"]]
        self.errors = {_selector(item): item["name"] for item in abis if item["type"] == "error"}

    def step(self, function: str, law: Law, weight: int, first: bytes, second: bytes) -> tuple[bytes, int]:
        """(the chunk that `function` makes, the gas that it took)."""
        types = [_LAW, "uint256", "bytes", "bytes"]
        data = keccak(text=f"{function}({','.join(types)})")[:4]
        data += encode(types, [astuple(law), weight, first, second])
        made, gas = decode(["bytes", "uint256"], self._call(self.harness, data))
        return bytes(made), int(gas)

    def stands(self, root: bytes, node: bytes, depth: int, index: int, count: int, siblings: Sequence[bytes]) -> bool:
        """What the library says of a node's place."""
        types = ["bytes32", "bytes32", "uint256", "uint256", "uint256", "bytes32[]"]
        data = keccak(text=f"stands({','.join(types)})")[:4]
        data += encode(types, [root, node, depth, index, count, list(siblings)])
        return bool(decode(["bool"], self._call(self.merkle, data))[0])

    def node(self, left: bytes, right: bytes) -> bytes:
        """The hash of the node above two."""
        data = keccak(text="node(bytes32,bytes32)")[:4] + left + right
        return self._call(self.merkle, data)

    def judge(self, case: Case, proof: RuleProof | StateProof | tuple[str, bytes]) -> str | None:
        """The judge's word on a proof, or on any bytes (with the judge's name)."""
        name, blob = proof if isinstance(proof, tuple) else (proof.judge, encode_proof(proof))
        answer = self._call(self.judges[name], call_data(case, blob), raises=False)
        if not answer:
            return None
        return self.errors.get(answer[:4], "Panic" if answer[:4] == keccak(text="Panic(uint256)")[:4] else "malformed")

    def gas(self, case: Case, proof: RuleProof | StateProof) -> tuple[int, int]:
        """(gas of a whole transaction that asks the judge, the least that its calldata makes it cost)."""
        data = call_data(case, encode_proof(proof))
        receipt = self._mined({"to": self.judges[proof.judge], "data": "0x" + data.hex(), "gas": hex(GAS)})
        assert receipt["status"] == "0x1"
        return int(receipt["gasUsed"], 16), floor_gas(data)

    def _call(self, to: str, data: bytes, raises: bool = True) -> bytes:
        request = {"to": to, "data": "0x" + data.hex(), "gas": hex(GAS)}
        answer = self._ask("eth_call", request, "latest")
        if "error" not in answer:
            return bytes.fromhex(answer["result"][2:])
        assert not raises, answer
        return bytes.fromhex(answer["error"].get("data", "0x")[2:]) or b"nothing said"

    def _ask(self, method: str, *parameters: object) -> dict[str, Any]:
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(parameters)}
        answer: dict[str, Any] = self.client.post(self.url, json=request).json()
        return answer

    def _deploy(self, compiled: dict[str, Any]) -> str:
        return str(self._mined({"data": "0x" + compiled["evm"]["bytecode"]["object"]})["contractAddress"])

    def _mined(self, request: dict[str, str]) -> dict[str, Any]:
        account = self._ask("eth_accounts")["result"][0]
        sent = self._ask("eth_sendTransaction", {"from": account, **request})["result"]
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            found: dict[str, Any] | None = self._ask("eth_getTransactionReceipt", sent)["result"]
            if found is not None:
                return found
            time.sleep(0.005)
        raise AssertionError(f"{sent!r} is not mined")


@cache
def _compiled() -> dict[str, Any]:
    sources: dict[str, Any] = compile_sources({"test/Rules.sol": (HARNESS / "Rules.sol").read_text()})["contracts"]
    return sources


def _selector(item: dict[str, Any]) -> bytes:
    return keccak(text=f"{item['name']}({','.join(one['type'] for one in item['inputs'])})")[:4]


def rule_bench() -> Iterator[RuleBench]:
    """The contracts on a chain of their own; for a fixture."""
    if not ANVIL.exists():
        pytest.skip(f"{ANVIL} is missing: run `make setup-dev`")
    with start_anvil_process(ANVIL) as process:
        yield RuleBench(process.url)
