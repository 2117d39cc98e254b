"""The payout judges on a chain of their own, before a task that only says what it is told."""

from __future__ import annotations

import time
from dataclasses import astuple
from pathlib import Path
from typing import Any

import httpx
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from foedus.contracts.compile import SOURCES, compile_sources
from foedus.incentives.refutation import Contested, Refutation
from foedus.protocol.claims import _CLAIM, claim_of, commitment_digest, next_digest
from foedus.protocol.law import Law
from foedus.protocol.round import Round
from tests.incentives.scenes import CHAIN_ID, POOL, TREASURY, Scene
from tests.protocol.samples import TASK

STUB = Path(__file__).with_name("harness") / "PayoutStub.sol"
JUDGES = ("PayoutJudge", "PayoutRootJudge")
GAS = 16_000_000
_LAW = "(" + ",".join(["uint32", "uint16", *["uint8"] * 4, *["uint32"] * 6, *["uint16"] * 3]) + ")"
_CASE = f"(address,{_LAW},bytes32,{_CLAIM},bytes32[])"
_JUDGE = keccak(text=f"judge({_CASE},bytes)")[:4]
_TELL = "(address,uint16,uint32,bytes24)[]"


class Bench:
    """`told` makes the task that of a scene; a judge's word on a proof is None (guilty), or the error's name."""

    def __init__(self, url: str) -> None:
        self.client, self.url = httpx.Client(timeout=60), url
        sources = {f"src/{name}.sol": (SOURCES / f"{name}.sol").read_text() for name in JUDGES}
        made = compile_sources(sources | {"test/PayoutStub.sol": STUB.read_text()})["contracts"]
        self.judges = {name: self._deploy(made[f"src/{name}.sol"][name]) for name in JUDGES}
        abis = [item for name in JUDGES for item in made[f"src/{name}.sol"][name]["abi"] if item["type"] == "error"]
        self.errors = {keccak(text=_signature(item))[:4]: item["name"] for item in abis}
        code = made["test/PayoutStub.sol"]["PayoutStub"]["evm"]["deployedBytecode"]["object"]
        self.rpc("anvil_setCode", TASK, "0x" + code)
        self.clean = self.rpc("evm_snapshot")

    def rpc(self, method: str, *parameters: object) -> Any:
        """The result, or revert data as bytes, empty where gas ran out. Raises RuntimeError for any other failure."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(parameters)}
        answer = self.client.post(self.url, json=request).json()
        if "error" not in answer:
            return answer["result"]
        if isinstance(answer["error"].get("data"), str):
            return bytes.fromhex(answer["error"]["data"][2:])
        if "EVM error" in answer["error"]["message"]:
            return b""
        raise RuntimeError(answer["error"])

    def told(self, scene: Scene) -> None:
        """Make the task that of the scene, as it is by now."""
        self.rpc("evm_revert", self.clean)
        self.clean = self.rpc("evm_snapshot")
        words = (TREASURY, POOL, scene.terms.params.rounds)
        self.send(TASK, _call("begin", ["address", "uint96", "uint32"], *words))
        rows = []
        for who in scene.joined.keys() | {TREASURY}:
            digest, made = bytes(24), scene.history.get(who, [])
            for one in made:
                digest = next_digest(digest, commitment_digest(CHAIN_ID, TASK, one))
            rows.append((who, scene.joined.get(who, 0), made[-1].opening if made else 0, digest))
        for at in range(0, len(rows), 100):
            self.send(TASK, _call("tell", ["uint16", _TELL], len(scene.joined), rows[at : at + 100]))

    def judge(self, contested: Contested, refutation: Refutation) -> str | None:
        """The judge's word on a proof, as anyone may ask for it."""
        data = case_data(contested, contested.round, refutation.proof)
        request = {"to": self.judges[refutation.judge], "data": "0x" + data.hex(), "gas": hex(GAS)}
        answer = self.rpc("eth_call", request, "latest")
        if isinstance(answer, str):
            assert answer == "0x"
            return None
        return self.errors.get(answer[:4], "Panic" if answer[:4] == keccak(text="Panic(uint256)")[:4] else "")

    def gas(self, contested: Contested, refutation: Refutation) -> tuple[int, int]:
        """(gas of a whole transaction that asks the judge, bytes of its calldata)."""
        data = case_data(contested, contested.round, refutation.proof)
        return int(self.send(self.judges[refutation.judge], data)["gasUsed"], 16), len(data)

    def send(self, to: str, data: bytes) -> dict[str, Any]:
        """The receipt of a transaction that succeeds."""
        receipt = self._mined({"to": to, "data": "0x" + data.hex(), "gas": hex(GAS)})
        assert receipt["status"] == "0x1"
        return receipt

    def _deploy(self, compiled: dict[str, Any]) -> str:
        return str(self._mined({"data": "0x" + compiled["evm"]["bytecode"]["object"]})["contractAddress"])

    def _mined(self, request: dict[str, str]) -> dict[str, Any]:
        sent = self.rpc("eth_sendTransaction", {"from": self.rpc("eth_accounts")[0], **request})
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            found: dict[str, Any] | None = self.rpc("eth_getTransactionReceipt", sent)
            if found is not None:
                return found
            time.sleep(0.005)
        raise AssertionError(f"{sent!r} is not mined")


def case_data(contested: Contested, round_: Round, proof: bytes) -> bytes:
    """The call of `judge` on a round's proposal."""
    terms, shares = contested.terms, contested.terms.shares
    parts = (shares.presence + shares.contribution, shares.aggregator, shares.attesters)
    law = Law(1, terms.group_size, 0, 0, 20, 16, 65_536, 0, 0, 1, 1, 1, *parts)
    assert round_.proposal is not None
    case = (TASK, astuple(law), round_.proposal.before, astuple(claim_of(round_)), [])
    return _JUDGE + encode([_CASE, "bytes"], [case, proof])


def _call(function: str, types: list[str], *arguments: object) -> bytes:
    return keccak(text=f"{function}({','.join(types)})")[:4] + encode(types, arguments)


def _signature(item: dict[str, Any]) -> str:
    return f"{item['name']}({','.join(one['type'] for one in item['inputs'])})"
