"""Records of a heart clinic: a file in the format of the UCI Heart Disease data, or made-up patients without one.

`--data FILE` names a `processed.*.data` file (Janosi, Steinbrunn, Pfisterer and Detrano, 1988): fourteen columns, `?`
where a value is missing.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from foedus.learning.analysis_columns import Columns
from foedus.learning.app import Partition

PAIN = {"1": "typical angina", "2": "atypical angina", "3": "other pain", "4": "no pain"}


def records(partition: Partition) -> Columns:
    """This clinic's patients, a column a question."""
    return from_file(partition.path) if partition.path else made_up(partition)


def from_file(path: Path) -> Columns:
    with path.open(newline="") as file:
        rows = [[None if cell == "?" else float(cell) for cell in row] for row in csv.reader(file) if row]
    return {
        "age": [row[0] for row in rows],
        "cholesterol": [row[4] or None for row in rows],  # the files write 0 where it was not measured
        "pain": [PAIN.get(f"{row[2]:.0f}") if row[2] is not None else None for row in rows],
        "disease": [None if row[13] is None else row[13] > 0 for row in rows],
    }


def made_up(partition: Partition) -> Columns:
    random = np.random.default_rng((partition.seed, partition.index))
    count = int(random.integers(40, 200))
    return {
        "age": random.normal(54, 9, count).round(),
        "cholesterol": np.where(random.random(count) < 0.1, np.nan, random.normal(245, 50, count).round()),
        "pain": random.choice(list(PAIN.values()), count, p=[0.1, 0.2, 0.25, 0.45]),
        "disease": random.random(count) < 0.45,
    }
