"""The chain as a process: crashes, company, and clean ends."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from foedus.node.devnet.accounts import dev_accounts
from foedus.node.devnet.errors import StartFailed
from foedus.node.devnet.processes import ChainProcess, start_chain_process

pytestmark = pytest.mark.processes

SINK = b"\x05" * 20


HTTP = httpx.Client(timeout=30)


def ask(url: str, method: str, *params: Any) -> Any:
    answer = HTTP.post(url, json={"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}).json()
    assert "result" in answer, answer
    return answer["result"]


def test_no_acknowledged_transaction_is_lost_when_killed(tmp_path: Path, sign: Any) -> None:
    """Killed twice while four senders send without pause, each transaction acknowledged is there afterwards."""
    acknowledged: list[str] = []
    nonces = [0] * 4
    for _ in range(2):
        with start_chain_process(tmp_path, block_time=0.05) as chain:

            def send_until_dead(account: int, url: str = chain.url) -> None:
                with httpx.Client(base_url=url) as client:
                    while True:
                        raw = "0x" + sign(account=account, nonce=nonces[account], to=SINK, value=1).hex()
                        body = {"jsonrpc": "2.0", "id": 1, "method": "eth_sendRawTransaction", "params": [raw]}
                        try:
                            answer = client.post("/", json=body).json()
                        except httpx.HTTPError:
                            return
                        nonces[account] += 1
                        if "result" in answer:
                            acknowledged.append(answer["result"])

            senders = [threading.Thread(target=send_until_dead, args=(account,)) for account in range(4)]
            for sender in senders:
                sender.start()
            time.sleep(0.5)
            chain.kill()
            for sender in senders:
                sender.join()
        with start_chain_process(tmp_path, block_time=0) as chain:
            for account in range(4):
                place = "0x" + dev_accounts()[account].address.hex()
                nonces[account] = int(ask(chain.url, "eth_getTransactionCount", place, "pending"), 16)
            request = {"jsonrpc": "2.0", "id": 1, "method": "eth_getTransactionReceipt"}
            receipts = HTTP.post(chain.url, json=[request | {"params": [digest]} for digest in acknowledged]).json()
            assert all(receipt["result"] and receipt["result"]["status"] == "0x1" for receipt in receipts)
            assert int(ask(chain.url, "eth_getBalance", "0x" + SINK.hex(), "latest"), 16) >= len(acknowledged)
    assert len(acknowledged) > 20


SENDER = """
import sys
from web3 import Web3
url, account, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
w3 = Web3(Web3.HTTPProvider(url))
sender = w3.eth.accounts[account]
for _ in range(count):
    digest = w3.eth.send_transaction({"from": sender, "to": "0x" + "05" * 20, "value": 1})
    assert w3.eth.wait_for_transaction_receipt(digest, poll_latency=0.01)["status"] == 1
"""


def test_four_processes_send_at_once(tmp_path: Path) -> None:
    """Two of them from one account: the chain gives each transaction a nonce of its own."""
    with start_chain_process(tmp_path, block_time=0.2) as chain:
        commands = [[sys.executable, "-c", SENDER, chain.url, account, "15"] for account in ("0", "0", "1", "2")]
        senders = [subprocess.Popen(command) for command in commands]
        assert [sender.wait(60) for sender in senders] == [0, 0, 0, 0]
        assert int(ask(chain.url, "eth_getBalance", "0x" + SINK.hex(), "latest"), 16) == 60
        first = "0x" + dev_accounts()[0].address.hex()
        assert ask(chain.url, "eth_getTransactionCount", first, "latest") == hex(30)


def test_blocks_come_without_transactions_and_keep_to_the_clock(tmp_path: Path) -> None:
    started = time.monotonic()
    with start_chain_process(tmp_path, block_time=0.1) as chain:
        while int(ask(chain.url, "eth_blockNumber"), 16) < 8:
            time.sleep(0.05)
        latest = ask(chain.url, "eth_getBlockByNumber", "latest", False)
        assert int(latest["number"], 16) <= (time.monotonic() - started) / 0.1
        assert abs(int(latest["timestamp"], 16) - time.time()) < 2


def test_sigterm_ends_it_cleanly_and_it_starts_again(tmp_path: Path) -> None:
    with start_chain_process(tmp_path, block_time=0.1) as chain, httpx.Client(base_url=chain.url) as idle:
        assert idle.get("/").status_code == 405
        head = ask(chain.url, "eth_blockNumber")
        assert chain.stop() == 0
    with start_chain_process(tmp_path, block_time=0) as chain:
        assert int(ask(chain.url, "eth_blockNumber"), 16) >= int(head, 16)


def test_a_folder_has_one_server(tmp_path: Path) -> None:
    with start_chain_process(tmp_path) as chain:
        with pytest.raises(StartFailed, match=f"in use by process {chain.pid}"):
            start_chain_process(tmp_path)
        assert ask(chain.url, "eth_chainId") == "0x7a69"


def test_it_does_not_start_on_wrong_settings(tmp_path: Path) -> None:
    start_chain_process(tmp_path).stop()
    wrong: tuple[tuple[dict[str, Any], str], ...] = (
        ({"chain_id": 5}, "began with chain_id 31337, not 5"),
        ({"block_time": -1}, "block_time is -1.0: it must be at least 0"),
    )
    for options, message in wrong:
        with pytest.raises(StartFailed, match=message):
            start_chain_process(tmp_path, **options)


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartFailed, match=f"cannot listen on 127.0.0.1:{port}"):
            start_chain_process(tmp_path, port=port)


def test_polls_are_answered_while_a_long_call_runs(served: ChainProcess) -> None:
    """A loop that burns all its gas keeps one thread busy; looking at the chain does not wait for it."""
    burn = {"data": "0x5b600056", "gas": hex(2_000_000)}
    body = {"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": [burn]}
    answers: list[Any] = []
    caller = threading.Thread(target=lambda: answers.append(httpx.post(served.url, json=body, timeout=60).json()))
    started = time.monotonic()
    caller.start()
    polls = 0
    with httpx.Client(base_url=served.url) as client:
        while caller.is_alive():
            client.post("/", json={"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber"}).raise_for_status()
            polls += 1
    elapsed = time.monotonic() - started
    caller.join()
    assert answers[0]["error"]["message"] == "out of gas"
    assert polls > 5 * elapsed
