"""Starting: what is wrong is said before anything is served."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from foedus.contracts.deployment import MalformedDeployment
from foedus.dashboard.blobs import open_store
from foedus.dashboard.serve import CannotListen, serve
from foedus.network.folder import FolderStore
from foedus.network.kubo import KuboStore
from tests.browser.history import Told


def test_a_taken_port_is_named(told: Told, tmp_path: Path) -> None:
    told.world.deployment.save(tmp_path / "book.json")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=f"127.0.0.1:{port}"):
            serve(told.world.url, tmp_path / "book.json", told.store, port=port)


def test_a_bad_address_book_and_a_folder_without_blocks_are_refused(told: Told, tmp_path: Path) -> None:
    (tmp_path / "book.json").write_text("{}")
    with pytest.raises(MalformedDeployment):
        serve(told.world.url, tmp_path / "book.json", told.store)
    told.world.deployment.save(tmp_path / "book.json")
    with pytest.raises(NotADirectoryError, match="no store"):
        serve(told.world.url, tmp_path / "book.json", tmp_path)


def test_a_store_is_a_folder_or_a_daemon(told: Told) -> None:
    assert isinstance(open_store(told.store), FolderStore)
    assert isinstance(open_store(str(told.store)), FolderStore)
    daemon = open_store("http://127.0.0.1:5001")
    assert isinstance(daemon, KuboStore)
    asyncio.run(daemon.close())
