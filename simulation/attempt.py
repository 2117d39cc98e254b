"""One attempt at a round, by the aggregator's own functions: bundle, freeze, open, aggregate.

Everyone is honest here, but everything is checked as a committee would check it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from foedus.aggregator.aggregate import Outcome, aggregate
from foedus.aggregator.keys import Random
from foedus.aggregator.layout import Layout
from foedus.aggregator.modes import vector_mode
from foedus.aggregator.unmask import UnmaskGuard
from foedus.protocol.chunks import Lanes
from foedus.protocol.ids import Position
from foedus.protocol.manifest import Manifest
from foedus.protocol.terms import Terms
from foedus.simulation.ports import Away
from foedus.simulation.seating import Seating
from foedus.simulation.seeds import SeedAttempt
from foedus.simulation.vectors import VectorAttempt


def run_attempt(
    seating: Seating,
    terms: Terms,
    manifest: Manifest,
    base: NDArray[np.int32],
    state: NDArray[np.int32],
    updates: Mapping[Position, Lanes],
    away: Away,
    guards: Mapping[Position, UnmaskGuard],
    random: Random,
    *,
    checkers: int,
    workers: int = 1,
) -> tuple[Outcome, frozenset[Position]]:
    """From the updates of those who commit to the round's aggregate, and who survived.

    base, state: what the round starts from, as `aggregate` takes them. checkers: how many committee members check what
    they were dealt. Raises TooFewSurvivors where the attempt must abort, BrokenRound where an honest bundle fails a
    check.
    """
    layout, mode = Layout.of(seating.round, terms), vector_mode(terms.mode)
    committed = {position: update for position, update in updates.items() if position not in away.commit}
    attempt = SeedAttempt(layout, seating, random) if mode is None else VectorAttempt(mode, layout, seating, random)
    survivors = attempt.survivors(committed, manifest.update_lanes, checkers)
    opened = attempt.opened(survivors, away, guards)
    return aggregate(layout, terms, manifest, base, state, survivors, opened, workers), survivors
