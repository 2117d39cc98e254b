"""The chains to play on: anvil where it is installed, with a clock that only the test moves; and the embedded one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from foedus.contracts.compile import MODULES
from foedus.node.devnet.processes import start_anvil_process, start_chain_process
from foedus.protocol.ids import Wei
from tests.contracts.actors import ETHER, World

ANVIL = MODULES / "@foundry-rs" / "anvil-linux-amd64" / "bin" / "anvil"
ACCOUNTS = 41
"""Thirty-nine who may take part, more than a committee has seats, the guardian, and the sponsor."""

GENESIS_TIME = 1_700_000_000


@pytest.fixture(scope="session")
def anvil(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Anvil with blocks a second apart from a fixed genesis on: every run has the same blocks, so the same draws."""
    if not ANVIL.exists():
        pytest.skip(f"{ANVIL} is missing: run `make setup-dev`")
    with start_anvil_process(_with_fixed_genesis(tmp_path_factory.mktemp("anvil")), accounts=ACCOUNTS) as chain:
        interval = {"jsonrpc": "2.0", "id": 1, "method": "anvil_setBlockTimestampInterval", "params": [1]}
        assert "error" not in httpx.post(chain.url, json=interval).json()
        yield _furnish(World.open(chain.url, "anvil", ACCOUNTS))


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The embedded chain, blocks with transactions only, timed by the machine's clock."""
    with start_chain_process(tmp_path_factory.mktemp("chain"), block_time=0, accounts=ACCOUNTS) as chain:
        yield _furnish(World.open(chain.url, "embedded", ACCOUNTS))


@pytest.fixture
def world(request: pytest.FixtureRequest) -> World:
    """The faster chain: anvil, or the embedded one where it is not installed."""
    found = request.getfixturevalue("anvil" if ANVIL.exists() else "embedded")
    assert isinstance(found, World)
    return found


def _furnish(world: World) -> World:
    world.deposit(world.accounts[:-1], Wei(ETHER))
    return world


def _with_fixed_genesis(folder: Path) -> Path:
    script = folder / "anvil"
    script.write_text(f'#!/bin/sh\nexec "{ANVIL}" --timestamp {GENESIS_TIME} "$@"\n')
    script.chmod(0o755)
    return script
