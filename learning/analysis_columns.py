"""A participant's records as columns, and the statistics of one query over them.

A missing value (None, NaN, empty text) is left out. Numbers are clipped to the query's range. Sums of reals are rounded
once, by `math.fsum`, so they do not depend on the order of the records.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foedus.learning.analysis_queries import Query
from foedus.learning.errors import DataError

Columns = Mapping[str, Sequence[Any]]
"""Equally long columns by name: numbers, truth values and texts, as Python has them, None where one is missing."""


def columns_of(made: Any) -> Columns:
    """What an app's `records` gave, as columns. Raises DataError where it is no dict of equally long columns."""
    if not isinstance(made, Mapping) or not made or not all(isinstance(name, str) for name in made):
        raise DataError(f"records(partition) returned {type(made).__name__}: return a dict of columns by name")
    found: dict[str, Sequence[Any]] = {}
    for name, column in made.items():
        values = np.asarray(column, dtype=object)
        if values.ndim != 1:
            raise DataError(f"records(partition): column {name} has shape {values.shape}: give one value a record")
        found[name] = [value.item() if isinstance(value, np.generic) else value for value in values]
    if len({len(column) for column in found.values()}) != 1:
        sizes = ", ".join(f"{name} {len(column)}" for name, column in found.items())
        raise DataError(f"records(partition): columns of different lengths: {sizes}")
    return found


def length(columns: Columns) -> int:
    """How many records there are."""
    return len(next(iter(columns.values())))


def canonical(columns: Columns) -> Iterator[bytes]:
    """Every record as JSON, its columns by name."""
    names = sorted(columns)
    for row in zip(*(columns[name] for name in names), strict=True):
        yield json.dumps(dict(zip(names, row, strict=True)), separators=(",", ":"), default=str).encode()


def statistics(query: Query, columns: Columns) -> list[float]:
    """The query's numbers over these records, one a lane, in the columns' own units. Raises DataError."""
    if not query.column:
        return [float(length(columns))]
    if query.column not in columns:
        raise DataError(f"{query.name}: no column {query.column}: records(partition) gives {', '.join(columns)}")
    column = [value for value in columns[query.column] if not _missing(value)]
    if query.kind == "count":
        return [float(len(column))]
    if query.values:
        counts = Counter(label(value) for value in column)
        listed = [float(counts[value]) for value in query.values]
        return [*listed, len(column) - math.fsum(listed)]
    clipped = _numbers(query, column).clip(query.low, query.high)
    if query.kind == "histogram":
        return [float(count) for count in np.histogram(clipped, query.edges)[0]]
    total = math.fsum(clipped.tolist())
    return [total] if query.kind == "sum" else [total, float(clipped.size)]


def label(value: Any) -> str:
    """The text by which a value is counted: 1 and 1.0 are `1`, True is `true`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _missing(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def _numbers(query: Query, column: Sequence[Any]) -> NDArray[np.float64]:
    for value in column:
        if not isinstance(value, int | float):
            raise DataError(f"{query.name}: column {query.column} holds {value!r}: a {query.kind} needs numbers")
    return np.array(column, dtype=np.float64)
