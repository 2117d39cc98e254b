"""One chain with one history for all tests, and dashboards in front of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from foedus.dashboard.app import create_app
from foedus.network.folder import FolderStore
from foedus.node.devnet.processes import start_chain_process
from tests.browser.history import Told, tell
from tests.browser.site import Site
from tests.contracts.actors import World

ACCOUNTS = 8

Dashboard = Callable[..., AbstractContextManager[Site]]


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """The history, and its chain while the tests run."""
    root: Path = tmp_path_factory.mktemp("history")
    with start_chain_process(root / "chain", block_time=0, accounts=ACCOUNTS) as chain:
        yield tell(World.open(chain.url, "embedded", ACCOUNTS), root / "store")


@pytest.fixture
def store(told: Told, tmp_path: Path) -> Path:
    """A copy of the store, to spoil."""
    return Path(shutil.copytree(told.store, tmp_path / "store"))


@pytest.fixture
def dashboard(told: Told) -> Dashboard:
    """A dashboard by its HTTP alone; without `watch`, audits run only when asked for."""

    def start(store: Path = told.store, rpc: str = told.world.url, watch: bool = False) -> Site:
        app = create_app(rpc, told.world.deployment, FolderStore(store), poll_seconds=0.05, watch=watch)
        return Site(app)

    return start


@pytest.fixture(scope="module")
def site(told: Told) -> Iterator[Site]:
    """A dashboard that many tests only read from: all stored terms are known, the played task's rounds audited."""
    app = create_app(told.world.url, told.world.deployment, FolderStore(told.store), poll_seconds=0.05, watch=False)
    with Site(app) as client:
        client.audited(told.played)
        client.until(f"/api/tasks/{told.enrolling}", lambda found: found["terms"]["status"] == "known")
        yield client
