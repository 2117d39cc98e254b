"""Hours in which a node has nothing to do leave nothing behind in its memory."""

from __future__ import annotations

import pytest

from benchmarks.network.idle import SETTLED_HOURS, measure

HOURS = SETTLED_HOURS + 2
GROWTH_MIB = 3.0
"""Two hours are 600 blocks, 480 requests and 120 hints: a leak of 3 KB an event shows."""

pytestmark = [pytest.mark.processes, pytest.mark.long, pytest.mark.timeout(900)]


def test_two_hours_without_work_do_not_grow_a_daemon():
    found = measure(HOURS, lambda line: None)
    assert len(found["idle_mib"]) == HOURS
    assert found["idle_growth_mib"] < GROWTH_MIB, found["idle_mib"]
