"""What refuting a wrong claim costs on a real task; `pytest -s` on this file prints it."""

from __future__ import annotations

import pytest

from foedus.protocol.merkle import height
from tests.contracts.conftest import ANVIL
from tests.contracts.fraud_cases import fraud_gas

TARGETS = {"fraud_sum": 250_000, "fraud_leaf": 250_000, "fraud_mask": 650_000, "fraud_rule": 330_000}
LEVEL = 2_500
"""Gas of one more level of a tree, of which a proof shows at most three paths."""

pytestmark = pytest.mark.skipif(not ANVIL.exists(), reason=f"{ANVIL} is missing: run `make setup-dev`")


def test_refuting_costs_what_it_may_and_grows_with_the_height_of_trees_alone() -> None:
    small, large = fraud_gas(1_000_000, 40, "fedavg"), fraud_gas(10_000_000, 40, "fedavg")
    for name, most in TARGETS.items():
        print(f"\n{name:12}{small[name]:>10,}{large[name]:>10,}{most:>10,}", end="")
        assert small[name] <= most
        assert large[name] - small[name] <= 3 * LEVEL * (height(39_063) - height(3_907))
