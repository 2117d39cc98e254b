"""What rounds cost a participant of its privacy budget: Renyi accounting, by Google's dp-accounting.

Mironov, "Rényi Differential Privacy", CSF 2017. Every round opens one sum over all participants, so nothing is gained
from sampling them, and the cost of a task is that of as many Gaussian mechanisms as there were openings.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from foedus.learning.errors import LearningError
from foedus.protocol.manifest import Manifest
from foedus.protocol.terms import Terms

_TOLERANCE = 1e-6


@cache
def epsilon(multiplier: float, delta: float, releases: int) -> float:
    """The epsilon, at `delta`, of so many releases with this noise multiplier; 0 for none."""
    if not releases:
        return 0.0
    accounting = _accounting()
    spent = accounting.rdp.RdpAccountant()
    spent.compose(accounting.GaussianDpEvent(multiplier), releases)
    return float(spent.get_epsilon(delta))


@cache
def multiplier_for(budget: float, delta: float, releases: int) -> float:
    """The least noise multiplier with which so many releases stay within (budget, delta)."""
    accounting = _accounting()
    found = accounting.calibrate_dp_mechanism(
        accounting.rdp.RdpAccountant,
        lambda multiplier: accounting.SelfComposedDpEvent(accounting.GaussianDpEvent(multiplier), releases),
        budget,
        delta,
        tol=_TOLERANCE,
    )
    return float(found)


def spent(terms: Terms, manifest: Manifest, releases: int) -> float:
    """The epsilon that so many openings of a participant's updates cost, at the terms' delta.

    Raises LearningError where the terms promise nothing.
    """
    noise = terms.noise(manifest.parameters)
    if noise is None or terms.dp is None:
        raise LearningError(f"{terms.name!r} promises no differential privacy")
    return epsilon(noise.multiplier, terms.dp.delta, releases)


def _accounting() -> Any:
    try:
        import dp_accounting
        import dp_accounting.rdp
    except ImportError as error:
        told = "this task has differential privacy, which needs dp-accounting: pip install 'foedus[privacy]'"
        raise LearningError(told) from error
    return dp_accounting
