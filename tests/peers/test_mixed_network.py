"""A task among nodes of which one has its blocks in an IPFS daemon that nobody here wrote."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import subprocess
from pathlib import Path

import pytest

from foedus.node.config import Config
from foedus.node.devnet.local import LocalNetwork
from foedus.node.devnet.processes import start_chain_process
from tests.node.dropouts import begin
from tests.node.waiting import wait_for_the_end
from tests.peers.daemon import PROGRAM, js_ipfs

ROOT = Path(__file__).parents[2]
TASK_FILE, APP = ROOT / "tests" / "node" / "story" / "small.toml", ROOT / "examples" / "digits" / "app.py"

pytestmark = [pytest.mark.processes, pytest.mark.timeout(600)]


def test_nodes_with_and_without_an_ipfs_daemon_make_one_model_and_the_daemon_alone_proves_it(tmp_path: Path) -> None:
    if not PROGRAM.exists():
        pytest.skip("no IPFS daemon: run `make peers` (300 MB)")
    (tmp_path / "ipfs").mkdir()
    with js_ipfs(tmp_path / "ipfs") as url, start_chain_process(tmp_path / "chain", block_time=0.5) as chain:
        network = asyncio.run(LocalNetwork.create(tmp_path / "network", chain.url, 3))
        sponsor, backed = network.nodes[0], network.nodes[1]
        config = Config.load(backed.home, environ={})
        dataclasses.replace(config, ipfs=url, archive="all").save(backed.home)
        try:
            task = begin(network, TASK_FILE, APP)
            ended = wait_for_the_end(network, task)
            assert (ended["end"], ended["finished"]) == ("COMPLETED", 2)
            checks = network.ask(backed, "doctor")["checks"]
            assert {row["check"]: row["good"] for row in checks}["ipfs"]
            words = network.command(sponsor, "audit", task, "--ipfs", url)
            audited = subprocess.run(words, capture_output=True, text=True)
            assert (audited.returncode, json.loads(audited.stdout)["status"]) == (0, "verified"), audited.stderr
        finally:
            network.stop()
        assert not (backed.home.store / "blocks").exists(), "its blocks were to be in the daemon alone"


def test_a_node_whose_ipfs_daemon_is_gone_says_so(tmp_path: Path) -> None:
    with start_chain_process(tmp_path / "chain", block_time=0.5) as chain:
        network = asyncio.run(LocalNetwork.create(tmp_path / "network", chain.url, 1))
        (node,) = network.nodes
        dataclasses.replace(Config.load(node.home, environ={}), ipfs="http://127.0.0.1:9").save(node.home)
        words = network.command(node, "node", "run")
        ran = subprocess.run(words, capture_output=True, text=True, timeout=60)
        assert ran.returncode == 1
        assert "IPFS daemon at http://127.0.0.1:9" in ran.stderr
        assert "Traceback" not in ran.stderr
        doctor = subprocess.run(network.command(node, "doctor"), capture_output=True, text=True)
        row = next(row for row in json.loads(doctor.stdout)["checks"] if row["check"] == "ipfs")
        assert (row["good"], "is it running" in row["found"]) == (False, True)
