"""A daemon whose chain cannot be relied on, or turns out to be another; and how much a daemon keeps."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

import foedus.node.daemon
from foedus.contracts.errors import ChainUnreachable, EndpointsDiffer, HeadImplausible, WrongChain
from foedus.network.kubo_rpc import KuboError
from foedus.node import keystore
from foedus.node.config import Config
from foedus.node.connecting import LONGEST_WAIT, Wait
from foedus.node.daemon import run_daemon
from foedus.node.devnet.local import LocalNetwork, LocalNode
from foedus.node.devnet.processes import start_chain_process
from foedus.node.retention import Retention
from foedus.node.runner import TaskRunner
from foedus.node.vitals import Vitals
from tests.contracts.faulty_rpc import a_faulty_rpc
from tests.node.waiting import said

QUERY_FILE = Path(__file__).parent / "story" / "analysis.toml"
APP = Path(__file__).parents[2] / "examples" / "heart_survey" / "app.py"

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """One node that has joined a task, which waits for more participants."""
    root = tmp_path_factory.mktemp("daemon")
    with start_chain_process(root / "chain", block_time=0.3) as chain:
        network = asyncio.run(LocalNetwork.create(root / "network", chain.url, 1))
        (node,) = network.nodes
        task = network.ask(node, "analyze", "create", str(QUERY_FILE), "--yes")["task"]
        network.ask(node, "analyze", "join", task, "--app", str(APP), "--yes")
        yield network
        network.stop()


@pytest.fixture
def node(network):
    """The node, with a log of its own for the test."""
    (node,) = network.nodes
    node.log.unlink(missing_ok=True)
    yield node
    network.kill(node)


def lines(node: LocalNode, event: str) -> list[dict[str, Any]]:
    """Every line of the log about an event."""
    found = [json.loads(line) for line in node.log.read_text().splitlines() if line.startswith("{")]
    return [line for line in found if line["event"] == event]


def test_a_daemon_ends_where_its_endpoint_comes_to_serve_another_chain(network, node, monkeypatch):
    with a_faulty_rpc(network.rpc) as proxy:
        monkeypatch.setenv("FOEDUS_RPC", proxy.url)
        network.start(node)
        said(node, "task begun")
        proxy.twists["eth_chainId"] = lambda _, honest: hex(int(honest(), 16) + 1)
        assert node.process.wait(30) == 1
    told = node.log.read_text()
    assert said(node, "node stopped")
    assert "error: the chain id is 31338, but the deployment is on 31337" in told
    assert "Traceback" not in told


def test_endpoints_that_differ_for_a_while_are_told_once_and_waited_for(network, node, monkeypatch):
    with a_faulty_rpc(network.rpc) as proxy:
        monkeypatch.setenv("FOEDUS_RPC", f"{network.rpc},{proxy.url}")
        network.start(node)
        said(node, "task begun")
        proxy.twists["eth_blockNumber"] = lambda _, honest: hex(int(honest(), 16) + 100)
        assert "the number of the head is" in said(node, "waiting for the chain")["error"]
        asked = proxy.asked["eth_blockNumber"]
        time.sleep(6)
        assert proxy.asked["eth_blockNumber"] - asked <= 6, "20 looks where it does not wait longer and longer"
        assert "the number of the head" in json.loads(node.home.status.read_text())["waiting"]
        del proxy.twists["eth_blockNumber"]
        said(node, "chain reached again")
        network.stop()
    assert len(lines(node, "waiting for the chain")) == 1
    assert "Traceback" not in node.log.read_text()


def test_each_kind_of_trouble_is_told_once_however_many_wait(tmp_path):
    vitals = Vitals(Config("http://x", 1), "0x", tmp_path, waiting="")
    one, other = Wait(vitals, 0.5), Wait(vitals, 2.0)
    away, apart = ChainUnreachable("http://x", "refused"), EndpointsDiffer("the head", ("a", 1), ("b", 9))
    with capture_logs() as log:
        for error in (away, away, away):
            one.lengthen(error)
            other.lengthen(error)
        assert (one.seconds, other.seconds, vitals.waiting) == (4.0, LONGEST_WAIT, str(away))
        other.lengthen(apart)
        one.end()
        assert (one.seconds, vitals.waiting) == (0.5, str(apart))
        other.end()
        other.end()
        assert (other.seconds, vitals.waiting) == (2.0, "")
        one.lengthen(HeadImplausible("the head", 9, 5, "wait"))
        other.lengthen(KuboError("http://y", "refused"))
        one.end()
        other.end()
    assert [(line["event"], line.get("error", "")[:12]) for line in log] == [
        ("waiting for the chain", "no chain ans"),
        ("waiting for the chain", "the head is "),
        ("chain reached again", ""),
        ("waiting for the chain", "the head is "),
        ("waiting for the IPFS daemon", "IPFS daemon "),
        ("IPFS daemon reached again", ""),
    ]


@pytest.mark.parametrize("archive", ["all", "share"])
def test_a_daemon_keeps_what_the_setting_says(network, node, monkeypatch, archive):
    """The runner that a daemon began is looked at from inside; tests/node/test_retention.py says what it then keeps."""
    begun: list[TaskRunner] = []

    def begin(*parts: Any) -> TaskRunner:
        begun.append(TaskRunner(*parts))
        return begun[-1]

    async def play() -> None:
        signer = keystore.unlock(node.home, "", keystore.read_passphrase(network.passphrase_file))
        stop = asyncio.Event()
        running = asyncio.create_task(
            run_daemon(node.home, Config.load(node.home, [f"archive={archive}"]), signer, stop)
        )
        async with asyncio.timeout(60):
            while not begun and not running.done():  # noqa: ASYNC110, a test looks from outside
                await asyncio.sleep(0.05)
        stop.set()
        await running

    monkeypatch.setattr(foedus.node.daemon, "TaskRunner", begin)
    asyncio.run(play())
    assert begun[0]._archivist.retention == Retention(archive=archive)


def test_proving_the_chain_again_raises_what_differs(network, tmp_path):
    with a_faulty_rpc(network.rpc) as proxy:
        vitals = Vitals(Config(proxy.url, 31337), network.nodes[0].account, tmp_path)
        asyncio.run(vitals.prove(network.deployment))
        proxy.twists["eth_getCode"] = lambda params, honest: "0x"
        with pytest.raises(WrongChain, match="without code"):
            asyncio.run(vitals.prove(network.deployment))
