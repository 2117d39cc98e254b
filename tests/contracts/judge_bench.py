"""All judges on a chain of their own, before a task that only knows who committed what."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from foedus.contracts.bindings import artifact
from foedus.contracts.proofs import encode as encode_proof
from foedus.contracts.wiring import JUDGES, data_of
from foedus.node.devnet.processes import start_anvil_process
from foedus.protocol.claims import Case, commitment_digest, next_digest
from foedus.protocol.ids import ZERO32
from foedus.protocol.proofs import Proof
from tests.aggregator.claimed import Claimed
from tests.aggregator.conftest import CHAIN_ID
from tests.aggregator.rounds import Played
from tests.contracts.bench import creation_codes
from tests.contracts.rule_bench import ANVIL, GAS, call_data

_TELL = "(address,uint16,uint32,bytes24)[]"


def heads(played: Played) -> list[tuple[str, int, bytes]]:
    """The survivors' accounts, their openings and their chains' heads."""
    task, found = played.inputs.context.task, []
    for shown in played.inputs.commitments.values():
        head = next_digest(shown.before, commitment_digest(CHAIN_ID, task, shown.made))
        for link in shown.later:
            head = keccak(head + bytes(8) + link)[:24]
        found.append((shown.made.participant, shown.made.opening, head))
    return found


class Bench:
    """A judge's word on a proof is None (guilty), or the name of its error."""

    def __init__(self, url: str) -> None:
        self.client, self.url, self._known = httpx.Client(timeout=60), url, None
        self.judges = {part.name: self._deploy(data_of(part, {"genesis": ZERO32})) for part in JUDGES}
        self.stub = self._deploy(creation_codes("PayoutStub")["PayoutStub"])
        entries = (item for part in JUDGES for item in artifact(part.name)["abi"] if item["type"] == "error")
        self.errors = {_selector(item): item["name"] for item in entries}

    def tell(self, played: Played) -> None:
        """Make the task that of a round."""
        if self._known is played:
            return
        task, self._known = played.inputs.context.task, played
        self.rpc("anvil_setCode", task, self.rpc("eth_getCode", self.stub, "latest"))
        rows = [(account, 0, opening, head) for account, opening, head in heads(played)]
        data = keccak(text=f"tell(uint16,{_TELL})")[:4] + encode(["uint16", _TELL], [0, rows])
        self._mined({"to": task, "data": "0x" + data.hex()})

    def judge(self, told: Claimed, proof: Proof | tuple[str, bytes], case: Case | None = None) -> str | None:
        """The judge's word on a proof, or on any bytes (with the judge's name). case: in place of the claim's own."""
        self.tell(told.played)
        name, blob = proof if isinstance(proof, tuple) else (proof.judge, encode_proof(proof))
        answer = self._call(self.judges[name], call_data(case or told.case, blob))
        if not answer:
            return None
        return self.errors.get(answer[:4], "Panic" if answer[:4] == keccak(text="Panic(uint256)")[:4] else "malformed")

    def rpc(self, method: str, *parameters: object) -> Any:
        """What a call of the node returns. Raises RuntimeError."""
        answer = self._ask(method, *parameters)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["result"]

    def _call(self, to: str, data: bytes) -> bytes:
        request = {"to": to, "data": "0x" + data.hex(), "gas": hex(GAS)}
        answer = self._ask("eth_call", request, "latest")
        if "error" not in answer:
            return bytes.fromhex(answer["result"][2:])
        return bytes.fromhex(answer["error"].get("data", "0x")[2:]) or b"nothing said"

    def _ask(self, method: str, *parameters: object) -> dict[str, Any]:
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(parameters)}
        answer: dict[str, Any] = self.client.post(self.url, json=request).json()
        return answer

    def _deploy(self, data: bytes) -> str:
        return str(self._mined({"data": "0x" + data.hex()})["contractAddress"])

    def _mined(self, request: dict[str, str]) -> dict[str, Any]:
        sent = self.rpc("eth_sendTransaction", {"from": self.rpc("eth_accounts")[0], "gas": hex(GAS), **request})
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            found: dict[str, Any] | None = self.rpc("eth_getTransactionReceipt", sent)
            if found is not None:
                assert found["status"] == "0x1"
                return found
            time.sleep(0.005)
        raise AssertionError(f"{sent} is not mined")


def _selector(item: dict[str, Any]) -> bytes:
    return keccak(text=f"{item['name']}({','.join(one['type'] for one in item['inputs'])})")[:4]


def judge_bench() -> Iterator[Bench]:
    """The judges on a chain of their own; for a fixture."""
    if not ANVIL.exists():
        pytest.skip(f"{ANVIL} is missing: run `make setup-dev`")
    with start_anvil_process(ANVIL) as process:
        yield Bench(process.url)
