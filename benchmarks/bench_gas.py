"""What every transaction costs, measured on anvil (Prague's rules) with the contracts as they are deployed.

    python -m benchmarks.bench_gas

From the repository's root. Prints each row against its target, and how rows grow with participants and rounds; writes
benchmarks/results/gas.json, row -> gas, and the tables in docs/contracts.md.
"""

from __future__ import annotations

import json
import sys

from benchmarks import gas_fraud, gas_growth, gas_report, gas_scenes
from benchmarks.gas_chain import ANVIL, anvil_world
from benchmarks.gas_report import PAGE, RESULTS, Costs


def deployment_costs(steps: dict[str, int]) -> Costs:
    """A row a step, and their sum. A contract that another one makes is in that one's."""
    rows = {f"deploy_{name}": gas for name, gas in steps.items() if gas}
    return {"deploy": sum(rows.values()), **rows}


def measure() -> Costs:
    """All rows."""
    with anvil_world(gas_scenes.MEMBERS + 2) as (world, steps):
        costs = gas_report.flat(gas_scenes.play(world)) | deployment_costs(steps)
    with anvil_world(gas_fraud.ACCOUNTS) as (world, _):
        costs |= gas_report.flat(gas_fraud.refutations(world) | gas_fraud.by_rule(world))
    with anvil_world(max(gas_growth.PARTICIPANTS) + 2) as (world, _):
        costs |= gas_report.flat(gas_growth.by_rounds(world) | gas_growth.by_participants(world))
    return costs


def main() -> None:
    """Measure, print, write."""
    if not ANVIL.exists():
        sys.exit(f"{ANVIL} is missing: run `make setup-dev`")
    costs = measure()
    RESULTS.write_text(json.dumps(costs, indent=2) + "\n")
    PAGE.write_text(gas_report.page(costs, PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write(gas_report.tables(costs))
    if missed := gas_report.over(costs):
        sys.stdout.write(f"\nover their targets: {', '.join(missed)}\n")


if __name__ == "__main__":
    main()
