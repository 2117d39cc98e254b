"""A pause that has lasted 30 days is ended by whoever watches, without the guardian."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from pathlib import Path

import pytest
from eth_account import Account

from foedus.contracts.errors import Reverted
from foedus.contracts.ledger import Ledger
from foedus.contracts.steering import MAX_PAUSE_SECONDS, pause, resume
from foedus.node.chain import read_task
from foedus.node.devnet.accounts import dev_accounts
from foedus.node.devnet.local import LocalNetwork
from foedus.node.devnet.processes import start_chain_process
from foedus.protocol.events import Phase
from foedus.protocol.task import Task
from tests.node.waiting import said

TASK_FILE = Path(__file__).parent / "story" / "task.toml"
MARGIN_SECONDS = 600
PATIENCE_SECONDS = 60

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]


async def state_of(network: LocalNetwork, task: str) -> Task:
    async with await Ledger.connect(network.rpc, network.deployment) as ledger:
        return (await read_task(ledger, task))[0]


async def stop_the_clocks(network: LocalNetwork, task: str) -> None:
    """By the guardian: whoever deployed."""
    guardian = Account.from_key(dev_accounts(count=1)[0].key)
    async with await Ledger.connect(network.rpc, network.deployment, guardian) as ledger:
        await ledger.transact(pause(task))
    other = Account.from_key(dev_accounts(count=2)[1].key)
    async with await Ledger.connect(network.rpc, network.deployment, other) as ledger:
        with pytest.raises(Reverted, match="guardian"):
            await ledger.transact(resume(task))


def advance(rpc: str, seconds: int) -> None:
    for method, parameters in (("evm_increaseTime", [seconds]), ("evm_mine", [])):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}).encode()
        asked = urllib.request.Request(rpc, body, {"content-type": "application/json"})
        assert "error" not in json.load(urllib.request.urlopen(asked, timeout=10))


def test_a_spent_pause_ends_by_itself_and_not_before(tmp_path: Path) -> None:
    with start_chain_process(tmp_path / "chain", block_time=0.5) as chain:
        network = asyncio.run(LocalNetwork.create(tmp_path / "network", chain.url, 2))
        sponsor, watcher = network.nodes
        try:
            task = network.ask(sponsor, "task", "create", str(TASK_FILE), "--yes")["task"]
            due = asyncio.run(state_of(network, task)).deadline
            asyncio.run(stop_the_clocks(network, task))
            network.start(sponsor)
            network.start(watcher, "--watch-only")
            said(watcher, "watching")
            advance(network.rpc, MAX_PAUSE_SECONDS - MARGIN_SECONDS)
            time.sleep(4)
            assert asyncio.run(state_of(network, task)).phase is Phase.PAUSED
            advance(network.rpc, MARGIN_SECONDS)
            began = time.monotonic()
            while (state := asyncio.run(state_of(network, task))).phase is Phase.PAUSED:
                assert time.monotonic() - began < PATIENCE_SECONDS, f"the logs are in {network.root}"
                time.sleep(0.5)
            said(watcher, "task resumed")
        finally:
            network.stop()
    assert state.phase is Phase.ENROL
    assert state.paused_seconds >= MAX_PAUSE_SECONDS
    assert state.deadline == due + state.paused_seconds
