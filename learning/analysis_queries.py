"""The queries of an analysis: what is asked of every participant's records, and in how many numbers it is answered.

The answer to a query is a few sums over all participants. Each number is divided by its `scale`, a power of two, so
that one record adds at most 1 to it; that bounds what fits a lane, and what one participant can change.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

Kind = Literal["count", "sum", "mean", "histogram", "topk"]
KINDS: tuple[Kind, ...] = get_args(Kind)

MAX_BINS = 4096
MAX_VALUES = 4096
LARGEST_BOUND = 2.0**40
SMALLEST_BOUND = 2.0**-40
OTHER = "(not listed)"
"""The cell of values that a query does not list."""

_RANGE, _VALUES = ("low", "high"), ("values",)
_KEYS: dict[Kind, tuple[str, ...]] = {
    "count": ("column",),
    "sum": ("column", *_RANGE),
    "mean": ("column", *_RANGE),
    "histogram": ("column", *_RANGE, "bins", *_VALUES),
    "topk": ("column", *_VALUES, "k"),
}


class BadQuery(ValueError):
    """A query that cannot be asked: `key`, and what is needed."""

    def __init__(self, key: str, need: str) -> None:
        super().__init__(f"{key}: {need}")
        self.key, self.need = key, need


@dataclass(frozen=True, slots=True)
class Query:
    """One query.

    column: of the app's records; empty in a count of records. low, high: to which numbers are clipped; bins: equally
    wide, from low to high; values: the texts that are counted, all others together as OTHER; k: how many of them are
    shown. Raises BadQuery.
    """

    kind: Kind
    name: str
    column: str = ""
    low: float = 0.0
    high: float = 0.0
    bins: int = 0
    values: tuple[str, ...] = ()
    k: int = 0

    def __post_init__(self) -> None:
        _require("kind", self.kind in KINDS, f"must be one of {', '.join(KINDS)}")
        _text("name", self.name)
        if self.column != "":
            _text("column", self.column)
        _require("column", self.column != "" or self.kind == "count", f"a {self.kind} is of a column: name it")
        if self.kind in ("sum", "mean") or self.bins:
            _range(self.low, self.high)
        if self.kind == "histogram":
            _require("bins", bool(self.bins) != bool(self.values), "give either low, high and bins, or values")
        if self.kind == "topk":
            _require("values", bool(self.values), "the texts that are counted: everybody must know them beforehand")
            _whole("k", self.k, len(self.values))
        if self.bins:
            _whole("bins", self.bins, MAX_BINS)
        for value in self.values:
            _text("values", value)
        _require("values", OTHER not in self.values, f"{OTHER} is what all others are counted as")
        _require(
            "values", len(set(self.values)) == len(self.values) <= MAX_VALUES, f"at most {MAX_VALUES}, all distinct"
        )
        for key in ("column", *_RANGE, "bins", *_VALUES, "k"):
            _require(
                key, not getattr(self, key) or key in self._used, f"does not belong to this {self.kind}: remove it"
            )

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Query:
        """From a row of a file or of terms. Raises BadQuery, also for keys that are not known."""
        kind = row.get("kind")
        _require("kind", kind in KINDS, f"must be one of {', '.join(KINDS)}")
        for key in row:
            known = ("kind", "name", *_KEYS[kind])  # type: ignore[index]
            _require(key, key in known, f"is not known to a {kind}: the keys are {', '.join(known)}")
        given = dict(row)
        values = given.get("values", [])
        _require("values", isinstance(values, list), 'must be a list of texts, such as ["yes", "no"]')
        given["values"] = tuple(values)
        for key in _RANGE:
            if key in given:
                good = isinstance(given[key], int | float) and not isinstance(given[key], bool)
                _require(key, good and abs(given[key]) <= LARGEST_BOUND, f"must be a number within +-{LARGEST_BOUND:g}")
                given[key] = float(given[key])
        usual = f"{kind} of {given.get('column') or 'records'}"
        return cls(**{"name": usual, **given})

    @property
    def _used(self) -> tuple[str, ...]:
        if self.kind == "histogram":
            return ("column", *_RANGE, "bins") if self.bins else ("column", *_VALUES)
        return _KEYS[self.kind] if self.column else ()

    def row(self) -> dict[str, Any]:
        """What `of` takes, without what is not used."""
        found = {key: getattr(self, key) for key in self._used}
        texts = {key: list(value) if isinstance(value, tuple) else value for key, value in found.items()}
        return {"kind": self.kind, "name": self.name, **texts}

    @property
    def labels(self) -> tuple[str, ...]:
        """The cells of a histogram or a top-k, in lane order; empty for the other kinds."""
        if self.bins:
            return tuple(f"{low:.10g} to {high:.10g}" for low, high in pairwise(self.edges.tolist()))
        return (*self.values, OTHER) if self.values else ()

    @property
    def edges(self) -> NDArray[np.float64]:
        """The borders of the bins, shape (bins + 1,). A value on one is in the bin above it; `high` in the last."""
        return np.linspace(self.low, self.high, self.bins + 1)

    @property
    def scales(self) -> tuple[float, ...]:
        """One a lane: powers of two, by which the lane's number is divided."""
        bound = max(abs(self.low), abs(self.high))
        match self.kind:
            case "sum":
                return (power_above(bound),)
            case "mean":
                return (power_above(bound), 1.0)
        return (1.0,) * max(1, len(self.labels))

    @property
    def reach(self) -> float:
        """The largest L2 norm that one record gives the query's scaled numbers."""
        scaled = max(abs(self.low), abs(self.high)) / self.scales[0]
        match self.kind:
            case "sum":
                return scaled
            case "mean":
                return math.hypot(scaled, 1.0)
        return 1.0


def power_above(bound: float) -> float:
    """The least power of two that is not below `bound` > 0."""
    part, exponent = math.frexp(bound)
    return math.ldexp(1.0, exponent - 1 if part == 0.5 else exponent)


def _require(key: str, good: object, need: str) -> None:
    if not good:
        raise BadQuery(key, need)


def _text(key: str, value: object) -> None:
    good = isinstance(value, str) and 0 < len(value) <= 80 and value.isprintable()
    _require(key, good, f"{value!r} must be text of 1 to 80 printable characters")


def _whole(key: str, value: object, most: int) -> None:
    good = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most
    _require(key, good, f"{value!r} must be a whole number from 1 to {most}")


def _range(low: float, high: float) -> None:
    good = isinstance(low, float) and isinstance(high, float) and -LARGEST_BOUND <= low < high <= LARGEST_BOUND
    _require("low", good, f"low = {low} and high = {high}: give the range to which values are clipped, low below high")
    _require("high", max(abs(low), abs(high)) >= SMALLEST_BOUND, f"a range within +-{SMALLEST_BOUND:g} is too narrow")
