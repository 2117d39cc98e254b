"""A court on anvil, and tasks to bring before it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from foedus.node.devnet.processes import start_anvil_process
from tests.contracts.court.cases import Bench, Defendant
from tests.contracts.court.rounds import Frozen, frozen_round
from tests.contracts.court.stage import ANVIL, GENESIS, Chain


@pytest.fixture(scope="session")
def bench() -> Iterator[Bench]:
    """A court with a judge, on a chain of its own."""
    if not ANVIL.exists():
        pytest.skip(f"{ANVIL} is missing: run `make setup-dev`")
    with start_anvil_process(ANVIL, accounts=10) as process:
        chain = Chain(process.url)
        judge = chain.deploy("ScriptedJudge")
        yield Bench(chain, chain.deploy("Court", [judge], GENESIS), judge)


@pytest.fixture
def defendant(bench: Bench) -> Defendant:
    """A task of its own a test."""
    return bench.defendant()


@pytest.fixture
def frozen(defendant: Defendant) -> Frozen:
    """A task whose fourth round is being aggregated."""
    return frozen_round(defendant)
