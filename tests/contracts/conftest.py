"""Two chains with the contracts on them: anvil, and the embedded one. Most tests need only the faster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from foedus.contracts.compile import MODULES
from foedus.node.devnet.processes import start_anvil_process, start_chain_process
from tests.contracts.actors import OPTIMISTIC, Stage, World
from tests.contracts.bench import creation_codes
from tests.contracts.chain import ETHER

ANVIL = MODULES / "@foundry-rs" / "anvil-linux-amd64" / "bin" / "anvil"
ACCOUNTS = 53


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """`brownie test` collects its own files and no others; nobody else collects them."""
    theirs = collection_path.name.startswith("brownie_")
    under_brownie = config.pluginmanager.has_plugin("pytest-brownie")
    return True if collection_path.suffix == ".py" and theirs != under_brownie else None


@pytest.fixture(scope="session")
def anvil() -> Iterator[World]:
    """Anvil, a block a transaction."""
    if not ANVIL.exists():
        pytest.skip(f"{ANVIL} is missing: run `make setup-dev`")
    with start_anvil_process(ANVIL, accounts=ACCOUNTS) as chain:
        yield _furnish(chain.url, "anvil")


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The embedded chain, blocks with transactions only."""
    folder: Path = tmp_path_factory.mktemp("chain")
    with start_chain_process(folder, block_time=0, accounts=ACCOUNTS) as chain:
        yield _furnish(chain.url, "embedded")


@pytest.fixture(params=["anvil", "embedded"])
def chain(request: pytest.FixtureRequest) -> World:
    """Each of the chains."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, World)
    return found


@pytest.fixture
def world(request: pytest.FixtureRequest) -> World:
    """One chain: anvil, or the embedded one where it is not installed."""
    found = request.getfixturevalue("anvil" if ANVIL.exists() else "embedded")
    assert isinstance(found, World)
    return found


@pytest.fixture(scope="session")
def harness() -> dict[str, bytes]:
    """The creation code of each contract of `harness/Harness.sol`, by name."""
    return creation_codes("Harness")


@pytest.fixture
def stage(world: World) -> Stage:
    """A new task of five members, nobody joined."""
    return world.create(world.accounts[:5])


@pytest.fixture
def opened(stage: Stage) -> Stage:
    """Five members joined, the first round open for commits."""
    stage.join(0, 1, 2, 3, 4)
    stage.draw()
    return stage


@pytest.fixture
def committed(opened: Stage) -> Stage:
    """All five committed: FREEZE."""
    opened.commit(0, 1, 2, 3, 4)
    return opened


@pytest.fixture
def frozen(committed: Stage) -> Stage:
    """All five survive: AGGREGATE, past the beacon."""
    committed.freeze(range(5))
    committed.world.mine(2)
    return committed


@pytest.fixture
def hopeful(world: World) -> Stage:
    """An OPTIMISTIC task of five members, the first round open for commits."""
    stage = world.create(world.accounts[:5], OPTIMISTIC)
    stage.join(0, 1, 2, 3, 4)
    stage.draw()
    return stage


def _furnish(url: str, kind: str) -> World:
    world = World.open(url, kind, ACCOUNTS)
    world.deposit(world.accounts[:-1], ETHER)
    return world
