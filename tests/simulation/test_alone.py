from __future__ import annotations

import numpy as np
import pytest

from foedus.protocol.fixedpoint import from_fixed
from foedus.simulation.alone import Alone, best_and_mean, train_alone
from foedus.simulation.ports import pooled
from tests.simulation.toy import VALUES, toy_clients, toy_task


def test_everyone_goes_its_own_way_for_as_long() -> None:
    task = toy_task(3, rounds=20, min_survivors=2)
    seen: list[Alone] = []
    results = train_alone(task, toy_clients(task), progress=seen.append)
    assert tuple(seen) == results
    for client, result in zip(toy_clients(task), results, strict=True):
        assert from_fixed(result.model, 20)[:VALUES] == pytest.approx(np.full(VALUES, client.target), abs=1e-5)
        assert result.own[0]["distance"] == pytest.approx(0, abs=1e-5)
        assert result.shared is None
    assert best_and_mean(results, "distance") == pytest.approx((0, 0), abs=1e-5)


def test_pooling_counts_examples() -> None:
    assert pooled([({"a": 1.0}, 1), ({"a": 0.0}, 3), ({}, 0)]) == ({"a": 0.25}, 4)
    assert pooled([]) == ({}, 0)
