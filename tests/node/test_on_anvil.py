"""The same daemons and commands on anvil: a chain that nobody here wrote."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path

import httpx
import pytest

from foedus.contracts.compile import MODULES
from foedus.node.devnet.local import LocalNetwork
from foedus.node.devnet.processes import start_anvil_process
from tests.node.waiting import wait_for_the_end

ANVIL: Path = MODULES / "@foundry-rs" / "anvil-linux-amd64" / "bin" / "anvil"
TASK_FILE = Path(__file__).parent / "story" / "small.toml"
APP = Path(__file__).parents[2] / "examples" / "digits" / "app.py"

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]


def test_a_whole_task_on_anvil(tmp_path):
    if not ANVIL.exists():
        pytest.skip(f"{ANVIL} is missing: run `make setup-dev`")
    with start_anvil_process(ANVIL, block_time=1) as chain:
        network = asyncio.run(LocalNetwork.create(tmp_path / "network", chain.url, 3))
        try:
            sponsor = network.nodes[0]
            network.start(sponsor)
            task = network.ask(sponsor, "task", "create", str(TASK_FILE), "--yes")["task"]
            for at, node in enumerate(network.nodes):
                network.ask(node, "task", "join", task, "--app", str(APP), "--partition", str(at), "--yes")
            for node in network.nodes[1:]:
                network.start(node)
            ended = wait_for_the_end(network, task)
            assert (ended["end"], ended["finished"]) == ("COMPLETED", 2)
            assert network.ask(sponsor, "reward", "claim", task)["paid"] > 0
            model = tmp_path / "model.safetensors"
            network.ask(sponsor, "model", "export", task, str(model))
            assert_it_is_the_chains_model(model, ended)
            assert network.ask(sponsor, "round", "show", task, "1")["round"] == 1
            words = network.command(sponsor, "audit", task, "--store", str(sponsor.home.store))
            audited = subprocess.run(words, capture_output=True, text=True)
            assert (audited.returncode, json.loads(audited.stdout)["status"]) == (0, "verified")
            network.stop()
            thaw_at = network.ask(sponsor, "task", "leave", task)["thaw_at"]
            assert network.ask(sponsor, "stake", "show")["locked"] > 0
            early = subprocess.run(network.command(sponsor, "stake", "collect", task), capture_output=True, text=True)
            assert early.returncode == 1
            assert f"can be collected from {thaw_at}" in " ".join(early.stderr.split())
            warp = {"jsonrpc": "2.0", "id": 1, "method": "evm_setNextBlockTimestamp", "params": [thaw_at]}
            assert "error" not in httpx.post(chain.url, json=warp).json()
            assert network.ask(sponsor, "stake", "collect", task)["locked"] == 0
            checks = subprocess.run(network.command(sponsor, "doctor"), capture_output=True, text=True)
            assert {row["check"]: row["good"] for row in json.loads(checks.stdout)["checks"]}["chain"]
        finally:
            network.stop()


def assert_it_is_the_chains_model(model: Path, ended: dict) -> None:
    from safetensors import safe_open
    from safetensors.numpy import load_file

    with safe_open(model, "np") as opened:
        assert opened.metadata()["model_root"] == ended["model_root"]
    assert sum(tensor.size for tensor in load_file(model).values()) == 64 * 32 + 32 + 32 * 10 + 10
