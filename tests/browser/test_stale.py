"""A chain that is down: the page says so and keeps what it last read; when the chain is back so is the page."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from foedus.node.devnet.processes import ChainProcess, start_chain_process
from tests.browser.conftest import ACCOUNTS, Dashboard
from tests.browser.history import Told


@pytest.fixture
def copied(told: Told, tmp_path: Path) -> Iterator[ChainProcess]:
    """The same chain in another process, to stop and to start."""
    shutil.copytree(told.store.parent / "chain", tmp_path / "chain")
    with start_chain_process(tmp_path / "chain", block_time=0, accounts=ACCOUNTS) as chain:
        yield chain


def test_a_dead_chain_is_told_and_its_last_state_kept(
    dashboard: Dashboard, told: Told, copied: ChainProcess, tmp_path: Path
) -> None:
    port = int(copied.url.rpartition(":")[2])
    with dashboard(rpc=copied.url) as client:
        assert client.get("/api/state").json()["fault"] is None
        copied.kill()
        state = client.until("/api/state", lambda state: state["stale"])
        assert "no chain answers" in state["fault"]
        assert state["block"] > 0
        page = client.get(f"/tasks/{told.played}").text
        assert "The chain cannot be read." in page
        assert 'role="alert">' in page
        assert "Completed" in page
        with start_chain_process(tmp_path / "chain", block_time=0, accounts=ACCOUNTS, port=port):
            client.until("/api/state", lambda state: not state["stale"])
            assert 'role="alert" hidden>' in client.get("/").text


def test_without_a_chain_at_the_start_pages_say_503(dashboard: Dashboard) -> None:
    with dashboard(rpc="http://127.0.0.1:9") as client:
        answer = client.get("/")
        assert answer.status_code == 503
        assert "no chain answers" in answer.text
        assert client.get("/api/tasks").status_code == 503
        assert client.get("/api/state").json()["block"] is None


def test_a_chain_of_another_deployment_is_refused(dashboard: Dashboard, tmp_path: Path) -> None:
    with (
        start_chain_process(tmp_path / "other", block_time=0, chain_id=4242) as other,
        dashboard(rpc=other.url) as client,
    ):
        state = client.until("/api/state", lambda state: "chain id" in state["fault"])
        assert "4242" in state["fault"]
