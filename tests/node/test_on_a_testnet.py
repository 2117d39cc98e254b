"""Daemons on a chain that is not their own: they act on `finalized` alone, by two endpoints held against each other."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from foedus.contracts.compile import MODULES
from foedus.node.devnet.local import LocalNetwork
from foedus.node.devnet.processes import start_anvil_process
from tests.contracts.faulty_rpc import FaultyRpc, a_faulty_rpc
from tests.contracts.remote import SEPOLIA
from tests.node.waiting import said, wait_for_the_end

ANVIL: Path = MODULES / "@foundry-rs" / "anvil-linux-amd64" / "bin" / "anvil"
QUERY_FILE = Path(__file__).parent / "story" / "analysis.toml"
APP = Path(__file__).parents[2] / "examples" / "heart_survey" / "app.py"
FINAL_AFTER = 4
"""Blocks below the newest one that this chain calls final."""

pytestmark = [pytest.mark.processes, pytest.mark.long, pytest.mark.timeout(600)]


def finalize(proxy: FaultyRpc) -> None:
    """Make the block FINAL_AFTER below the newest the final one: anvil's own lags by 64."""

    def block(params: list[Any], honest: Callable[[], Any]) -> Any:
        if params[0] != "finalized":
            return honest()
        newest = int(ask(proxy.behind, "eth_blockNumber"), 16)
        return ask(proxy.behind, "eth_getBlockByNumber", hex(max(0, newest - FINAL_AFTER)), params[1])

    proxy.twists["eth_getBlockByNumber"] = block


def ask(url: str, method: str, *params: Any) -> Any:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
    return httpx.post(url, json=body, timeout=30).json()["result"]


def test_a_whole_task_where_only_final_blocks_count(tmp_path):
    if not ANVIL.exists():
        pytest.skip(f"{ANVIL} is missing: run `make setup-dev`")
    with (
        start_anvil_process(ANVIL, chain_id=SEPOLIA, block_time=1) as chain,
        a_faulty_rpc(chain.url) as one,
        a_faulty_rpc(chain.url) as other,
    ):
        for proxy in (one, other):
            finalize(proxy)
        network = asyncio.run(LocalNetwork.create(tmp_path / "network", f"{one.url},{other.url}", 3))
        try:
            sponsor = network.nodes[0]
            task = network.ask(sponsor, "analyze", "create", str(QUERY_FILE), "--yes")["task"]
            network.start(sponsor, "--http", "127.0.0.1:0")
            said(sponsor, "announced")
            for at, node in enumerate(network.nodes):
                network.ask(node, "analyze", "join", task, "--app", str(APP), "--partition", str(at), "--yes")
            for node in network.nodes[1:]:
                network.start(node)
            ended = wait_for_the_end(network, task)
            assert (ended["end"], ended["finished"]) == ("COMPLETED", 1)
            url = network.ask(sponsor, "status")["daemon"]["http"]
            assert httpx.get(f"{url}/readyz", timeout=30).json() == {"ready": True, "reasons": []}
            words = network.command(sponsor, "audit", task, "--store", str(sponsor.home.store))
            audited = subprocess.run(words, capture_output=True, text=True)
            assert (audited.returncode, json.loads(audited.stdout)["status"]) == (0, "verified")
            for node in network.nodes:
                assert "Traceback" not in node.log.read_text()
        finally:
            network.stop()
