"""Differential privacy in a task file: `epsilon` and `delta`, or the noise itself, and whose noise is counted on."""

from __future__ import annotations

import math

from foedus.learning.accounting import epsilon, multiplier_for
from foedus.learning.schema import Table, number
from foedus.protocol.privacy import TAIL, DifferentialPrivacy

ROUNDING_ROOM = 1.25
"""By how much rounding may lengthen an update when the grid is chosen; the model's size, not known yet, decides."""

_LEAST_SPARE = 1e-9


def promise(table: Table, rounds: int) -> DifferentialPrivacy | None:
    """What [privacy] promises for so many rounds; None where neither `epsilon` nor `noise_multiplier` is given.

    With `epsilon` alone the noise is the least that keeps all rounds within it; with `noise_multiplier` alone, epsilon
    is what all rounds cost. Raises TaskFileError.
    """
    budget = table.get("epsilon", number(0, 1e6, above=True))
    multiplier = table.get("noise_multiplier", number(0, 1e6, above=True))
    honest = table.get("honest", number(0, 100, above=True))
    wanted = budget is not None or multiplier is not None
    delta = table.get("delta", number(0, 0.5, above=True), required=wanted)
    if not wanted:
        for name, value in (("delta", delta), ("honest", honest)):
            if value is not None:
                raise table.refuse(name, "belongs to differential privacy: add epsilon, or remove it")
        return None
    if multiplier is None:
        multiplier = multiplier_for(budget, delta, rounds) * (1 + _LEAST_SPARE)
    cost = epsilon(multiplier, delta, rounds)
    if budget is not None and cost > budget:
        told = f"{rounds} rounds with noise_multiplier = {multiplier:g} cost {cost:.4g}: allow that, or add noise"
        raise table.refuse("epsilon", told)
    points = max(1, round((50 if honest is None else honest) * 100))
    return DifferentialPrivacy(float(budget or cost), float(delta), float(multiplier), points)


def reach(dp: DifferentialPrivacy, clip_norm: float, contributors: int) -> float:
    """The largest value, in the model's units, that a lane of an update takes with its noise."""
    return clip_norm * (1 + TAIL * dp.noise_multiplier * ROUNDING_ROOM / math.sqrt(contributors))
