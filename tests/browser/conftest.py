"""One chain with one history for all tests, and dashboards in front of it."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from foedus.dashboard.app import create_app
from foedus.dashboard.blobs import FolderStore
from foedus.node.devnet.processes import start_chain_process
from tests.browser.history import Told, tell
from tests.contracts.actors import World

ACCOUNTS = 6

Dashboard = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


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
    """A dashboard by its HTTP alone; audits run when asked for."""

    @asynccontextmanager
    async def start(store: Path = told.store, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
        rpc = options.pop("rpc", told.world.url)
        options = {"poll_seconds": 0.05, "watch": False, **options}
        app = create_app(rpc, told.world.deployment, FolderStore(store), **options)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://dashboard") as client,
        ):
            yield client

    return start
