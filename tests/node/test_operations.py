"""A daemon under supervision: what it tells Prometheus, a load balancer and systemd, from its start to its end."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from foedus.contracts.errors import WrongChain
from foedus.node.cli.doctor import clock_check
from foedus.node.config import Config
from foedus.node.devnet.local import LocalNetwork
from foedus.node.devnet.processes import start_chain_process
from foedus.node.vitals import Vitals

pytestmark = pytest.mark.processes


HTTP = httpx.Client(timeout=30)


class Manager:
    """A service manager's end of NOTIFY_SOCKET: every message so far, as pairs. It reads while `listening`."""

    def __init__(self, path: Path) -> None:
        self.heard: list[tuple[str, str]] = []
        self.listening = threading.Event()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while self.listening.wait():
            for line in self._socket.recv(4096).decode().split("\n"):
                key, _, value = line.partition("=")
                self.heard.append((key, value))


def until(look: Callable[[], Any], seconds: float = 30) -> Any:
    give_up = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < give_up, "waited in vain"
        time.sleep(0.1)
    return found


def logged(log: Path, event: str) -> dict[str, Any] | None:
    """The first line of the daemon's log about an event."""
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return next((line for line in lines if line["event"] == event), None)


def samples(url: str) -> dict[tuple[str, ...], float]:
    """Every sample of /metrics by its name and label values."""
    answer = HTTP.get(f"{url}/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    families = text_string_to_metric_families(answer.text)
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


def test_a_node_is_ready_only_while_chain_network_and_store_are_there(tmp_path, monkeypatch):
    manager = Manager(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "400000")
    with start_chain_process(tmp_path / "chain", block_time=0.5) as chain:
        network = asyncio.run(LocalNetwork.create(tmp_path / "net", chain.url, 1))
        port = int(chain.url.rpartition(":")[2])
    (node,) = network.nodes
    network.start(node, "--http", "127.0.0.1:0")
    try:
        url = until(lambda: node.log.exists() and logged(node.log, "health served"))["url"]

        def reasons() -> list[str] | None:
            answer = HTTP.get(f"{url}/readyz")
            said = answer.json()
            assert (answer.status_code == 200) == said["ready"] == (not said["reasons"])
            return said["reasons"]

        assert HTTP.get(f"{url}/healthz").json()["pid"] == node.process.pid
        time.sleep(3)  # 15 pings in a queue of 10, with nobody reading
        assert {reason.partition(":")[0] for reason in reasons()} == {"chain", "network"}
        assert samples(url)["foedus_chain_reached",] == 0
        manager.listening.set()
        until(lambda: ("WATCHDOG", "1") in manager.heard)
        assert "READY" not in dict(manager.heard)

        with start_chain_process(tmp_path / "chain", block_time=0.5, port=port) as chain:
            until(lambda: not reasons())
            until(lambda: ("READY", "1") in manager.heard)
            until(lambda: ("STATUS", "ready") in manager.heard)
            until(lambda: samples(url).get(("foedus_transactions_total", "done")) == 1)
            found = samples(url)
            assert found["foedus_chain_reached",] == 1
            assert found["foedus_chain_head_block",] > 10
            assert abs(found["foedus_chain_lag_seconds",]) < 10
            assert found["foedus_gas_total",] == logged(node.log, "announced")["gas"]
            assert found["foedus_store_quota_bytes",] == Config("", 1).store_bytes
            assert found["process_resident_memory_bytes",] > 20e6
            for name in ("peers_connected", "peers_banned", "peer_faults_total", "store_bytes"):
                assert found[f"foedus_{name}",] == 0
            assert until(lambda: network.ask(node, "status")["daemon"])["http"] == url

            shutil.move(node.home.store, tmp_path / "aside")
            (lost,) = until(reasons)
            assert lost.startswith(f"store: {node.home.store} cannot be written to")
            shutil.move(tmp_path / "aside", node.home.store)
            until(lambda: not reasons())
        (lost,) = until(reasons)
        assert lost.startswith("chain: ")
        assert "READY" in dict(manager.heard)
        assert "STOPPING" not in dict(manager.heard)
        node.process.send_signal(signal.SIGTERM)
        until(lambda: ("STOPPING", "1") in manager.heard)
        assert node.process.wait(30) == 0
    finally:
        node.process.kill()


def test_a_taken_port_and_a_public_one_stop_the_daemon_with_one_line(tmp_path):
    with start_chain_process(tmp_path / "chain", block_time=0.5) as chain:
        network = asyncio.run(LocalNetwork.create(tmp_path / "net", chain.url, 1))
        (node,) = network.nodes
        with socket.create_server(("127.0.0.1", 0)) as taken:
            place = f"127.0.0.1:{taken.getsockname()[1]}"
            network.start(node, "--http", place)
            assert node.process.wait(30) == 1
        assert f"http = '{place}': cannot listen there" in node.log.read_text()
        network.start(node, "--http", "0.0.0.0:0")
        assert node.process.wait(30) == 1
        assert "set http_public = true too" in node.log.read_text()
        assert "Traceback" not in node.log.read_text()


def test_an_rpc_that_changes_to_another_chain_is_found_out(tmp_path, served):
    with start_chain_process(tmp_path / "chain", block_time=0) as chain:
        network = asyncio.run(LocalNetwork.create(tmp_path / "net", chain.url, 1))
        vitals = Vitals(Config(chain.url, 31337), network.nodes[0].account, tmp_path)
        asyncio.run(vitals.prove(network.deployment))
        vitals = Vitals(Config(served.url, 31337), network.nodes[0].account, tmp_path)
        with pytest.raises(WrongChain):
            asyncio.run(vitals.prove(network.deployment))


def test_doctor_finds_what_is_wrong_and_names_the_remedy(tmp_path):
    with start_chain_process(tmp_path / "chain", block_time=0.5) as chain:
        network = asyncio.run(LocalNetwork.create(tmp_path / "net", chain.url, 1))
        (node,) = network.nodes

        def checks(*settings: str) -> dict[str, dict[str, Any]]:
            words = [word for setting in settings for word in ("--set", setting)]
            done = subprocess.run(network.command(node, *words, "doctor"), capture_output=True, text=True)
            rows = json.loads(done.stdout)["checks"]
            assert done.returncode == (not all(row["good"] for row in rows))
            return {row["check"]: row for row in rows}

        def bad(*settings: str) -> dict[str, str]:
            return {name: row["remedy"] for name, row in checks(*settings).items() if not row["good"]}

        assert set(bad()) == {"registry"}  # no daemon has run here yet
        assert bad("chain_id=5")["chain id"].startswith("correct `chain_id`")
        assert bad("rpc=http://127.0.0.1:1")["chain"].startswith("start the chain, or correct `rpc`")
        assert bad("account=0x" + "00" * 20)["account"].startswith("correct `account`")
        assert bad("http=0.0.0.0:0")["http"] == "correct `http`, or set `http_public`"
        assert bad("listen=/ip4/127.0.0.1/udp/1")["listen"] == "write `listen` as /ip4/0.0.0.0/tcp/4001"
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            found = bad(f"listen=/ip4/127.0.0.1/tcp/{port}", f"http=127.0.0.1:{port}")
        assert found["listen"] == "end what listens there, or choose another `listen`"
        assert found["http"] == "choose another port in `http`"
        node.home.node_key.chmod(0o644)
        assert bad()["secrets"] == "chmod 600 these files"
        node.home.node_key.chmod(0o600)

        network.start(node)
        until(lambda: node.home.status.exists() and logged(node.log, "announced"))
        rows = checks()
        assert [name for name, row in rows.items() if not row["good"]] == []
        assert rows["peers"]["found"] == "0 connected, 0 banned, 0 faults since the start"
        assert rows["listen"]["found"].startswith("the daemon answers at /ip4/127.0.0.1/tcp/")
        assert bad("http=127.0.0.1:9464") == {"http": "start the daemon again"}
        node.process.kill()
        node.process.wait()
        assert checks()["listen"]["found"] == "/ip4/127.0.0.1/tcp/0 is free"


def test_the_clock_is_compared_with_the_head_both_ways():
    config = Config("", 1, stale_seconds=60)
    assert (clock_check(5, config).good, clock_check(-5, config).good) == (True, True)
    assert "it is behind" in clock_check(-100, config).remedy
    assert not clock_check(-100, config).good
    assert "it is ahead" in clock_check(61, config).remedy
    assert not clock_check(61, config).good
    assert clock_check(61, Config("", 1, stale_seconds=0)).good


def test_homes_are_made_once(tmp_path):
    with start_chain_process(tmp_path / "chain", block_time=0.5) as chain:
        command = [sys.executable, "-m", "foedus.node", "--json", "devnet", "homes", "--nodes", "1"]
        command += ["--rpc", chain.url, "--dir", str(tmp_path / "net")]
        first, again = (json.loads(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(2))
    assert (first["made"], again["made"]) == (True, False)
    assert (tmp_path / "net" / "node-0" / "config.toml").exists()
