"""The short form of `make chaos`: few nodes, two rounds, a fixed seed; and that every check sees what it is there for."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from dataclasses import replace

import pytest

from foedus.contracts import calls
from foedus.contracts.ledger import Ledger
from foedus.protocol.events import Phase
from foedus.protocol.ids import Wei
from tests.chaos import invariants, money
from tests.chaos.run import FINAL_SHARE, judge, played
from tests.chaos.schedule import draw

SEED = 2
pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def schedule():
    return draw(SEED, nodes=4, rounds=2, faults=5)


@pytest.fixture(scope="module")
def run(schedule, tmp_path_factory):
    with played(schedule, tmp_path_factory.mktemp("chaos")) as what:
        yield what


def test_both_rounds_are_final_through_the_faults_and_all_holds(run, schedule):
    result = judge(schedule, run)
    assert result.broken == {name: [] for name in result.broken}
    assert len(result.broken) == 7
    assert (result.end, result.final) == ("COMPLETED", 2)
    assert len(result.faults) >= 4, "the faults were not played"
