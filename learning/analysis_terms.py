"""An analysis in a task's terms: the queries, and the checks that make its answers exact.

An analysis is a task of one round. Its model is one tensor a query, zero at first; a participant's "training" gives its
own statistics; the new model is their mean, from which the sum is read back without error. The queries are in the
terms, so whoever joins agrees to exactly these: the chain holds the terms' digest.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from foedus.learning.analysis_queries import Query
from foedus.learning.trainer import Arrays
from foedus.protocol.chunks import lanes_to_bytes, vector_root
from foedus.protocol.hostile import load_json
from foedus.protocol.manifest import Manifest
from foedus.protocol.terms import LEARNING_RATE_ONE, InvalidTerms, Terms

CONFIG_KEY = "analysis"
MAX_RECORDS = 1 << 24
"""Up to here every whole number is a float32."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """What is asked. records: the most records that a participant may answer from."""

    queries: tuple[Query, ...]
    records: int

    @property
    def scales(self) -> tuple[float, ...]:
        """The divisor of every lane, in lane order."""
        return tuple(scale for query in self.queries for scale in query.scales)

    @property
    def reach(self) -> float:
        """The largest L2 norm of a participant's scaled statistics."""
        return self.records * float(np.sqrt(sum(query.reach**2 for query in self.queries)))

    def zeros(self) -> Arrays:
        """The first model: one tensor a query, shape (lanes,)."""
        return {query.name: np.zeros(len(query.scales), dtype=np.float32) for query in self.queries}

    def to_text(self) -> str:
        """As it stands in the terms' config."""
        rows = [query.row() for query in self.queries]
        return json.dumps({"queries": rows, "records": self.records}, sort_keys=True, separators=(",", ":"))

    @classmethod
    def of_text(cls, given: str) -> Analysis:
        """Parse and validate. Raises InvalidTerms for anything but what `to_text` writes."""
        try:
            raw = load_json(given.encode())
            found = cls(tuple(Query.of(row) for row in raw["queries"]), raw["records"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InvalidTerms(f"config.{CONFIG_KEY}: no analysis of this protocol: {error}") from error
        whole = isinstance(found.records, int) and not isinstance(found.records, bool)
        names = {query.name for query in found.queries}
        if not whole or not 1 <= found.records <= MAX_RECORDS or not names or len(names) != len(found.queries):
            raise InvalidTerms(f"config.{CONFIG_KEY}: needs queries of distinct names, and 1 to {MAX_RECORDS} records")
        if found.to_text() != given:
            raise InvalidTerms(f"config.{CONFIG_KEY}: not in canonical form")
        return found


def analysis_of(terms: Terms) -> Analysis | None:
    """The analysis that the terms ask for; None for a task that trains a model. Raises InvalidTerms."""
    return Analysis.of_text(str(terms.config[CONFIG_KEY])) if CONFIG_KEY in terms.config else None


def check_analysis(terms: Terms, manifest: Manifest) -> Analysis | None:
    """`analysis_of`, after checking that model, grid and rule bring the sums back exactly. Raises InvalidTerms."""
    found = analysis_of(terms)
    if found is None:
        return None
    zeros = vector_root(lanes_to_bytes(np.zeros(manifest.model_lanes, dtype=np.int32))).hex()
    exact = 2 * terms.params.max_participants << terms.update_bits <= 1 << terms.scale_bits
    full = terms.dp is not None or found.records << terms.update_bits <= terms.max_value
    for good, need in (
        (manifest == Manifest.of(found.zeros()), "the manifest is not that of its queries"),
        (terms.model == zeros, "the model must be zero at first"),
        (terms.params.rounds == 1, "it has one round: more would open sums that can be subtracted"),
        (terms.rule == "fedavg" and terms.server_lr == LEARNING_RATE_ONE, "its rule is fedavg, at a rate of 1"),
        (terms.weighting == "uniform", "every participant counts once"),
        (exact, "scale_bits are too few to read a sum from the mean"),
        (found.records << terms.update_bits <= 1 << 24, "update_bits are too many for a float32"),
        (full, "max_value cuts what the records may add up to"),
        (terms.dp is not None or terms.clip_norm == 0, "a clip_norm belongs to differential privacy"),
    ):
        if not good:
            raise InvalidTerms(f"config.{CONFIG_KEY}: these terms cannot carry this analysis: {need}")
    return found
