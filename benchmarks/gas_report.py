"""Samples as one flat object, that object as tables, and whether one has grown against another."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from benchmarks.gas_growth import KINDS, PARTICIPANTS, ROUNDS
from benchmarks.gas_scenes import Samples
from benchmarks.gas_targets import GROWTH, OFTEN, TARGETS, drawn

RESULTS = Path(__file__).parent / "results" / "gas.json"
PAGE = Path(__file__).parents[1] / "docs" / "contracts.md"
START, END = "<!-- from benchmarks/results/gas.json -->\n", "<!-- until here -->\n"

Costs = dict[str, int]
"""Gas by row."""


def flat(samples: Samples) -> Costs:
    """One figure a row: the most of its samples; of those that a draw moves the mean, the least and the most beside."""
    costs: Costs = {}
    for row, gas in samples.items():
        costs[row] = round(mean(gas)) if drawn(row) else max(gas)
        if drawn(row):
            costs |= {f"{row}_least": min(gas), f"{row}_most": max(gas)}
    return costs


def over(costs: Mapping[str, int]) -> dict[str, int]:
    """The rows that cost more than they may."""
    return {row: costs[row] for row, target in TARGETS.items() if row in costs and costs[row] > target}


@dataclass(frozen=True)
class Grown:
    """A row that costs more than it was said to."""

    row: str
    before: int
    now: int

    def __str__(self) -> str:
        return f"{self.row}: {self.before:,} -> {self.now:,} gas (+{self.now / self.before - 1:.1%})"


def grown(before: Mapping[str, int], now: Mapping[str, int]) -> list[Grown]:
    """The rows of `now` that cost over `GROWTH` more than before; what a draw moves is left out. Raises KeyError for
    an unknown row."""
    rows = [row for row in now if not drawn(row) or row in OFTEN]
    return [Grown(row, before[row], now[row]) for row in rows if now[row] > before[row] * (1 + GROWTH)]


def load() -> Costs:
    """The figures last measured."""
    found: Costs = json.loads(RESULTS.read_text())
    return found


def targets_table(costs: Mapping[str, int]) -> str:
    """Markdown: each row with a target, its figure, and what share of the target that is."""
    lines = ["| row | gas | target | share |", "|---|---:|---:|---:|"]
    for row, target in TARGETS.items():
        if row in costs:
            lines.append(f"| {row} | {costs[row]:,} | {target:,} | {costs[row] / target:.2f} |")
    return "\n".join(lines) + "\n"


def growth_table(costs: Mapping[str, int]) -> str:
    """Markdown: each kind by participants and by rounds, and how many times the one before the last is the last."""
    heads = [*(f"{n} participants" for n in PARTICIPANTS), *(f"round {n}" for n in ROUNDS)]
    shares = [f"{PARTICIPANTS[2]} / {PARTICIPANTS[1]}", f"round {ROUNDS[2]} / {ROUNDS[1]}"]
    lines = [f"| row | {' | '.join(heads + shares)} |", "|---|" + "---:|" * (len(heads) + len(shares))]
    for kind in KINDS:
        crowd = [costs[f"{kind}_n{n}"] for n in PARTICIPANTS]
        rounds = [costs[f"{kind}_round{n}"] for n in ROUNDS]
        cells = [f"{gas:,}" for gas in crowd + rounds] + [f"{row[2] / row[1]:.2f}" for row in (crowd, rounds)]
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def others_table(costs: Mapping[str, int]) -> str:
    """Markdown: the rows that neither of the other tables shows, the parts of the deployment left out."""
    places = [*(f"n{n}" for n in PARTICIPANTS), *(f"round{n}" for n in ROUNDS)]
    shown = {f"{kind}_{place}{end}" for kind in KINDS for place in places for end in ("", "_least", "_most")}
    rows = [row for row in costs if row not in shown and row not in TARGETS and not row.startswith("deploy_")]
    return "\n".join(["| row | gas |", "|---|---:|", *(f"| {row} | {costs[row]:,} |" for row in rows)]) + "\n"


def tables(costs: Mapping[str, int]) -> str:
    """All of them."""
    return "\n".join((targets_table(costs), growth_table(costs), others_table(costs)))


def page(costs: Mapping[str, int], text: str) -> str:
    """The contracts' page with these tables in it."""
    head, rest = text.split(START, 1)
    _, tail = rest.split(END, 1)
    return f"{head}{START}{tables(costs)}{END}{tail}"
