"""From the model of an analysis to its answers: every sum exactly, from the mean and the number of participants."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foedus.aggregator.integers import round_div
from foedus.learning.analysis_queries import Query
from foedus.learning.analysis_terms import Analysis
from foedus.protocol.manifest import Manifest
from foedus.protocol.terms import Terms

Number = int | float
Cells = tuple[tuple[str, Number], ...]
"""Counts by label."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one query found.

    value: the count, sum or mean; None for cells, and for a mean of nothing. cells: a histogram's in their order, a
    top-k's largest first, with OTHER left out; other: what OTHER counts, None where a query has none. step: to which
    multiples each participant's part of a sum was rounded, 0 for counts. deviation: the standard deviation that the
    noise gives a count, sum or cell where all participants added theirs, and a mean to first order; 0 without
    differential privacy, or without a value.
    """

    query: Query
    value: Number | None
    cells: Cells
    other: Number | None
    step: float
    deviation: float

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        shown: dict[str, Any] = {"name": self.query.name, "kind": self.query.kind}
        if self.query.labels:
            shown |= {"cells": [{"label": label, "count": count} for label, count in self.cells], "other": self.other}
        else:
            shown |= {"value": self.value}
        return shown | {"step": self.step, "deviation": self.deviation}


def sums(terms: Terms, asked: Analysis, model: NDArray[np.int32], participants: int) -> list[Fraction]:
    """The sum behind every lane, in the columns' units.

    model: int32, shape (model_lanes,), as the round left it; participants: its total weight. A lane is off by half a
    step of 2**-scale_bits at most, which is a quarter of what one step of the update's grid makes of it.
    """
    found = []
    for lane, scale in zip(model.tolist(), asked.scales, strict=False):
        steps = round_div(lane * (participants << terms.update_bits), 1 << terms.scale_bits)
        found.append(Fraction(steps, 1 << terms.update_bits) * Fraction(scale))
    return found


def answers(
    terms: Terms, manifest: Manifest, asked: Analysis, model: NDArray[np.int32], participants: int
) -> list[Answer]:
    """Every query's answer, in their order; model and participants as in `sums`."""
    noise = terms.noise(manifest.parameters)
    steps = 0.0 if noise is None else noise.local_std * math.sqrt(participants)
    lanes = iter(sums(terms, asked, model, participants))
    return [_answer(query, lanes, steps * 2.0**-terms.update_bits, terms.update_bits) for query in asked.queries]


def _answer(query: Query, lanes: Iterator[Fraction], noise: float, bits: int) -> Answer:
    numbers = [next(lanes) for _ in query.scales]
    deviation = noise * query.scales[0]
    if query.labels:
        counted = tuple(zip(query.labels, map(_plain, numbers), strict=True))
        other = counted[-1][1] if query.values else None
        return Answer(query, None, _shown(query, counted[:-1] if query.values else counted), other, 0.0, deviation)
    step = 0.0 if query.kind == "count" else query.scales[0] * 2.0**-bits
    value: Number | None = _plain(numbers[0])
    if query.kind == "mean":
        value = float(numbers[0] / numbers[1]) if numbers[1] > 0 else None
        deviation = math.hypot(deviation, noise * value) / float(numbers[1]) if value is not None else 0.0
    return Answer(query, value, (), None, step, deviation)


def _shown(query: Query, cells: Cells) -> Cells:
    return tuple(sorted(cells, key=lambda cell: -cell[1])[: query.k]) if query.kind == "topk" else cells


def _plain(number: Fraction) -> Number:
    return int(number) if number.denominator == 1 else float(number)
