"""The embedded chain beside foundry's tools: cast reads it, and anvil answers the same to the same transactions."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from eth_account import Account

from foedus.node.devnet.accounts import dev_accounts
from foedus.node.devnet.processes import start_anvil_process

pytestmark = pytest.mark.processes

MODULES = Path(__file__).parents[2] / "contracts" / "node_modules" / "@foundry-rs"
NOBODY = "0x" + "99" * 20
VALUE = b"\x07" * 32

ANVIL_ALONE = {"blobGasPrice", "blockTimestamp"}
"""Fields that anvil adds to receipts and geth does not."""


def tool(name: str) -> Path:
    binary = MODULES / f"{name}-linux-amd64" / "bin" / name
    if not binary.exists():
        pytest.skip(f"{binary} is missing: run `make setup-dev`")
    return binary


HTTP = httpx.Client(timeout=30)


def ask(url: str, method: str, *params: Any) -> Any:
    answer = HTTP.post(url, json={"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}).json()
    return answer["result"] if "result" in answer else {"error": answer["error"]}


@pytest.fixture(scope="module")
def anvil() -> Iterator[str]:
    with start_anvil_process(tool("anvil")) as process:
        yield process.url


def mined(url: str, raw: bytes) -> str:
    """Send, and wait until a block has it: anvil answers before it mines."""
    digest: str = ask(url, "eth_sendRawTransaction", "0x" + raw.hex())
    deadline = time.monotonic() + 10
    while ask(url, "eth_getTransactionReceipt", digest) is None:
        assert time.monotonic() < deadline, digest
        time.sleep(0.01)
    return digest


def play(url: str, sign: Any, probe: Any) -> dict[str, Any]:
    """Deploy and use the contract; what the chain answered on the way."""
    deployment = mined(url, sign(nonce=0, data=probe.code, gas=1_000_000))
    place = ask(url, "eth_getTransactionReceipt", deployment)["contractAddress"]
    contract = probe.at(bytes.fromhex(place[2:]))
    calls = [("note", [5, VALUE]), ("note", [5, bytes(32)]), ("burst", [1, 9]), ("complain", ["no"]), ("deep", [20])]
    hashes = [deployment]
    for nonce, (name, arguments) in enumerate(calls, start=1):
        raw = sign(nonce=nonce, to=contract.address, data=contract.encode_abi(name, args=arguments))
        hashes.append(mined(url, raw))
    legacy = sign(nonce=len(hashes), to=NOBODY, value=3, gas=21_000, gasPrice=3 * 10**9)
    hashes.append(mined(url, legacy))
    listed = [{"address": contract.address, "storageKeys": ["0x" + "00" * 31 + "05"]}]
    berlin = sign(nonce=len(hashes), to=contract.address, data="0x", accessList=listed, gas=60_000, gasPrice=3 * 10**9)
    hashes.append(mined(url, berlin))
    owner = dev_accounts()[7]
    promise = Account.sign_authorization({"chainId": 31337, "address": place, "nonce": 0}, owner.key)
    note = contract.encode_abi("note", args=[6, VALUE])
    prague = sign(nonce=len(hashes), to=owner.address, data=note, authorizationList=[promise])
    hashes.append(mined(url, prague))
    refused = {"to": contract.address, "data": contract.encode_abi("refuse", args=[3, 4])}
    return {
        "transactions": [ask(url, "eth_getTransactionByHash", digest) for digest in hashes],
        "receipts": [ask(url, "eth_getTransactionReceipt", digest) for digest in hashes],
        "blocks": [ask(url, "eth_getBlockByNumber", hex(number), True) for number in range(1, len(hashes) + 1)],
        "genesis": ask(url, "eth_getBlockByNumber", "0x0", False),
        "logs": ask(url, "eth_getLogs", {"fromBlock": "0x0", "address": contract.address}),
        "fees": ask(url, "eth_feeHistory", "0x2", "latest", [50]),
        "refused": ask(url, "eth_call", refused, "latest"),
        "missing": ask(url, "eth_getTransactionReceipt", "0x" + "ab" * 32),
        "code": ask(url, "eth_getCode", contract.address, "latest"),
        "balance": ask(url, "eth_getBalance", NOBODY, "latest"),
        "accounts": ask(url, "eth_accounts"),
    }


@pytest.fixture(scope="module")
def both(served: Any, anvil: str, sign: Any, probe: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    return play(served.url, sign, probe), play(anvil, sign, probe)


def test_execution_agrees_with_anvil(both: tuple[dict[str, Any], dict[str, Any]]) -> None:
    ours, theirs = both
    for mine, other in zip(ours["receipts"], theirs["receipts"], strict=True):
        for field in ("status", "gasUsed", "contractAddress", "from", "to", "type", "logsBloom", "transactionHash"):
            assert mine[field] == other[field], field
    roots = (
        "transactionsRoot",
        "receiptsRoot",
        "withdrawalsRoot",
        "requestsHash",
        "sha3Uncles",
        "logsBloom",
        "gasUsed",
    )
    assert [[b[f] for f in roots] for b in ours["blocks"]] == [[b[f] for f in roots] for b in theirs["blocks"]]
    for field in ("code", "balance", "accounts", "missing"):
        assert ours[field] == theirs[field], field
    assert ours["refused"]["error"]["data"] == theirs["refused"]["error"]["data"]
    assert ours["refused"]["error"]["code"] == theirs["refused"]["error"]["code"]
    where = ("address", "topics", "data", "transactionHash", "logIndex", "blockNumber", "removed")
    assert [[log[f] for f in where] for log in ours["logs"]] == [[log[f] for f in where] for log in theirs["logs"]]


def test_answers_have_anvils_shape(both: tuple[dict[str, Any], dict[str, Any]]) -> None:
    ours, theirs = both

    def shape(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: shape(one) for name, one in value.items() if name not in ANVIL_ALONE}
        return [shape(one) for one in value] if isinstance(value, list) else type(value)

    for name in ("transactions", "receipts", "blocks", "genesis", "logs", "fees"):
        assert shape(ours[name]) == shape(theirs[name]), name


def test_cast_reads_and_sends(served: Any) -> None:
    binary = tool("cast")

    def cast(*words: str) -> Any:
        command = [str(binary), *words, "--rpc-url", served.url, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    key = "0x2a871d0798f97d79848a013d4936a73bf4cc922c825d33c1cf7073dff6d409c6"
    sent = cast("send", NOBODY, "--value", "5", "--private-key", key)
    assert sent["status"] == "0x1"
    receipt = cast("receipt", sent["transactionHash"])
    assert (receipt["gasUsed"], receipt["to"]) == ("0x5208", NOBODY)
    assert cast("block", "latest")["hash"] == receipt["blockHash"]
    assert cast("tx", sent["transactionHash"])["from"] == receipt["from"]
